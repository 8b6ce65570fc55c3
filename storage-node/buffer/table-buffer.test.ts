import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FieldType } from '../engine/reader.ts'
import type { BatchColumn, BatchTable } from '../line-protocol/batch.ts'
import { markRows, type BufferColumn } from './buffer-column.ts'
import { pickColumn } from './merge.ts'
import { SparseCells } from './sparse-cells.ts'
import { bytesOfTable, TableBuffer } from './table-buffer.ts'
import { newVector, setCell, type Cell } from './vector.ts'
import { tries } from '../../test/support/tries.ts'

/** Promise: a buffer holds every value that was put into it, and takes memory for these, not for the places between them. */

const types: readonly FieldType[] = ['float', 'integer', 'unsigned', 'boolean', 'string']

/** A value that tells row and field. */
function valueAt(type: FieldType, row: number, field: number): Cell {
  if (type === 'boolean') return (row + field) % 2
  const number = row * 10 + field
  return type === 'string' ? `s${number}` : type === 'float' ? number + 0.5 : BigInt(number)
}

type Has = (row: number, field: number) => boolean

/** Rows `from` to `end`; the columns are those of which a row has a value. */
function tableOf(from: number, end: number, fieldTypes: readonly FieldType[], has: Has) {
  const rowCount = end - from
  const fields: number[] = []
  const columns: BatchColumn[] = []
  for (const [field, type] of fieldTypes.entries()) {
    const vector = newVector(type, rowCount)
    for (let row = 0; row < rowCount; row++)
      if (has(from + row, field)) setCell(vector, row, valueAt(type, from + row, field))
    if (!vector.present.includes(1)) continue
    fields.push(field)
    columns.push({
      ...vector,
      name: `f${field}`,
      present: vector.present.includes(0) ? vector.present : null,
    })
  }
  const times = BigInt64Array.from({ length: rowCount }, (_, row) => BigInt(from + row))
  const table: BatchTable = {
    measurement: 'm',
    rowCount,
    series: [],
    seriesOfRow: new Uint32Array(rowCount),
    times,
    columns,
  }
  return { table, fields }
}

function append(
  buffer: TableBuffer,
  from: number,
  end: number,
  fieldTypes: readonly FieldType[],
  has: Has,
): void {
  const { table, fields } = tableOf(from, end, fieldTypes, has)
  buffer.append(table, Uint32Array.of(7), fields, null)
}

function valuesOf(column: BufferColumn | null, rowCount: number): (Cell | null)[] {
  const rows = Int32Array.from({ length: rowCount }, (_, row) => row)
  const picking = { rows, sources: new Uint8Array(rowCount), targets: rows, targetCount: rowCount }
  const picked = column && pickColumn(column.type, [column], picking)
  return Array.from(rows, (row) => (!picked || picked.present?.[row] === 0 ? null : picked.values[row]!))
}

function expected(rows: readonly number[], type: FieldType, field: number, has: Has): (Cell | null)[] {
  return rows.map((row) => (has(row, field) ? valueAt(type, row, field) : null))
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

test('columns of any density, that begin late or end early, give every value back', () => {
  const shapes = fc.array(
    fc.tuple(fc.constantFrom(...types), fc.nat(200), fc.nat(200), fc.integer({ min: 1, max: 40 })),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(
      shapes,
      sizes,
      fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
      (columns, batches, kept) => {
        const fieldTypes = columns.map(([type]) => type)
        const has: Has = (row, field) => {
          const [, from, length, every] = columns[field]!
          return row >= from && row < from + length && row % every === 0
        }
        const buffer = new TableBuffer()
        let rowCount = 0
        for (const size of batches) {
          const before = columns.map((_, field) => buffer.column(field))
          const old = before.map((column) => valuesOf(column, rowCount))
          append(buffer, rowCount, rowCount + size, fieldTypes, has)
          // What a reader took before still says the same of the rows that there were.
          for (const [field, column] of before.entries())
            expect(valuesOf(column, rowCount)).toEqual(old[field])
          rowCount += size
        }
        for (const [field, type] of fieldTypes.entries()) {
          const values = expected(range(rowCount), type, field, has)
          const column = buffer.column(field)
          expect(valuesOf(column, rowCount)).toEqual(values)
          const marks = new Uint8Array(rowCount - 1)
          if (column) markRows(column, marks, 1, rowCount)
          expect([...marks]).toEqual(values.slice(1).map((value) => (value === null ? 0 : 1)))
        }
        const runs = kept.flatMap((stays, eighth) => {
          const [from, end] = [Math.floor((eighth * rowCount) / 8), Math.floor(((eighth + 1) * rowCount) / 8)]
          return stays && from < end ? [from, end] : []
        })
        if (runs.length === 0) return
        const rows = range(rowCount).filter((row) =>
          runs.some((from, k) => k % 2 === 0 && row >= from && row < runs[k + 1]!),
        )
        const copy = new TableBuffer()
        // In two steps: the second one adds to what the first one made.
        copy.appendRuns(buffer, runs.slice(0, 2))
        copy.appendRuns(buffer, runs.slice(2))
        expect(Array.from(copy.times.subarray(0, copy.rowCount), Number)).toEqual(rows)
        for (const [field, type] of fieldTypes.entries())
          expect(valuesOf(copy.column(field), rows.length)).toEqual(expected(rows, type, field, has))
      },
    ),
    tries(60),
  )
})

test('some rows of a batch only: what the others have takes nothing', () => {
  const buffer = new TableBuffer()
  const { table, fields } = tableOf(0, 40, ['string', 'float'], (row, field) => field === 1 || row === 3)
  buffer.append(
    table,
    Uint32Array.of(7),
    fields,
    range(40).filter((row) => row !== 3),
  )
  expect(buffer.column(0)).toBeNull()
  expect(valuesOf(buffer.column(1), 39)[3]).toBe(valueAt('float', 4, 1))
})

const wideFields = 999
const strings: readonly FieldType[] = Array.from({ length: wideFields + 1 }, (_, field) =>
  field === 0 ? 'float' : 'string',
)

test.each([
  ['first', 0],
  ['in the middle', 30_000],
  ['last', 59_999],
])('one line with 999 fields among 60,000 with one: %s', (_, wideRow) => {
  const has: Has = (row, field) => field === 0 || row === wideRow
  const narrow = new TableBuffer()
  const wide = new TableBuffer()
  for (const [from, end] of [
    [0, wideRow],
    [wideRow, wideRow + 1],
    [wideRow + 1, 60_000],
  ] as const) {
    append(narrow, from, end, strings.slice(0, 1), has)
    append(wide, from, end, end - from === 1 ? strings : strings.slice(0, 1), has)
  }
  expect(wide.bytes - narrow.bytes).toBeLessThan(wideFields * 300)
  expect(valuesOf(wide.column(500), 60_000).filter((value) => value !== null)).toEqual([
    valueAt('string', wideRow, 500),
  ])
  const copy = new TableBuffer()
  copy.appendRuns(wide, [0, 60_000])
  expect(copy.bytes).toBeLessThan(narrow.bytes + wideFields * 300)
})

test('a column with places loses them where its rows have become few, and gets them where they are many', () => {
  const buffer = new TableBuffer()
  append(buffer, 0, 100, ['float', 'float'], () => true)
  expect(buffer.column(1)).not.toBeInstanceOf(SparseCells)
  append(buffer, 100, 5_000, ['float', 'float'], (row, field) => field === 0 || row === 4_999)
  expect(buffer.column(1)).toBeInstanceOf(SparseCells)
  const sparseBytes = buffer.bytes
  append(buffer, 5_000, 9_000, ['float', 'float'], () => true)
  expect(buffer.column(1)).not.toBeInstanceOf(SparseCells)
  expect(buffer.bytes).toBeGreaterThan(sparseBytes + 9_000 * 9)
})

test('a column that is filled by small batches has places all the time, and is counted as what it takes', () => {
  const buffer = new TableBuffer()
  const always: Has = () => true
  append(buffer, 0, 20, ['float', 'string'], always)
  for (let row = 20; row < 3_000; row += 5) {
    append(buffer, row, row + 5, ['float', 'string'], always)
    expect(buffer.column(0)).not.toBeInstanceOf(SparseCells)
  }
  const atOnce = new TableBuffer()
  append(atOnce, 0, 3_000, ['float', 'string'], always)
  expect(valuesOf(buffer.column(1), 3_000)).toEqual(valuesOf(atOnce.column(1), 3_000))
  // There may be room for half as many rows again.
  expect(buffer.bytes / atOnce.bytes).toBeGreaterThanOrEqual(1)
  expect(buffer.bytes / atOnce.bytes).toBeLessThan(1.5)
})

test('a batch is said to take about what it takes', () => {
  for (const has of [() => true, (row: number, field: number) => field === 0 || row === 7] satisfies Has[]) {
    const { table } = tableOf(0, 300, strings, has)
    const buffer = new TableBuffer()
    append(buffer, 0, 300, strings, has)
    expect(buffer.bytes / bytesOfTable(table)).toBeGreaterThan(0.9)
    expect(buffer.bytes / bytesOfTable(table)).toBeLessThan(1.1)
  }
})
