import { join } from 'node:path'
import { expect, test } from 'vitest'
import { textLength } from '../../storage-node/aggregation/series-windows.ts'
import { AggregateTask } from '../../storage-node/query-process/aggregate-task.ts'
import { BlockStore, timeColumn } from '../../storage-node/query-process/block-store.ts'
import { Database } from '../../storage-node/query-process/database.ts'
import type { NamedColumn, ReadJob, Response } from '../../storage-node/query-process/messages.ts'
import { WriteTask } from '../../storage-node/query-process/write-task.ts'
import { querySettings } from '../support/query-settings.ts'
import { temporaryFolder } from './engine-support.ts'

/**
 * Promise: of texts as long as they may be no more is in the query process at a time than a part of what it may keep: they
 * come in blocks that are small, and go out in messages that are.
 */

const key = new Uint8Array(32).fill(3)
const mebibyte = 1_048_576
const cacheBytes = 16 * mebibyte
const rowCount = 120
const textBytes = 64_000
const textOf = (row: number): string => `${row} `.padEnd(textBytes, String.fromCharCode(97 + (row % 26)))
const columns: readonly NamedColumn[] = [
  { name: 'series', type: 'series' },
  { name: 'time', type: 'integer' },
  { name: 'f0', type: 'string' },
]

async function written(database: Database, path: string): Promise<ReadJob> {
  const task = await WriteTask.begin(database, 1, columns)
  await task.append({
    rowCount,
    columns: [
      { type: 'series', values: Uint32Array.from({ length: rowCount }, (_, row) => row), present: null },
      { type: 'integer', values: new BigInt64Array(rowCount), present: null },
      { type: 'string', values: Array.from({ length: rowCount }, (_, row) => textOf(row)), present: null },
    ],
  })
  await task.finish(path, key)
  const file = { path, key, order: 1, minTimeNs: 0n, maxTimeNs: 0n, deleted: [] }
  return {
    files: [{ ...file, stringBytes: rowCount * textBytes, columns: ['f0'] }],
    seriesIds: Array.from({ length: rowCount }, (_, series) => series),
    columns: [{ name: 'f0', type: 'string' }],
    minTimeNs: 0n,
    maxTimeNs: 0n,
    matching: { comparisons: [], beforeNs: 0n },
  }
}

test('texts of 64 KB come in small blocks and go out in small messages', async () => {
  await using folder = await temporaryFolder()
  const database = await Database.open(await querySettings({ blockCacheBytes: cacheBytes }))
  const read = await written(database, join(folder.path, 'a.parquet'))
  const [file] = read.files
  const store = new BlockStore(database, cacheBytes)
  const directory = await store.directory(file!)
  const text = { name: 'f0', type: 'string' } as const
  const [, block] = await store.load(file!, [timeColumn, text], directory, { from: 0, end: 1 })
  expect(block!.sizeBytes).toBeLessThan(cacheBytes / 8)
  expect(store.known(file!, text, 0)).toBe(block)

  const messages: Extract<Response, { kind: 'windows' }>[] = []
  const task = new AggregateTask(store, 1, async (response) => {
    if (response.kind === 'windows') messages.push(response)
  })
  await task.run({
    read,
    aggregation: {
      windowing: { durationNs: 0n, offsetNs: 0n },
      types: ['string'],
      measures: [{ field: 'f0', statistics: ['first', 'last'] }],
    },
  })
  const lengths = messages.map(({ windows }) => windows.reduce((sum, each) => sum + textLength(each), 0))
  expect(Math.max(...lengths)).toBeLessThan(2 * mebibyte)
  const all = messages.flatMap(({ windows }) => windows)
  const wrong = all.filter(({ seriesId, fields }) => fields[0]!.last!.values[0] !== textOf(seriesId))
  expect([all.length, wrong.length]).toEqual([rowCount, 0])
})
