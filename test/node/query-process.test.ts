import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { silentLogger } from '../../common/log.ts'
import { QueryProcess } from '../../storage-node/query-process/client.ts'
import { BlockStore } from '../../storage-node/query-process/block-store.ts'
import { Database } from '../../storage-node/query-process/database.ts'
import {
  settingsVariable,
  type ReadJob,
  type Response,
  type Rows,
} from '../../storage-node/query-process/messages.ts'
import { ReadTask } from '../../storage-node/query-process/read-task.ts'
import { querySettings } from '../support/query-settings.ts'
import { temporaryFolder } from './engine-support.ts'

/** Promise: a query process that ends takes its own jobs with it, and nothing that it did not do is taken for done. */

const key = new Uint8Array(32).fill(7)
const columns = [
  { name: 'series', type: 'series' as const },
  { name: 'time', type: 'integer' as const },
  { name: 'f0', type: 'float' as const },
]

function rowsOf(first: number): Rows {
  return {
    rowCount: 1,
    columns: [
      { type: 'series', values: Uint32Array.of(0), present: null },
      { type: 'integer', values: BigInt64Array.of(BigInt(first)), present: null },
      { type: 'float', values: Float64Array.of(first), present: null },
    ],
  }
}

const program = join(import.meta.dirname, '../../storage-node/query-process/main.ts')

async function startProcess(): Promise<QueryProcess> {
  return new QueryProcess({
    program,
    settings: await querySettings(),
    clock: systemClock,
    log: silentLogger,
  })
}

async function children(): Promise<number[]> {
  const text = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number)
}

function readJob(path: string): ReadJob {
  return {
    files: [
      { path, key, order: 1, minTimeNs: 0n, maxTimeNs: 10n, stringBytes: 0, columns: ['f0'], deleted: [] },
    ],
    seriesIds: [0],
    columns: [{ name: 'f0', type: 'float' }],
    minTimeNs: 0n,
    maxTimeNs: 10n,
    matching: { comparisons: [], beforeNs: 0n },
  }
}

test('a write whose process is killed between two batches fails, and its file is not taken for whole', async () => {
  await using folder = await temporaryFolder()
  const queryProcess = await startProcess()
  async function* batches(): AsyncGenerator<Rows> {
    yield rowsOf(1)
    const pids = await children()
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    // The next batch comes after the exit was noticed.
    while ((await children()).some((pid) => pids.includes(pid))) await new Promise(setImmediate)
    await new Promise((resolve) => setTimeout(resolve, 100))
    yield rowsOf(2)
  }
  await expect(
    queryProcess.writeParquet(join(folder.path, 'a'), key, columns, batches()),
  ).rejects.toMatchObject({ code: 'ERR_QUERY_PROCESS' })
  await queryProcess.writeParquet(join(folder.path, 'b'), key, columns, [rowsOf(3)])
  const read: number[] = []
  for await (const { columns: found } of queryProcess.readParquet(
    readJob(join(folder.path, 'b')),
    new AbortController().signal,
  ))
    if (found[0]?.type === 'float') read.push(...found[0].values)
  expect(read).toEqual([3])
  await queryProcess.close()
})

test('a job that comes while the process is being killed for being idle gets a process of its own', async () => {
  await using folder = await temporaryFolder()
  let wake = (): void => undefined
  const clock = {
    ...systemClock,
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        wake = resolve
        signal?.addEventListener('abort', () => reject(signal.reason))
      }),
  }
  const queryProcess = new QueryProcess({
    program: join(import.meta.dirname, '../../storage-node/query-process/main.ts'),
    settings: await querySettings(),
    clock,
    log: silentLogger,
  })
  await queryProcess.writeParquet(join(folder.path, 'a'), key, columns, [rowsOf(1)])
  wake()
  // Two turns of the microtask queue later the signal is sent, and the exit is not noticed yet.
  await Promise.resolve()
  await Promise.resolve()
  await expect(
    queryProcess.writeParquet(join(folder.path, 'b'), key, columns, [rowsOf(2)]),
  ).resolves.not.toThrow()
  await queryProcess.close()
})

test('a statement that DuckDB refuses is told from a process that is gone', async () => {
  const queryProcess = await startProcess()
  const reading = queryProcess.readParquet(readJob('/nowhere'), new AbortController().signal)
  await expect(reading.next()).rejects.toMatchObject({ code: 'ERR_QUERY_STATEMENT' })
  await queryProcess.close()
  await expect(
    queryProcess.readParquet(readJob('/nowhere'), new AbortController().signal).next(),
  ).rejects.toMatchObject({ code: 'ERR_QUERY_PROCESS' })
})

test('a read that is cancelled before it begins asks nothing', async () => {
  const database = await Database.open(await querySettings())
  const replies: Response[] = []
  const store = new BlockStore(database, 1024)
  const task = new ReadTask(store, 1, async (response) => void replies.push(response))
  task.cancel()
  await expect(task.run(readJob('/nowhere'))).resolves.toBeUndefined()
  expect(replies).toEqual([])
})

test.each([0, 50, 150, 300, 1_000])(
  'it ends when its parent is gone after %i ms, ready or not',
  async (ms) => {
    const env = { [settingsVariable]: JSON.stringify(await querySettings()) }
    const child = fork(program, [], { serialization: 'advanced', env })
    const gone = once(child, 'exit')
    await sleep(ms)
    child.disconnect()
    expect(await gone).toEqual([0, null])
  },
)
