import { expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { SparseCells } from '../buffer/sparse-cells.ts'
import { TableBuffer } from '../buffer/table-buffer.ts'
import { prepareRows, remainder } from './kept-rows.ts'
import { isDeleted, type DeletedArea } from './tombstones.ts'

/** Promise: what a delete leaves of a buffer is the same whether it was prepared or not, and others have their turn. */

const none = new Map<never, never>()
const area: DeletedArea = { series: [1, 2, 4, 4], minTimeNs: 100n, maxTimeNs: 20_000n }

/** Rows of six series: a number in all of them, a text in every third. */
function append(table: TableBuffer, from: number, end: number): void {
  const rowCount = end - from
  const rows = Array.from({ length: rowCount }, (_, k) => from + k)
  table.append(
    {
      measurement: 'm',
      rowCount,
      series: [],
      seriesOfRow: Uint32Array.from(rows, (row) => row % 6),
      times: BigInt64Array.from(rows, BigInt),
      columns: [
        { name: 'v', type: 'float', values: Float64Array.from(rows), present: null },
        {
          name: 's',
          type: 'string',
          values: rows.map((row) => (row % 3 === 0 ? `x${row}` : '')),
          present: Uint8Array.from(rows, (row) => (row % 3 === 0 ? 1 : 0)),
        },
      ],
    },
    Uint32Array.from({ length: 6 }, (_, id) => id),
    [0, 3],
    null,
  )
}

function rowsOf(table: TableBuffer | null): string[] {
  if (!table) return []
  return Array.from({ length: table.rowCount }, (_, row) => {
    const values = table.fields.map((field) => {
      const column = table.column(field)!
      const value = column instanceof SparseCells ? column.cellAt(row) : column.values[row]
      return `${field}=${!(column instanceof SparseCells) && column.present[row] !== 1 ? '' : (value ?? '')}`
    })
    return `${table.series[row]} ${table.times[row]} ${values.join()}`
  })
}

test.each([0, 1, 5_000, 30_000])('rows that came since it was prepared: %i', async (later) => {
  const table = new TableBuffer()
  append(table, 0, 30_000)
  const prepared = await prepareRows([table], area, { clock: new FakeClock(), maxBytes: 1e9 })
  append(table, 30_000 - later, 30_000)
  const expected = rowsOf(table).filter((row) => {
    const [id, timeNs] = row.split(' ')
    return !isDeleted([area], Number(id), BigInt(timeNs!))
  })
  expect(expected.length).toBeLessThan(table.rowCount)
  expect(rowsOf(remainder(table, area, none))).toEqual(expected)
  expect(rowsOf(remainder(table, area, prepared))).toEqual(expected)
})

test('a table of which all is left stays the same one, one of which nothing is left is none', async () => {
  const table = new TableBuffer()
  append(table, 0, 10_000)
  for (const [series, left] of [
    [[9, 9], table],
    [null, null],
  ] as const) {
    const each = { series, minTimeNs: 0n, maxTimeNs: 10_000n }
    expect(remainder(table, each, none)).toBe(left)
    const prepared = await prepareRows([table], each, { clock: new FakeClock(), maxBytes: 1e9 })
    expect(remainder(table, each, prepared)).toBe(left)
  }
})

test('a copy has a bound: tables beyond it wait for the moment of the delete', async () => {
  const tables = [new TableBuffer(), new TableBuffer()]
  for (const table of tables) append(table, 0, 1_000)
  const maxBytes = tables[0]!.bytes * 1.5
  const prepared = await prepareRows(tables, area, { clock: new FakeClock(), maxBytes })
  expect([...prepared.keys()]).toEqual([tables[0]])
})

test('others have a turn every few milliseconds, however large the buffer', async () => {
  const table = new TableBuffer()
  append(table, 0, 60_000)
  // The clock goes on by three milliseconds at each look.
  let nowMs = 0
  const clock = { monotonicMs: () => (nowMs += 3) }
  let turns = 0
  const immediate = () => {
    turns++
    timer = setImmediate(immediate)
  }
  let timer = setImmediate(immediate)
  await prepareRows([table], area, { clock, maxBytes: 1e9 })
  clearImmediate(timer)
  expect(turns).toBeGreaterThan(5)
})
