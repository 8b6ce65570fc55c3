import { expect, test } from 'vitest'
import type { Column } from '../engine/reader.ts'
import { copyCell, gatherRows, newVector } from './vector.ts'

// Attacks the promise that rows gathered at once are what they are cell by cell, to the last bit, also where a column
// ends before them.

const present = Uint8Array.of(1, 0, 1, 1)
const most = 2n ** 63n - 1n

test.each<Column>([
  { type: 'float', values: Float64Array.of(-0, 1, Number.NaN, 2.5), present },
  { type: 'integer', values: BigInt64Array.of(-1n, 1n, -most - 1n, most), present },
  { type: 'unsigned', values: BigUint64Array.of(0n, 1n, 2n ** 64n - 1n, 2n ** 32n), present },
  { type: 'boolean', values: Uint8Array.of(1, 0, 0, 1), present },
  { type: 'string', values: ['', 'a', 'b', 'é'], present },
])('$type', (column) => {
  const rows = Int32Array.of(3, 0, 2, 1, 4, 9)
  const [gathered, copied] = [newVector(column.type, 6), newVector(column.type, 6)]
  gatherRows(column, rows, gathered)
  for (const [target, row] of rows.entries()) copyCell(column, row, copied, target)
  expect(gathered.present).toEqual(copied.present)
  for (let row = 0; row < 6; row++)
    if (copied.present[row] === 1) expect(gathered.values[row]).toBe(copied.values[row])
})
