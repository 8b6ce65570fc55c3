import { fork, type ChildProcess } from 'node:child_process'
import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { SeriesWindows } from '../aggregation/series-windows.ts'
import { withoutFolders } from '../disk/disk.ts'
import {
  settingsVariable,
  type AggregateJob,
  type FoundRows,
  type NamedColumn,
  type ReadJob,
  type Request,
  type Response,
  type Rows,
  type Settings,
} from './messages.ts'
import { packedRows } from './sent-rows.ts'

export interface QueryProcessClientOptions {
  readonly program: string
  readonly settings: Settings
  readonly clock: Clock
  readonly log: Logger
  /** The process ends when nothing was asked of it for so long. */
  readonly idleMs?: number
}

type Listener = (response: Response) => void

interface Job {
  readonly id: number
  readonly child: ChildProcess
  listener: Listener
  /** How the process ended that had it, once it has. */
  lost: string | null
}

/** The code of a failure of DuckDB itself, rather than of the process. */
export const statementFailed = 'ERR_QUERY_STATEMENT'
export const processFailed = 'ERR_QUERY_PROCESS'

/** How long a cancelled job may go on before the process is killed. */
const cancelMs = 5_000
const defaultIdleMs = 60_000
const maxJobs = 64

/**
 * What was freed goes back to the system: Node.js has one allocator, DuckDB another, and as they come both keep what a
 * large read has left behind.
 */
const allocators = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  DUCKDB_JE_MALLOC_CONF: 'narenas:1,dirty_decay_ms:100,muzzy_decay_ms:0',
}

/**
 * The query process as seen by the engine: forked when first needed, ended when idle, forked again after it died.
 * A job that was under way when it died fails; nothing else is harmed.
 */
export class QueryProcess {
  readonly #options: QueryProcessClientOptions
  readonly #jobs = new Map<number, Job>()
  /** Those that have not ended, also while they are being killed. */
  readonly #alive = new Set<ChildProcess>()
  /** The one that gets new jobs. */
  #child: ChildProcess | null = null
  #nextJob = 1
  #idle: AbortController | null = null
  #closed = false

  constructor(options: QueryProcessClientOptions) {
    this.#options = options
  }

  /**
   * Writes rows, in the order given, as one encrypted Parquet file.
   * @throws AppError unavailable: ERR_QUERY_PROCESS if it cannot be done now, ERR_QUERY_STATEMENT if DuckDB cannot do it
   */
  async writeParquet(
    path: string,
    key: Uint8Array,
    columns: readonly NamedColumn[],
    batches: Iterable<Rows> | AsyncIterable<Rows>,
  ): Promise<void> {
    const job = this.#startJob()
    try {
      await ask(job, { kind: 'write-begin', job: job.id, columns })
      for await (const rows of batches)
        await ask(job, { kind: 'write-rows', job: job.id, rows: packedRows(rows) })
      await ask(job, { kind: 'write-finish', job: job.id, path, key })
      this.#endJob(job)
    } catch (error) {
      this.#cancel(job)
      throw error
    }
  }

  /**
   * Points of Parquet files, a batch at a time, no faster than they are taken.
   * @throws the signal's reason; AppError unavailable: ERR_QUERY_PROCESS, ERR_QUERY_STATEMENT
   */
  async *readParquet(read: ReadJob, signal: AbortSignal): AsyncGenerator<FoundRows> {
    for await (const response of this.#answers((job) => ({ kind: 'read', job, read }), signal))
      if (response.kind === 'rows') yield response.rows
  }

  /**
   * Windows of the rows of Parquet files, all of a series at once.
   * @throws as `readParquet`
   */
  async *aggregateParquet(
    aggregate: AggregateJob,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly windows: readonly SeriesWindows[]; readonly rowCount: number }> {
    for await (const response of this.#answers((job) => ({ kind: 'aggregate', job, aggregate }), signal))
      if (response.kind === 'windows') yield response
  }

  /** What a job answers with, but for its end. */
  async *#answers(request: (job: number) => Request, signal: AbortSignal): AsyncGenerator<Response> {
    signal.throwIfAborted()
    const job = this.#startJob()
    const inbox: Response[] = []
    let wake: () => void = () => undefined
    job.listener = (response) => {
      inbox.push(response)
      wake()
    }
    const onAbort = () => wake()
    signal.addEventListener('abort', onAbort, { once: true })
    let ended = false
    try {
      send(job, request(job.id))
      for (;;) {
        signal.throwIfAborted()
        const response = inbox.shift()
        if (!response) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
          continue
        }
        ended = response.kind === 'done' || response.kind === 'failed'
        if (response.kind === 'done') return
        if (response.kind === 'failed') throw failureOf(job, response.message)
        yield response
        if (response.kind === 'rows') send(job, { kind: 'more', job: job.id })
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      if (ended) this.#endJob(job)
      else this.#cancel(job)
    }
  }

  /** Ends the process; jobs under way fail. */
  async close(): Promise<void> {
    this.#closed = true
    this.#stopIdling()
    const gone = [...this.#alive].map((child) => new Promise((resolve) => child.once('exit', resolve)))
    for (const child of this.#alive) this.#kill(child)
    await Promise.all(gone)
  }

  #startJob(): Job {
    if (this.#closed) throw failure('it was ended')
    if (this.#jobs.size >= maxJobs) throw failure(`more than ${maxJobs} jobs at once`)
    this.#stopIdling()
    this.#child ??= this.#fork()
    const job: Job = { id: this.#nextJob++, child: this.#child, listener: () => undefined, lost: null }
    this.#jobs.set(job.id, job)
    return job
  }

  /** With a reason, since each job does this: an exception made for want of one takes a stack with it. */
  #stopIdling(): void {
    this.#idle?.abort('no longer idle')
    this.#idle = null
  }

  #endJob(job: Job): void {
    this.#jobs.delete(job.id)
    if (this.#jobs.size > 0 || !this.#child) return
    const child = this.#child
    this.#stopIdling()
    const idle = new AbortController()
    this.#idle = idle
    this.#options.clock.sleep(this.#options.idleMs ?? defaultIdleMs, idle.signal).then(
      () => this.#kill(child),
      () => undefined,
    )
  }

  /** Waits for the end of a job that nobody wants any more; a process that does not let go of it is killed. */
  #cancel(job: Job): void {
    if (job.lost !== null) return this.#endJob(job)
    const patience = new AbortController()
    job.listener = (response) => {
      if (response.kind === 'rows' || response.kind === 'windows') return
      patience.abort()
      this.#endJob(job)
    }
    send(job, { kind: 'cancel', job: job.id })
    this.#options.clock.sleep(cancelMs, patience.signal).then(
      () => this.#kill(job.child),
      () => undefined,
    )
  }

  /** Jobs that come from now on get another process, though this one takes a moment to end. */
  #kill(child: ChildProcess): void {
    if (this.#child === child) this.#child = null
    child.kill('SIGKILL')
  }

  #fork(): ChildProcess {
    const { program, settings, log } = this.#options
    const child = fork(program, [], {
      serialization: 'advanced',
      execArgv: [
        `--max-old-space-size=${Math.floor(settings.heapBytes / 1_048_576)}`,
        // Columns are buffers outside the heap, of which those that died young wait until this room is full.
        '--max-semi-space-size=1',
      ],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // Nothing of the engine's own environment is its business.
      env: { ...allocators, [settingsVariable]: JSON.stringify(settings) },
    })
    this.#alive.add(child)
    child.on('message', (message) => {
      const response = message as Response
      this.#jobs.get(response.job)?.listener(response)
      if (response.kind === 'failed' && leavesNothingUsable(response.message)) this.#kill(child)
    })
    child.on('error', (error) => {
      log.warn({ err: error }, 'query process error')
      // One that could not be started never exits.
      if (child.pid === undefined) this.#lose(child, 'it could not be started')
    })
    child.once('exit', (code, signal) => this.#lose(child, `it ended (${signal ?? code ?? 'unknown'})`))
    return child
  }

  /** Fails the jobs of a process that is gone, and no others. */
  #lose(child: ChildProcess, message: string): void {
    this.#alive.delete(child)
    if (this.#child === child) this.#child = null
    for (const job of this.#jobs.values()) {
      if (job.child !== child) continue
      job.lost = message
      job.listener({ kind: 'failed', job: job.id, message })
    }
  }
}

/** @throws AppError unavailable: the process is gone, or DuckDB cannot do it */
function ask(job: Job, request: Request): Promise<void> {
  return new Promise((resolve, reject) => {
    if (job.lost !== null) return reject(failure(job.lost))
    job.listener = (response) => {
      if (response.kind === 'failed') reject(failureOf(job, response.message))
      else resolve()
    }
    send(job, request)
  })
}

function send(job: Job, request: Request): void {
  // Without a callback a channel that has just closed would raise an error event; the exit tells the jobs.
  job.child.send(request, undefined, {}, () => undefined)
}

function failureOf(job: Job, message: string): AppError {
  // The process may have ended since DuckDB gave its reason; what another job has done is no reason of this one's.
  if (message === job.lost || message.startsWith('FATAL Error')) return failure(message)
  return failure(message, statementFailed)
}

/** After an error like these DuckDB refuses all statements, whatever they are about: jobs need another process. */
function leavesNothingUsable(message: string): boolean {
  return /^(INTERNAL|FATAL) Error/.test(message)
}

type FailureCode = typeof processFailed | typeof statementFailed

function failure(message: string, code: FailureCode = processFailed): AppError {
  return new AppError('unavailable', code, `the query process: ${withoutFolders(message)}`)
}
