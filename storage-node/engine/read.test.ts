import { expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import type { FileStore, StoredFile } from '../files/file-store.ts'
import type { FileEntry } from '../files/manifest.ts'
import type { QueryProcess } from '../query-process/client.ts'
import type { ReadJob, Rows } from '../query-process/messages.ts'
import { readBlocks } from './read.ts'

/** Promise: a part of a read that does not fit into memory is read in halves, and nothing is left out or comes twice. */

const entry: FileEntry = {
  name: 'a',
  databaseId: 'a',
  retentionPolicy: 'autogen',
  measurement: 'm',
  firstPosition: 1,
  lastPosition: 1,
  rows: 100,
  seriesCount: 10,
  minSeries: 0,
  maxSeries: 9,
  minTimeNs: '0',
  maxTimeNs: '9',
  fields: [0],
  sizeBytes: 1,
  sha256: '',
  sealedKey: '',
}
const file: StoredFile = { entry, path: 'a', minTimeNs: 0n, maxTimeNs: 9n }

/** Ten series, each with a row at each of ten times. */
function rowsOf({ seriesIds, minTimeNs, maxTimeNs }: ReadJob): Rows {
  const series: number[] = []
  const times: bigint[] = []
  for (const id of seriesIds)
    for (let timeNs = 0n; timeNs <= 9n; timeNs++) {
      if (timeNs < minTimeNs || timeNs > maxTimeNs) continue
      series.push(id)
      times.push(timeNs)
    }
  return {
    rowCount: series.length,
    columns: [
      { type: 'series', values: Uint32Array.from(series), present: null },
      { type: 'integer', values: BigInt64Array.from(times), present: null },
      { type: 'string', values: times.map(String), present: null },
    ],
  }
}

/** @param maxRows a job of more rows does not fit */
async function read(maxRows: number): Promise<string[]> {
  const queryProcess: Pick<QueryProcess, 'readParquet'> = {
    async *readParquet(job) {
      const rows = rowsOf(job)
      if (rows.rowCount > maxRows)
        throw new AppError('unavailable', 'ERR_QUERY_STATEMENT', 'the query process: Out of Memory Error')
      yield rows
    },
  }
  const store = { keyOf: () => new Uint8Array(32) }
  const blocks = readBlocks(
    {
      store: store as unknown as FileStore,
      queryProcess: queryProcess as QueryProcess,
      files: [file],
      tombstones: [],
      tables: [],
      fields: [{ number: 0, type: 'string' }],
      signal: new AbortController().signal,
    },
    { seriesIds: [...Array(10).keys()].toReversed(), minTimeNs: -(2n ** 63n), maxTimeNs: 2n ** 63n - 1n },
  )
  const points: string[] = []
  for await (const { seriesId, times } of blocks)
    for (const timeNs of times) points.push(`${seriesId} ${timeNs}`)
  return points
}

const all = [...Array(10).keys()]
  .toReversed()
  .flatMap((id) => [...Array(10).keys()].map((timeNs) => `${id} ${timeNs}`))

test.each([100, 60, 9, 3])('rows that fit at a time: %i', async (maxRows) => {
  expect(await read(maxRows)).toEqual(all)
})

test('what does not fit even alone is refused, and not cut for ever', async () => {
  await expect(read(0)).rejects.toMatchObject({ code: 'ERR_QUERY_MEMORY' })
})
