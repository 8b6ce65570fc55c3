import { readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import { createLogger, silentLogger } from '../../common/log.ts'
import { QueryProcess } from '../../storage-node/query-process/client.ts'
import type { ReadJob, Rows } from '../../storage-node/query-process/messages.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { allFiles, openEngine, readAll, temporaryFolder, write } from './engine-support.ts'
import { querySettings } from '../support/query-settings.ts'

/**
 * Promise: a flipped bit in a Parquet file is found by the read that comes upon it, wherever it is, and spoils no other
 * read. The engine then names the file (`engine.test.ts`).
 */

const queryProcess = new QueryProcess({
  program: join(import.meta.dirname, '../../storage-node/query-process/main.ts'),
  settings: await querySettings(),
  clock: systemClock,
  log: silentLogger,
})
afterAll(() => queryProcess.close())

const key = new Uint8Array(32).fill(5)
const fields = [
  { name: 'f0', type: 'float' as const },
  { name: 'f1', type: 'string' as const },
  { name: 'f2', type: 'boolean' as const },
]
const rowCount = 3_000
const number = Array.from({ length: rowCount }, (_, k) => k)
const rows: Rows = {
  rowCount,
  columns: [
    {
      type: 'series',
      values: Uint32Array.from(number, (k) => Math.floor((k * 5) / rowCount)),
      present: null,
    },
    { type: 'integer', values: BigInt64Array.from(number, BigInt), present: null },
    {
      type: 'float',
      values: Float64Array.from(number, (k) => k / 7),
      present: Uint8Array.from(number, (k) => Math.min(1, k % 3)),
    },
    { type: 'string', values: number.map((k) => `text${k % 13}`), present: null },
    { type: 'boolean', values: Uint8Array.from(number, (k) => k % 2), present: null },
  ],
}

async function read(path: string): Promise<string> {
  const job: ReadJob = {
    files: [
      {
        path,
        key,
        order: 1,
        minTimeNs: 0n,
        maxTimeNs: BigInt(rowCount),
        stringBytes: rowCount,
        columns: fields.map(({ name }) => name),
        deleted: [],
      },
    ],
    seriesIds: [0, 1, 2, 3, 4],
    columns: fields,
    minTimeNs: 0n,
    maxTimeNs: BigInt(rowCount),
    matching: { comparisons: [], beforeNs: 0n },
  }
  const read: string[] = []
  for await (const { series, times, columns } of queryProcess.readParquet(job, AbortSignal.timeout(60_000)))
    for (const [row, time] of times.entries()) {
      const values = columns.map((column) => (column?.present?.[row] === 0 ? '-' : column?.values[row]))
      read.push(`${series[row]} ${time} ${values.join(' ')}`)
    }
  return read.join()
}

/** Every byte of what says how to read the file; of the rest one in so many. */
const every = process.env['HOLDFAST_EVERY_BYTE'] ? 1 : 32

test('of a file, whatever bit is flipped', async () => {
  await using folder = await temporaryFolder()
  const good = join(folder.path, 'good.parquet')
  const columns = [
    { name: 'series', type: 'series' as const },
    { name: 'time', type: 'integer' as const },
    ...fields,
  ]
  await queryProcess.writeParquet(good, key, columns, [rows])
  const bytes = await readFile(good)
  const truth = await read(good)
  const footer = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8)
  // Magic bytes and the name of the cipher: DuckDB takes neither from there.
  const unread = new Set([0, 1, 2, 3, footer + 1, footer + 2, footer + 3, footer + 4])
  const lengths = Array.from({ length: footer + 64 }, (_, at) => at).filter((at) => at < 64 || at >= footer)
  const rest = Array.from({ length: Math.floor(bytes.length / every) }, (_, index) => index * every)
  let found = 0
  let fatal = 0
  for (const at of new Set([...lengths, ...rest, bytes.length - 1, bytes.length - 8])) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 1 << (at % 8)
    // Each under a name of its own: DuckDB keeps parts of files that it has read.
    const path = join(folder.path, `${at}.parquet`)
    await writeFile(path, damaged)
    const error = await read(path).then(
      (values) => (values === truth ? null : expect.unreachable(`byte ${at}: wrong values`)),
      (thrown: unknown) => thrown,
    )
    await rm(path)
    if (unread.has(at) && error === null) continue
    expect(error, `byte ${at}`).toMatchObject({ code: 'ERR_QUERY_STATEMENT' })
    found++
    // Some make DuckDB give up altogether: the next read has a new process.
    if (!(error instanceof AppError) || !error.message.includes('INTERNAL Error')) continue
    fatal++
    expect(await read(good)).toBe(truth)
  }
  expect(found).toBeGreaterThan(150)
  expect(fatal).toBeGreaterThan(0)
})

test('of a file that would be merged: the merge fails, all that there was stays, reads name the file', async () => {
  await using folder = await temporaryFolder()
  const clock = new FakeClock()
  const said: string[] = []
  const log = createLogger('engine', { destination: { write: (line) => said.push(line) } })
  const engine = await openEngine(folder.path, { clock, log })
  for (let round = 0; round < 9; round++) {
    const lines = Array.from(
      { length: 200 },
      (_, k) => `m,t=${k % 5} v=${round * 1_000 + k}.5 ${round * 200 + k}`,
    )
    await write(engine, lines.join('\n'))
    await engine.flush()
  }
  const files = [...(await allFiles(join(folder.path, 'files')))].filter(([path]) =>
    path.endsWith('.parquet'),
  )
  const [path, content] = files[4]!
  content[Math.floor(content.length / 2)]! ^= 4
  await writeFile(path, content)
  const damaged = { kind: 'corrupt', message: expect.stringContaining(`${basename(path)} is damaged`) }
  await clock.advance(5_000)
  await expect.poll(() => said.join('')).toContain('files could not be compacted')
  expect(said.join('')).toContain(`${basename(path)} is damaged`)
  expect([...(await allFiles(join(folder.path, 'files'))).keys()]).toEqual(
    expect.arrayContaining(files.map(([name]) => name)),
  )
  expect(engine.stats().files).toBe(9)
  await expect(readAll(engine)).rejects.toMatchObject(damaged)
  expect(await readAll(engine, { maxTimeNs: 799n })).toHaveLength(800)
  await expect(readAll(engine, { minTimeNs: 900n, maxTimeNs: 900n })).rejects.toMatchObject(damaged)
  await engine.close()
})
