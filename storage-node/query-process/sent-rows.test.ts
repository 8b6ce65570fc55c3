import { deserialize, serialize } from 'node:v8'
import { expect, test } from 'vitest'
import type { RowColumn } from './messages.ts'
import { isNarrow, packedRows, unpackedRows, type SentRows } from './sent-rows.ts'

/** Promise: rows arrive as they were, to the last bit; numbers that are all whole take a few bytes each on the way. */

const keys = (rowCount: number): RowColumn[] => [
  { type: 'series', values: new Uint32Array(rowCount), present: null },
  { type: 'integer', values: new BigInt64Array(rowCount), present: null },
]

function sent(column: RowColumn): SentRows {
  const rowCount = column.values.length
  const rows = { rowCount, columns: [...keys(rowCount), column] }
  const arrived = deserialize(serialize(packedRows(rows))) as SentRows
  expect(unpackedRows(arrived)).toStrictEqual(rows)
  return arrived
}

const float = (...values: number[]): RowColumn => ({
  type: 'float',
  values: Float64Array.from(values),
  present: null,
})
const integer = (...values: bigint[]): RowColumn => ({
  type: 'integer',
  values: BigInt64Array.from(values),
  present: null,
})
const unsigned = (...values: bigint[]): RowColumn => ({
  type: 'unsigned',
  values: BigUint64Array.from(values),
  present: null,
})

test.each<[string, RowColumn, number]>([
  ['small floats', float(0, -128, 127), 1],
  ['floats of two bytes', float(128, -32_768), 2],
  ['floats of four bytes', float(2_147_483_647), 4],
  ['integers', integer(-1n, 127n), 1],
  ['unsigned numbers', unsigned(0n, 300n), 2],
  ['some without a value', { ...float(1, 0), present: Uint8Array.of(1, 0) } as RowColumn, 1],
])('%s are narrow', (_, column, bytes) => {
  const [, , last] = sent(column).columns
  expect(isNarrow(last!) && last.whole.BYTES_PER_ELEMENT).toBe(bytes)
})

test.each<[string, RowColumn]>([
  ['a fraction', float(1, 2.5)],
  ['minus zero', float(0, -0)],
  ['no number', float(Number.NaN)],
  ['a large float', float(2_147_483_648)],
  ['a large integer', integer(1n, 2n ** 62n)],
  ['a large unsigned number', unsigned(2n ** 31n)],
  ['booleans', { type: 'boolean', values: Uint8Array.of(1, 0), present: null }],
  ['strings', { type: 'string', values: ['1', ''], present: null }],
])('%s: as it is', (_, column) => {
  const [, , last] = sent(column).columns
  expect(last).toStrictEqual(column)
})
