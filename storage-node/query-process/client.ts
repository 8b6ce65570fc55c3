import { fork, type ChildProcess } from 'node:child_process'
import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import {
  settingsVariable,
  type NamedColumn,
  type ReadJob,
  type Request,
  type Response,
  type Rows,
  type Settings,
} from './messages.ts'

export interface QueryProcessClientOptions {
  readonly program: string
  readonly settings: Settings
  readonly clock: Clock
  readonly log: Logger
  /** The process ends when nothing was asked of it for so long. */
  readonly idleMs?: number
}

type Listener = (response: Response) => void

/** How long a cancelled job may go on before the process is killed. */
const cancelMs = 5_000
const defaultIdleMs = 60_000
const maxJobs = 64

/**
 * The query process as seen by the engine: forked when first needed, ended when idle, forked again after it died.
 * A job that was under way when it died fails; nothing else is harmed.
 */
export class QueryProcess {
  readonly #options: QueryProcessClientOptions
  readonly #listeners = new Map<number, Listener>()
  #child: ChildProcess | null = null
  #nextJob = 1
  #idle: AbortController | null = null
  #closed = false

  constructor(options: QueryProcessClientOptions) {
    this.#options = options
  }

  /**
   * Writes rows, in the order given, as one encrypted Parquet file.
   * @throws AppError unavailable, ERR_QUERY_PROCESS if it cannot be done now
   */
  async writeParquet(
    path: string,
    key: Uint8Array,
    columns: readonly NamedColumn[],
    batches: Iterable<Rows> | AsyncIterable<Rows>,
  ): Promise<void> {
    const job = this.#startJob()
    try {
      await this.#ask({ kind: 'write-begin', job, columns })
      for await (const rows of batches) await this.#ask({ kind: 'write-rows', job, rows })
      await this.#ask({ kind: 'write-finish', job, path, key })
      this.#endJob(job)
    } catch (error) {
      this.#cancel(job)
      throw error
    }
  }

  /**
   * Rows of Parquet files, a batch at a time, no faster than they are taken. Columns: series, time, then the fields.
   * @throws the signal's reason; AppError unavailable, ERR_QUERY_PROCESS
   */
  async *readParquet(read: ReadJob, signal: AbortSignal): AsyncGenerator<Rows> {
    signal.throwIfAborted()
    const job = this.#startJob()
    const inbox: Response[] = []
    let wake: () => void = () => undefined
    this.#listeners.set(job, (response) => {
      inbox.push(response)
      wake()
    })
    const onAbort = () => wake()
    signal.addEventListener('abort', onAbort, { once: true })
    let ended = false
    try {
      this.#send({ kind: 'read', job, read })
      for (;;) {
        signal.throwIfAborted()
        const response = inbox.shift()
        if (!response) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
          continue
        }
        ended = response.kind !== 'rows'
        if (response.kind === 'done') return
        if (response.kind === 'failed') throw failure(response.message)
        yield response.rows
        this.#send({ kind: 'more', job })
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
    this.#idle?.abort()
    const child = this.#child
    if (!child || child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  #startJob(): number {
    if (this.#closed) throw failure('it was ended')
    if (this.#listeners.size >= maxJobs) throw failure(`more than ${maxJobs} jobs at once`)
    this.#idle?.abort()
    const job = this.#nextJob++
    this.#listeners.set(job, () => undefined)
    return job
  }

  #endJob(job: number): void {
    this.#listeners.delete(job)
    if (this.#listeners.size > 0) return
    const idle = new AbortController()
    this.#idle = idle
    this.#options.clock.sleep(this.#options.idleMs ?? defaultIdleMs, idle.signal).then(
      () => this.#child?.kill('SIGKILL'),
      () => undefined,
    )
  }

  /** Waits for the end of a job that nobody wants any more; a process that does not let go of it is killed. */
  #cancel(job: number): void {
    if (!this.#child?.connected) return this.#endJob(job)
    const patience = new AbortController()
    this.#listeners.set(job, (response) => {
      if (response.kind === 'rows') return
      patience.abort()
      this.#endJob(job)
    })
    this.#send({ kind: 'cancel', job })
    this.#options.clock.sleep(cancelMs, patience.signal).then(
      () => this.#child?.kill('SIGKILL'),
      () => undefined,
    )
  }

  #ask(request: Request): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#listeners.set(request.job, (response) => {
        if (response.kind === 'failed') reject(failure(response.message))
        else resolve()
      })
      this.#send(request)
    })
  }

  #send(request: Request): void {
    const child = this.#child ?? this.#fork()
    // Without a callback a channel that has just closed would raise an error event; the exit tells the jobs.
    child.send(request, undefined, {}, () => undefined)
  }

  #fork(): ChildProcess {
    const { program, settings, log } = this.#options
    const child = fork(program, [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // Nothing of the engine's own environment is its business.
      env: { [settingsVariable]: JSON.stringify(settings) },
    })
    this.#child = child
    child.on('message', (message) => {
      const response = message as Response
      this.#listeners.get(response.job)?.(response)
    })
    child.on('error', (error) => log.warn({ err: error }, 'query process error'))
    child.once('exit', (code, signal) => {
      if (this.#child === child) this.#child = null
      for (const [job, listener] of this.#listeners)
        listener({ kind: 'failed', job, message: `it ended (${signal ?? code ?? 'unknown'})` })
    })
    return child
  }
}

function failure(message: string): AppError {
  return new AppError('unavailable', 'ERR_QUERY_PROCESS', `the query process: ${message}`)
}
