import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BlockStore } from '../../storage-node/query-process/block-store.ts'
import { Database } from '../../storage-node/query-process/database.ts'
import { JobRows } from '../../storage-node/query-process/job-rows.ts'
import type { NamedColumn, ReadJob, Rows } from '../../storage-node/query-process/messages.ts'
import { WriteTask } from '../../storage-node/query-process/write-task.ts'
import { querySettings } from '../support/query-settings.ts'
import { temporaryFolder } from './engine-support.ts'

// Attacks the promise that a file gives back what was written, wherever its blocks begin and however little is kept:
// series that go over several blocks, more columns than one statement reads, and memory for less than is asked at once.

const key = new Uint8Array(32).fill(3)
const rowsPerSeries = [1, 30_000, 20_479, 2, 50_000]
const rowCount = rowsPerSeries.reduce((a, b) => a + b)
const columnCount = 60

const columns: readonly NamedColumn[] = [
  { name: 'series', type: 'series' },
  { name: 'time', type: 'integer' },
  ...Array.from({ length: columnCount }, (_, index) => ({ name: `f${index}`, type: 'float' as const })),
]

const valueAt = (column: number, row: number): number =>
  column % 2 === 0 ? (row * (column + 1)) % 1_000 : (row % 7) / (column + 1)

function* batches(): Generator<Rows> {
  const series = Uint32Array.from(
    rowsPerSeries.flatMap((count, id) => Array.from({ length: count }, () => id)),
  )
  for (let from = 0; from < rowCount; from += 4_096) {
    const count = Math.min(4_096, rowCount - from)
    yield {
      rowCount: count,
      columns: [
        { type: 'series', values: series.slice(from, from + count), present: null },
        {
          type: 'integer',
          values: BigInt64Array.from({ length: count }, (_, k) => BigInt(from + k)),
          present: null,
        },
        ...Array.from({ length: columnCount }, (_, column) => ({
          type: 'float' as const,
          values: Float64Array.from({ length: count }, (__, k) => valueAt(column, from + k)),
          present: null,
        })),
      ],
    }
  }
}

async function written(database: Database, path: string): Promise<void> {
  const task = await WriteTask.begin(database, 1, columns)
  for (const rows of batches()) await task.append(rows)
  await task.finish(path, key)
}

const jobOf = (path: string, changes: Partial<ReadJob>): ReadJob => ({
  files: [
    {
      path,
      key,
      order: 1,
      minTimeNs: 0n,
      maxTimeNs: BigInt(rowCount),
      stringBytes: 0,
      columns: columns.slice(2).map(({ name }) => name),
      deleted: [],
    },
  ],
  seriesIds: rowsPerSeries.map((_, id) => id),
  columns: columns.slice(2).map(({ name }) => ({ name, type: 'float' })),
  minTimeNs: 0n,
  maxTimeNs: BigInt(rowCount),
  matching: { comparisons: [], beforeNs: 0n },
  ...changes,
})

/** @returns how many rows came, all of them with the values that were written */
async function read(store: BlockStore, job: ReadJob): Promise<number> {
  let count = 0
  let wrong = 0
  await new JobRows(job, () => false).each(store, ({ run }) => {
    for (const [index, time] of run.times.entries()) {
      count++
      for (const [place, { name }] of job.columns.entries())
        if (run.columns[place]?.values[index] !== valueAt(Number(name.slice(1)), Number(time))) wrong++
    }
    return undefined
  })
  expect(wrong).toBe(0)
  return count
}

test.each([
  ['little memory, nothing kept', 64, 1],
  ['much memory, all kept', 512, 256],
])('%s', async (_, memoryMib, cacheMib) => {
  await using folder = await temporaryFolder()
  const database = await Database.open(
    await querySettings({ memoryLimitBytes: 512 * 1_048_576, blockCacheBytes: 0, threads: 2 }),
  )
  const path = join(folder.path, 'a.parquet')
  await written(database, path)
  const connection = await database.connect()
  await connection.run(`SET memory_limit = '${memoryMib}MiB'`)
  connection.closeSync()
  const store = new BlockStore(database, cacheMib * 1_048_576)
  for (let round = 0; round < 2; round++) {
    expect(await read(store, jobOf(path, {}))).toBe(rowCount)
    const some = [
      { name: 'f59', type: 'float' },
      { name: 'f2', type: 'float' },
    ] as const
    const middle = { minTimeNs: 29_990n, maxTimeNs: 30_010n, columns: some }
    expect(await read(store, jobOf(path, middle))).toBe(21)
    expect(await read(store, jobOf(path, { ...middle, seriesIds: [4, 2] }))).toBe(10)
  }
})

test('rows that are not in order are refused, whatever is asked of them', async () => {
  await using folder = await temporaryFolder()
  const database = await Database.open(await querySettings({ blockCacheBytes: 0 }))
  const path = join(folder.path, 'a.parquet')
  const task = await WriteTask.begin(database, 1, columns.slice(0, 3))
  await task.append({
    rowCount: 2,
    columns: [
      { type: 'series', values: Uint32Array.of(1, 1), present: null },
      { type: 'integer', values: BigInt64Array.of(6n, 5n), present: null },
      { type: 'float', values: Float64Array.of(1, 2), present: null },
    ],
  })
  await task.finish(path, key)
  const job = jobOf(path, { seriesIds: [1], columns: [{ name: 'f0', type: 'float' }] })
  await expect(read(new BlockStore(database, 1_000_000), job)).rejects.toThrow('do not rise')
})
