import { setPriority } from 'node:os'
import { systemClock } from '../../common/clock.ts'
import { idleCollection } from '../../common/idle-collection.ts'
import { chooseCollectorFlags } from '../../common/collector-flags.ts'
import { settingsVariable, type Request, type Response, type Settings } from './messages.ts'
import { BlockStore } from './block-store.ts'
import { Database } from './database.ts'
import { goFirstWhenMemoryRunsOut } from '../disk/oom-score.ts'
import { messageOf, unreachable } from '../../common/errors.ts'
import { AggregateTask } from './aggregate-task.ts'
import { ReadTask } from './read-task.ts'
import { WriteTask } from './write-task.ts'

/** Beside the engine's process, which has 0, it gets a quarter of a processor that both want. */
const niceness = 5

/**
 * The query process: DuckDB, apart from the engine, so that a statement that goes wrong takes nothing with it. It is
 * forked by the engine, speaks only over its IPC channel, and ends when that closes.
 */
process.on('disconnect', () => process.exit(0))
// The parent may have ended while this process was starting, and whoever asks for nothing would be there forever.
if (!process.connected) process.exit(0)
await goFirstWhenMemoryRunsOut()
// Where processors are short, writes come before queries. Threads that are made from here on have the same.
setPriority(niceness)
const settings = JSON.parse(process.env[settingsVariable] ?? '{}') as Settings
chooseCollectorFlags(settings.podMemoryBytes)
const database = await Database.open(settings)
const store = new BlockStore(database, settings.blockCacheBytes)
const writes = new Map<number, WriteTask>()
/** Reads and aggregations, which answer by themselves as long as they are under way. */
const tasks = new Map<number, Task>()

interface Task {
  cancel(): void
  /** The engine takes another message. */
  more?(): void
}

/** Resolves when the channel has taken the message: what waits to be sent stays bounded. */
function reply(response: Response): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) return resolve()
    process.send!(response, undefined, {}, () => resolve())
  })
}

/** @throws if there is none: nothing may be taken for written that is not */
function writeOf(job: number): WriteTask {
  const task = writes.get(job)
  if (task) return task
  throw new Error(`there is no write of job ${job}`)
}

async function run(job: number, task: Task, work: Promise<void>): Promise<void> {
  tasks.set(job, task)
  try {
    await work
  } finally {
    tasks.delete(job)
  }
  await reply({ kind: 'done', job })
}

async function handle(request: Request): Promise<void> {
  const { job } = request
  switch (request.kind) {
    case 'write-begin':
      writes.set(job, await WriteTask.begin(database, job, request.columns))
      return reply({ kind: 'done', job })
    case 'write-rows':
      await writeOf(job).append(request.rows)
      return reply({ kind: 'done', job })
    case 'write-finish':
      await writeOf(job).finish(request.path, request.key)
      writes.delete(job)
      return reply({ kind: 'done', job })
    case 'read': {
      const task = new ReadTask(store, job, reply)
      return run(job, task, task.run(request.read))
    }
    case 'aggregate': {
      const task = new AggregateTask(store, job, reply)
      return run(job, task, task.run(request.aggregate))
    }
    case 'more':
      return tasks.get(job)?.more?.()
    case 'cancel':
      if (tasks.has(job)) return tasks.get(job)?.cancel()
      await writes.get(job)?.drop()
      writes.delete(job)
      return reply({ kind: 'done', job })
    default:
      return unreachable(request)
  }
}

// What the last reads and writes have left behind.
await idleCollection(systemClock).start()
process.on('message', (request: Request) => {
  handle(request).catch(async (error: unknown) => {
    await writes.get(request.job)?.drop()
    writes.delete(request.job)
    await reply({ kind: 'failed', job: request.job, message: messageOf(error) })
  })
})
// The parent decides when this process ends: a terminal's interrupt reaches both, and the parent still has to flush.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
