import { expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import { createLogger } from '../../common/log.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import type { FileStore, StoredFile } from '../files/file-store.ts'
import type { QueryProcess } from '../query-process/client.ts'
import type { FoundRows, ReadJob } from '../query-process/messages.ts'
import { Attachments } from './attachments.ts'
import { Catalog } from './catalog.ts'
import { Compactor } from './compactor.ts'
import type { DiskGuard } from './disk-guard.ts'
import type { EngineOptions } from './options.ts'
import { StoredDatabase } from './stored-database.ts'
import { everyTimeNs, type Tombstone } from './tombstones.ts'

/** Promise: a compaction that fails keeps no other from its turn, nor deletes from the disk, and is tried ever more seldom. */

const measurements = ['x', 'y', 'z']

async function* noRows(): AsyncGenerator<FoundRows> {}

function fileOf(name: string, measurement: string, position: number): StoredFile {
  const entry = {
    name,
    databaseId: 'a',
    retentionPolicy: 'autogen',
    measurement,
    firstPosition: position,
    lastPosition: position,
    rows: 10,
    seriesCount: 1,
    minSeries: measurements.indexOf(measurement),
    maxSeries: measurements.indexOf(measurement),
    minTimeNs: '0',
    maxTimeNs: '9',
    fields: [0],
    sizeBytes: 1,
    stringBytes: 0,
    sha256: '',
    sealedKey: '',
  }
  return { entry, path: name, minTimeNs: 0n, maxTimeNs: 9n }
}

/** Of measurement x no rows can be read; other files have none left. */
function world() {
  const clock = new FakeClock()
  const logged: string[] = []
  const tried: string[] = []
  const tombstone = (measurement: string): Tombstone => ({
    position: 100,
    databaseId: 'a',
    retentionPolicy: null,
    measurement,
    series: null,
    ...everyTimeNs,
  })
  const store = {
    files: [
      ...Array.from({ length: 8 }, (_, k) => fileOf(`x${k}`, 'x', k + 1)),
      ...Array.from({ length: 8 }, (_, k) => fileOf(`y${k}`, 'y', k + 1)),
      fileOf('z', 'z', 1),
    ],
    tombstones: [tombstone('z')],
    checkpoint: 100,
    awaitFiles: () => () => undefined,
    keyOf: () => new Uint8Array(32),
    async isIntact() {
      return true
    },
    async commit(_: number, __: unknown, ___: unknown, replaced: ReadonlySet<string>) {
      store.files = store.files.filter(({ entry }) => !replaced.has(entry.name))
    },
  }
  const readParquet = (job: ReadJob): AsyncGenerator<FoundRows> => {
    tried.push(job.files.map(({ path }) => path).join())
    if (job.files.some(({ path }) => path.startsWith('x')))
      throw new AppError('unavailable', 'ERR_QUERY_STATEMENT', 'of x nothing can be read')
    return noRows()
  }
  const catalog = new Catalog()
  for (const name of measurements) {
    catalog.addField(name, 'v', 'float')
    catalog.addSeries(JSON.stringify([name]))
  }
  const compactor = new Compactor(
    {
      clock,
      memoryLimitBytes: 512 * 1024 * 1024,
      log: createLogger('test', { destination: { write: (line: string) => void logged.push(line) } }),
    } as unknown as EngineOptions,
    store as unknown as FileStore,
    { readParquet } as unknown as QueryProcess,
    { hasRoomFor: async () => true } as unknown as DiskGuard,
    (work) => work(),
  )
  const databases = new Map([['a', new StoredDatabase('a', catalog)]])
  const run = () => compactor.run(new Attachments([], null), databases, new AbortController().signal)
  return { clock, compactor, store, tried, logged, run, tombstone }
}

const xFiles = 'x0,x1,x2,x3,x4,x5,x6,x7'
const minuteMs = 60_000

test('others are made one, and deletes reach the disk, while one fails', async () => {
  const { compactor, store, tried, run } = world()
  await run()
  expect(tried).toEqual([xFiles, 'z'])
  await run()
  expect(tried).toEqual([xFiles, 'z', 'y0,y1,y2,y3,y4,y5,y6,y7'])
  expect(store.files.map(({ entry }) => entry.name).join()).toBe(xFiles)
  expect(compactor.waitingFiles).toBe(8)
})

test('it is tried again after ten minutes, then after twenty, and told once', async () => {
  const { clock, tried, logged, run } = world()
  const attempts = () => tried.filter((each) => each === xFiles).length
  const seen: number[] = []
  for (let minute = 0; minute <= 31; minute++) {
    await run()
    seen.push(attempts())
    clock.jump(minuteMs)
  }
  expect([seen[0], seen[9], seen[10], seen[29], seen[30]]).toEqual([1, 1, 2, 2, 3])
  const told = logged.filter((line) => line.includes('files could not be compacted'))
  expect(told).toHaveLength(1)
  expect(told[0]).toContain('of x nothing can be read')
})

test('a file that cannot be written again does not keep its deletes from the others', async () => {
  const { store, tombstone, tried, run } = world()
  store.tombstones = [tombstone('x'), tombstone('z')]
  await run()
  await run()
  await run()
  expect(tried.slice(0, 2)).toEqual([xFiles, 'x0'])
  for (let round = 0; round < 8; round++) await run()
  expect(tried).toContain('z')
})

test('what is gone from the store does not wait any more', async () => {
  const { compactor, store, run } = world()
  await run()
  store.files = []
  await run()
  expect(compactor.waitingFiles).toBe(0)
})
