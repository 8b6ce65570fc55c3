import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SeriesRun } from '../engine/series-runs.ts'
import { isDeleted, type DeletedArea } from '../engine/tombstones.ts'
import { pack, type Block } from './block.ts'
import type { Blocks, WantedColumn } from './block-store.ts'
import { directoryOf, type Directory, type RowRange } from './directory.ts'
import { JobRows } from './job-rows.ts'
import type { ReadJob, SourceFile } from './messages.ts'
import { tries } from '../../test/support/tries.ts'

// Attacks the promise that a job's rows are its points, each once with the newest value of each field, in order, however
// files overlap, rows fall into blocks, and the memory for what is put together is small.

type MadeValues = Readonly<Record<string, number>>

interface Row {
  readonly series: number
  readonly time: number
  readonly values: MadeValues
}

interface MadeFile {
  readonly rows: readonly Row[]
  readonly deleted: readonly DeletedArea[]
}

const blockRows = 3
const names = ['f0', 'f1', 'f2']
const latest = 8

/** Files in memory, in small blocks. Of blocks nothing is known until they were loaded, and of some not even then. */
class MemoryBlocks implements Blocks {
  readonly #files: ReadonlyMap<string, MadeFile>
  readonly #known = new Set<string>()
  largestLoad = 0

  constructor(files: ReadonlyMap<string, MadeFile>) {
    this.#files = files
  }

  blockRows(): number {
    return blockRows
  }

  async directory({ path }: SourceFile): Promise<Directory> {
    return directoryOf([Uint32Array.from(this.#files.get(path)!.rows, ({ series }) => series)])
  }

  known(file: SourceFile, column: WantedColumn, index: number): Block | undefined {
    return this.#known.has(`${file.path} ${column.name} ${index}`)
      ? this.#block(file, column, index)
      : undefined
  }

  async load(
    file: SourceFile,
    columns: readonly WantedColumn[],
    _directory: Directory,
    { from, end }: RowRange,
  ): Promise<readonly Block[]> {
    if (from >= end) throw new RangeError('nothing to load')
    for (let index = from; index < end; index++)
      if (index % 3 !== 1) for (const { name } of columns) this.#known.add(`${file.path} ${name} ${index}`)
    return columns.map((column) => this.#block(file, column, from))
  }

  #block({ path }: SourceFile, { name }: WantedColumn, index: number): Block {
    const rows = this.#files.get(path)!.rows.slice(index * blockRows, (index + 1) * blockRows)
    if (rows.length === 0) throw new RangeError('a block past the end of the file')
    if (name === 'time')
      return pack({
        type: 'integer',
        values: BigInt64Array.from(rows, ({ time }) => BigInt(time)),
        present: null,
      })
    return pack({
      type: 'float',
      values: Float64Array.from(rows, ({ values }) => values[name] ?? 0),
      present: Uint8Array.from(rows, ({ values }) => (values[name] === undefined ? 0 : 1)),
    })
  }
}

const row = fc.record({
  series: fc.nat({ max: 3 }),
  time: fc.integer({ min: -latest, max: latest }),
  values: fc.dictionary(fc.constantFrom(...names), fc.integer({ min: 0, max: 9 })),
})

const area: fc.Arbitrary<DeletedArea> = fc.record({
  series: fc.constantFrom(null, [1, 3], [0, 0, 2, 3]),
  minTimeNs: fc.bigInt({ min: -9n, max: 3n }),
  maxTimeNs: fc.bigInt({ min: -3n, max: 9n }),
})

const file: fc.Arbitrary<MadeFile> = fc.record({
  rows: fc
    .uniqueArray(row, {
      minLength: 1,
      maxLength: 40,
      size: 'large',
      selector: ({ series, time }) => `${series} ${time}`,
    })
    .map((rows) => rows.toSorted((a, b) => a.series - b.series || a.time - b.time)),
  deleted: fc.array(area, { maxLength: 2 }),
})

/**
 * Of each file the rows of its part of the time, which ends where the next one's begins.
 * @param overlap how much of its neighbours' parts each has too, below one half
 */
const inTime = (files: readonly MadeFile[], overlap: number): readonly MadeFile[] =>
  files
    .map(({ rows, deleted }, index) => ({
      rows: rows.filter(({ time }) => {
        const part = ((time + latest) / (2 * latest)) * files.length
        return part >= index - overlap && part <= index + 1 + overlap
      }),
      deleted,
    }))
    .filter(({ rows }) => rows.length > 0)

const isMatch = (values: MadeValues, { columns, matching }: ReadJob): boolean =>
  matching.comparisons.every(({ column, value }) => (values[columns[column]!.name] ?? -1) > Number(value))

/** What a map of points says, written over file by file. */
function expected(files: readonly MadeFile[], job: ReadJob): string[] {
  const points = new Map<string, Record<string, number>>()
  for (const { rows, deleted } of files)
    for (const { series, time, values } of rows) {
      if (isDeleted(deleted, series, BigInt(time))) continue
      const key = `${series} ${time}`
      points.set(key, { ...points.get(key), ...values })
    }
  return job.seriesIds.flatMap((series) =>
    Array.from({ length: 2 * latest + 1 }, (_, index) => index - latest)
      .filter((time) => BigInt(time) >= job.minTimeNs && BigInt(time) <= job.maxTimeNs)
      .map((time) => ({ time, values: points.get(`${series} ${time}`) ?? {} }))
      .filter(({ values }) => job.columns.some(({ name }) => values[name] !== undefined))
      .filter(({ time, values }) => BigInt(time) >= job.matching.beforeNs || isMatch(values, job))
      .map(
        ({ time, values }) =>
          `${series} ${time} ${job.columns.map(({ name }) => values[name] ?? '-').join(' ')}`,
      ),
  )
}

async function found(
  files: ReadonlyMap<string, MadeFile>,
  job: ReadJob,
  maxCells: number,
): Promise<string[]> {
  const rows: string[] = []
  const jobRows = new JobRows(job, () => false, maxCells)
  let isShown = true
  const show = ({ seriesId, run }: SeriesRun): void => {
    isShown = true
    for (const [index, time] of run.times.entries()) {
      const values = run.columns.map((column) =>
        column === null || column.present?.[index] === 0 ? '-' : String(column.values[index]),
      )
      rows.push(`${seriesId} ${time} ${values.join(' ')}`)
    }
  }
  // Some are looked at later: their memory has to last until then.
  let count = 0
  await jobRows.each(new MemoryBlocks(files), (run) => {
    expect(isShown).toBe(true)
    isShown = false
    if (count++ % 3 > 0) return setImmediate().then(() => show(run))
    show(run)
    return undefined
  })
  return rows
}

describe('rows of a job', () => {
  test('are its points', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { minLength: 1, maxLength: 4 }).chain((files) => {
          const arranged = [0, 0.2, 0.45].map((overlap) => inTime(files, overlap))
          return fc.constantFrom(files, ...arranged, ...arranged.map((each) => each.toReversed()))
        }),
        fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 1 }),
        fc.subarray(names, { minLength: 1 }),
        fc.tuple(fc.integer({ min: -12, max: 4 }), fc.integer({ min: -4, max: 12 })),
        fc.constantFrom(1, 20, 1_000),
        fc.boolean(),
        fc.constantFrom(
          [],
          [{ column: 0, operator: '>' as const, value: 4 }],
          [0, 6].map((value) => ({ column: 0, operator: '>' as const, value })),
        ),
        fc.bigInt({ min: -9n, max: 9n }),
        async (files, series, columns, [minTime, maxTime], maxCells, areSorted, comparisons, beforeNs) => {
          // A SELECT may ask in any order.
          const seriesIds = areSorted ? series.toSorted((a, b) => a - b) : series
          const made = new Map(files.map((each, index) => [`file ${index}`, each]))
          const job: ReadJob = {
            files: [...made].map(([path, { rows, deleted }], order) => ({
              path,
              key: new Uint8Array(32),
              order,
              minTimeNs: rows.reduce((min, { time }) => (BigInt(time) < min ? BigInt(time) : min), 99n),
              maxTimeNs: rows.reduce((max, { time }) => (BigInt(time) > max ? BigInt(time) : max), -99n),
              stringBytes: 0,
              columns: names.filter((name) => rows.some(({ values }) => values[name] !== undefined)),
              deleted,
            })),
            seriesIds,
            columns: columns.map((name) => ({ name, type: 'float' as const })),
            minTimeNs: BigInt(minTime),
            maxTimeNs: BigInt(maxTime),
            matching: { comparisons, beforeNs },
          }
          expect(await found(made, job, maxCells)).toEqual(expected(files, job))
        },
      ),
      tries(1_500),
    )
  })

  test('of one long series end with the job', async () => {
    const made = new Map(
      [0, 1, 2].map((part): [string, MadeFile] => {
        const rows = Array.from({ length: 9 }, (_, row) => ({
          series: 0,
          time: 10 * part + row,
          values: { f0: row },
        }))
        return [`file ${part}`, { rows, deleted: [] }]
      }),
    )
    const files = [...made.keys()].map((path, part) => ({
      path,
      key: new Uint8Array(32),
      order: part,
      minTimeNs: BigInt(10 * part),
      maxTimeNs: BigInt(10 * part + 8),
      stringBytes: 0,
      columns: ['f0'],
      deleted: [],
    }))
    const job: ReadJob = {
      files,
      seriesIds: [0],
      columns: [{ name: 'f0', type: 'float' }],
      minTimeNs: -99n,
      maxTimeNs: 99n,
      matching: { comparisons: [], beforeNs: -99n },
    }
    let seen = 0
    await new JobRows(job, () => seen === 2).each(new MemoryBlocks(made), async () => void seen++)
    expect(seen).toBe(2)
  })
})
