import { expect, test } from 'vitest'
import type { RowColumn, Rows } from './messages.ts'
import { packedRows, type SentRows } from './sent-rows.ts'
import { WholeColumns } from './whole-columns.ts'

/** Promise: a column is stored as INTEGER only if each of its values comes back as it was, to the last bit. */

const column = (...values: (number | null)[]): RowColumn => ({
  type: 'float',
  values: Float64Array.from(values, (value) => value ?? 0.5),
  present: values.includes(null) ? Uint8Array.from(values, (value) => (value === null ? 0 : 1)) : null,
})

function isWhole(batches: readonly RowColumn[], sent: (rows: Rows) => SentRows): boolean {
  const columns = new WholeColumns([
    { name: 'series', type: 'series' },
    { name: 'time', type: 'integer' },
    { name: 'f0', type: 'float' },
  ])
  for (const each of batches) {
    const rowCount = each.values.length
    const series: RowColumn = { type: 'series', values: new Uint32Array(rowCount), present: null }
    const time: RowColumn = { type: 'integer', values: new BigInt64Array(rowCount), present: null }
    columns.note(sent({ rowCount, columns: [series, time, each] }))
  }
  return columns.names.has('f0')
}

test.each<[string, boolean, RowColumn[]]>([
  ['whole numbers', true, [column(0, -1, 2_147_483_647, -2_147_483_648)]],
  ['whole numbers with gaps, whatever stands in these', true, [column(1, null, 2)]],
  ['nothing', false, [column(null)]],
  ['a fraction', false, [column(1, 2.5)]],
  ['minus zero', false, [column(0, -0)]],
  ['too large', false, [column(2_147_483_648)]],
  ['too small', false, [column(-2_147_483_649)]],
  ['no number', false, [column(Number.NaN)]],
  ['without end', false, [column(Number.POSITIVE_INFINITY)]],
  ['a fraction in the first of two', false, [column(0.1), column(1)]],
  ['a fraction in the second of two', false, [column(1), column(0.1)]],
  ['nothing in the first of two', true, [column(null), column(1)]],
])('%s: %s', (_, expected, batches) => {
  expect(isWhole(batches, (rows) => rows)).toBe(expected)
  expect(isWhole(batches, packedRows)).toBe(expected)
})
