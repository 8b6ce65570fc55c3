import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseLines } from '../line-protocol/parse.ts'
import { tagsOfKey } from '../line-protocol/series-key.ts'
import type { BufferColumn } from './buffer-column.ts'
import { countThrough, mergeRuns, partOfRun, type Run } from './merge.ts'
import { SortedRows } from './sorted-rows.ts'
import { SparseCells } from './sparse-cells.ts'
import { TableBuffer } from './table-buffer.ts'
import { copyCell, newVector } from './vector.ts'
import { tries } from '../../test/support/tries.ts'

/** Promise: of two values for one time and field the newer counts, and nothing else changes place or value. */

type Points = ReadonlyMap<number, readonly (number | null)[]>

function runOf(points: Points, fields: number): Run {
  const times = [...points.keys()].sort((a, b) => a - b)
  return {
    times: BigInt64Array.from(times, BigInt),
    columns: Array.from({ length: fields }, (_, field) => {
      const values = times.map((time) => points.get(time)![field] ?? null)
      if (values.every((value) => value === null)) return null
      return {
        type: 'float' as const,
        values: Float64Array.from(values, (value) => value ?? 0),
        present: Uint8Array.from(values, (value) => (value === null ? 0 : 1)),
      }
    }),
  }
}

function pointsOf(run: Run): Map<number, (number | null)[]> {
  return new Map(
    Array.from(run.times, (time, row) => [
      Number(time),
      run.columns.map((column) =>
        column?.type === 'float' && column.present?.[row] !== 0 ? column.values[row]! : null,
      ),
    ]),
  )
}

const values = fc.tuple(fc.option(fc.integer()), fc.option(fc.integer()))
const arbitraryPoints = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 20 }), values))
  .map((list): Points => new Map(list))

describe('mergeRuns', () => {
  test('is what writing one map over the other field by field gives', () => {
    fc.assert(
      fc.property(arbitraryPoints, arbitraryPoints, (older, newer) => {
        const expected = new Map<number, (number | null)[]>()
        for (const time of [...new Set([...older.keys(), ...newer.keys()])].sort((a, b) => a - b))
          expected.set(
            time,
            [0, 1].map((field) => newer.get(time)?.[field] ?? older.get(time)?.[field] ?? null),
          )
        const merged = mergeRuns(['float', 'float'], runOf(older, 2), runOf(newer, 2))
        expect([...pointsOf(merged)]).toEqual([...expected])
      }),
      tries(),
    )
  })

  test('a part of a run without a value of a column has no column', () => {
    const run = runOf(
      new Map([
        [1, [1, null]],
        [2, [null, 5]],
      ]),
      2,
    )
    expect(partOfRun(run, 0, 1).columns.map((column) => column !== null)).toEqual([true, false])
    expect([...pointsOf(partOfRun(run, 1, 2))]).toEqual([[2, [null, 5]]])
  })

  test.each([
    [0n, 0],
    [1n, 1],
    [4n, 2],
    [9n, 3],
    [10n, 3],
  ])('countThrough %s', (timeNs, count) => {
    expect(countThrough(BigInt64Array.of(1n, 3n, 9n), timeNs)).toBe(count)
  })
})

function valueOf(column: BufferColumn, row: number): unknown {
  const vector = newVector(column.type, 1)
  if (column instanceof SparseCells) column.copyCell(row, vector, 0)
  else copyCell(column, row, vector, 0)
  return vector.values[0]
}

describe('a table of the buffer', () => {
  const buffer = new TableBuffer()
  const fill = (lines: string, rows: readonly number[] | null) => {
    const [table] = parseLines(Buffer.from(lines), 'ns', 0n).tables
    const ids = Uint32Array.from(table!.series, ({ key }) => Number(tagsOfKey(key)[0]![1]))
    buffer.append(
      table!,
      ids,
      table!.columns.map(({ name }) => Number(name.slice(1))),
      rows,
    )
  }
  fill('m,t=7 f0=1 30\nm,t=7 f0=2,f1=3 10\nm,t=4 f1=4 20', null)
  fill(Array.from({ length: 40 }, (_, k) => `m,t=4 f2="${k}" ${k}`).join('\n'), [5, 6])
  fill('m,t=7 f0=9 10', null)

  const all = { seriesIds: null, fields: null, minTimeNs: 0n, maxTimeNs: 100n }

  test('gives rows by series and time, equal times in the order in which they came', () => {
    const sorted = SortedRows.of(buffer, all)
    expect([...sorted.seriesIds]).toEqual([4, 7])
    expect([...sorted.rowsOf(7)].map((row) => [buffer.times[row], valueOf(buffer.column(0)!, row)])).toEqual([
      [10n, 2],
      [10n, 9],
      [30n, 1],
    ])
    expect([...sorted.rowsOf(4)].map((row) => buffer.times[row])).toEqual([5n, 6n, 20n])
    expect(sorted.rowsOf(99)).toHaveLength(0)
  })

  test('gives only what was asked for', () => {
    const counts = (selection: object) => {
      const sorted = SortedRows.of(buffer, { ...all, ...selection })
      return [...sorted.seriesIds].map((id) => [id, sorted.rowsOf(id).length])
    }
    expect(counts({ seriesIds: [7, 99] })).toEqual([[7, 3]])
    expect(counts({ minTimeNs: 6n, maxTimeNs: 10n })).toEqual([
      [4, 1],
      [7, 2],
    ])
    expect(counts({ fields: [1] })).toEqual([
      [4, 1],
      [7, 1],
    ])
    expect(counts({ fields: [99] })).toEqual([])
  })
})
