import { AppError } from '../../common/errors.ts'
import type { Clock } from '../../common/clock.ts'
import { backoffMs, reconcileBackoff, type BackoffCurve } from './backoff.ts'

/** `edit`: somebody waits for it. `resync`: timers, retries and start-up, which must never hold up an edit. */
export type QueuePriority = 'edit' | 'resync'

export interface WorkQueueOptions {
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly backoff?: BackoffCurve
  /** Keys known at once. Keys are objects that exist, so this only stops a leak from taking the process along. */
  readonly maxKeys?: number
  /** Resyncs that are worked on at a time: below the number of workers, so that one is free when an edit comes. */
  readonly resyncsAtOnce?: number
  /** A key was handed to a worker after this time in line. */
  readonly onTaken?: (waitedMs: number, priority: QueuePriority) => void
}

/** After this many edits in a row one resync goes first, so that a stream of edits does not starve the rest. */
const editsPerResync = 8

/** Timers cannot wait longer than 24.8 days; nothing here should wait longer than one. */
const maxDelayMs = 86_400_000

/** Made once: a reason by default is an error with its stack each time. */
const takenBack = new AppError('unavailable', 'ERR_TIMER_TAKEN_BACK', 'the key is not waited for any more')

interface Delayed {
  readonly dueMs: number
  readonly abort: AbortController
}

interface Waiter {
  readonly resolve: (key: string | null) => void
}

/**
 * Which keys are to be worked on. A key stands in line once, however often it is added; it is with one worker at a
 * time, and if it is added meanwhile it goes back in line when that worker is done.
 */
export class WorkQueue {
  readonly #options: Required<Omit<WorkQueueOptions, 'onTaken'>>
  readonly #onTaken: WorkQueueOptions['onTaken']
  readonly #lines: Readonly<Record<QueuePriority, Map<string, number>>> = {
    edit: new Map(),
    resync: new Map(),
  }
  readonly #processing = new Map<string, QueuePriority>()
  readonly #dirty = new Map<string, QueuePriority>()
  readonly #delayed = new Map<string, Delayed>()
  readonly #failures = new Map<string, number>()
  readonly #waiters: Waiter[] = []
  #editsInARow = 0
  #closed = false

  constructor(options: WorkQueueOptions) {
    const usual = { backoff: reconcileBackoff, maxKeys: 200_000, resyncsAtOnce: Number.POSITIVE_INFINITY }
    this.#options = { ...usual, ...options }
    this.#onTaken = options.onTaken
  }

  /** Keys in line, without those that wait for their time. */
  get depth(): number {
    return this.#lines.edit.size + this.#lines.resync.size
  }

  get processing(): number {
    return this.#processing.size
  }

  /** How often in a row `key` has failed. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0
  }

  /** @throws AppError too-large, ERR_QUEUE_FULL */
  add(key: string, priority: QueuePriority = 'edit'): void {
    if (this.#closed) return
    if (this.#processing.has(key)) {
      if (priority === 'edit' || !this.#dirty.has(key)) this.#dirty.set(key, priority)
      return
    }
    const { edit, resync } = this.#lines
    if (edit.has(key) || (priority === 'resync' && resync.has(key))) return
    const sinceMs = resync.get(key)
    resync.delete(key)
    if (sinceMs === undefined) this.#refuseIfFull(key)
    this.#lines[priority].set(key, sinceMs ?? this.#options.clock.monotonicMs())
    this.#serve()
  }

  /** Adds `key` once `delayMs` have passed; of several times the soonest counts. Starting on the key forgets it. */
  addAfter(key: string, delayMs: number, priority: QueuePriority = 'resync'): void {
    if (this.#closed) return
    if (delayMs <= 0) return this.add(key, priority)
    const waitMs = Math.min(delayMs, maxDelayMs)
    const dueMs = this.#options.clock.monotonicMs() + waitMs
    const present = this.#delayed.get(key)
    if (present && present.dueMs <= dueMs) return
    if (!present) this.#refuseIfFull(key)
    present?.abort.abort(takenBack)
    const abort = new AbortController()
    this.#delayed.set(key, { dueMs, abort })
    this.#options.clock.sleep(waitMs, abort.signal).then(
      () => {
        this.#delayed.delete(key)
        this.add(key, priority)
      },
      () => undefined,
    )
  }

  /**
   * Adds `key` after a time that grows with each failure in a row.
   * @returns that time
   */
  addFailed(key: string): number {
    const failures = this.failures(key) + 1
    this.#failures.set(key, failures)
    const delayMs = backoffMs(this.#options.backoff, failures, this.#options.random())
    this.addAfter(key, delayMs)
    return delayMs
  }

  /** The key has succeeded: its next failure is the first again. */
  forget(key: string): void {
    this.#failures.delete(key)
  }

  /** The next key, for this caller alone until it says `done`; null once the queue is closed. */
  take(): Promise<string | null> {
    return new Promise((resolve) => {
      if (this.#closed) return resolve(null)
      this.#waiters.push({ resolve })
      this.#serve()
    })
  }

  /** Gives a taken key back. */
  done(key: string): void {
    this.#processing.delete(key)
    const priority = this.#dirty.get(key)
    this.#dirty.delete(key)
    if (priority) this.add(key, priority)
    this.#serve()
  }

  /** Nothing is handed out or taken in any more. */
  close(): void {
    this.#closed = true
    for (const { abort } of this.#delayed.values()) abort.abort(takenBack)
    this.#delayed.clear()
    for (const { resolve } of this.#waiters.splice(0)) resolve(null)
  }

  #refuseIfFull(key: string): void {
    if (this.depth + this.#delayed.size < this.#options.maxKeys) return
    throw new AppError('too-large', 'ERR_QUEUE_FULL', `the work queue is full, ${key} was not added`)
  }

  #serve(): void {
    while (this.#waiters.length > 0 && this.depth > 0) {
      const priority = this.#nextPriority()
      if (priority === null) return
      const line = this.#lines[priority]
      const [key, sinceMs] = line.entries().next().value!
      line.delete(key)
      this.#editsInARow = priority === 'edit' ? this.#editsInARow + 1 : 0
      this.#delayed.get(key)?.abort.abort(takenBack)
      this.#delayed.delete(key)
      this.#processing.set(key, priority)
      this.#onTaken?.(this.#options.clock.monotonicMs() - sinceMs, priority)
      this.#waiters.shift()!.resolve(key)
    }
  }

  /** @returns null where nothing may be handed out now */
  #nextPriority(): QueuePriority | null {
    const { edit, resync } = this.#lines
    const resyncs = [...this.#processing.values()].filter((priority) => priority === 'resync').length
    const edits = this.#processing.size - resyncs
    // All of them share one thread: while an edit is worked on, one of routine is enough to come to an end some time.
    const mayResync = resync.size > 0 && resyncs < (edits > 0 ? 1 : this.#options.resyncsAtOnce)
    if (edit.size === 0) return mayResync ? 'resync' : null
    return mayResync && this.#editsInARow >= editsPerResync ? 'resync' : 'edit'
  }
}
