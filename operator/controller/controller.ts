import type { Registry } from 'prom-client'
import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import type { Component } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import type { BackoffCurve } from './backoff.ts'
import { counterIn, gaugeIn, histogramIn } from './metrics.ts'
import { WorkQueue, type QueuePriority } from './work-queue.ts'

/** All that a pass may say. Anything thrown means: again after a back-off. */
export interface Result {
  readonly requeueAfterMs?: number
}

/**
 * One pass over one key: makes the world match, from what it is now and not from what happened.
 * @param signal aborts when the pass is overdue or the program stops; the pass must then end soon
 */
export type Reconcile = (key: string, log: Logger, signal: AbortSignal) => Promise<Result>

export interface ControllerOptions {
  readonly name: string
  readonly reconcile: Reconcile
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** In [0, 1). */
  readonly random?: () => number
  /** Passes at a time. */
  readonly workers?: number
  readonly passTimeoutMs?: number
  readonly backoff?: BackoffCurve
}

const defaultWorkers = 8

/** Why a pass's own timer goes: a reason that is made once, since one by default is an error with its stack each time. */
const passEnded = new AppError('unavailable', 'ERR_PASS_ENDED', 'the pass has ended')

type Outcome = 'success' | 'requeue' | 'error'

/** Workers that take keys from a queue and run passes; the only place that turns outcomes into queue operations. */
export class Controller implements Component {
  readonly name: string
  readonly #options: ControllerOptions
  readonly #passTimeoutMs: number
  readonly #queue: WorkQueue
  readonly #metrics: ReturnType<typeof metricsOf>
  readonly #stopping = new AbortController()
  #workers: readonly Promise<void>[] = []
  #passes = 0

  constructor(options: ControllerOptions) {
    this.name = `${options.name} controller`
    this.#options = options
    this.#passTimeoutMs = options.passTimeoutMs ?? 120_000
    this.#metrics = metricsOf(options.registry)
    const workers = options.workers ?? defaultWorkers
    this.#queue = new WorkQueue({
      clock: options.clock,
      random: options.random ?? Math.random,
      resyncsAtOnce: Math.max(1, Math.floor(workers / 2)),
      ...(options.backoff ? { backoff: options.backoff } : {}),
      onTaken: (waitedMs, priority) => {
        this.#metrics.waitSeconds.observe({ controller: options.name, priority }, waitedMs / 1000)
        this.#metrics.depth.set({ controller: options.name }, this.#queue.depth)
      },
    })
  }

  /** The key is to be looked at; `edit` if somebody waits for it. */
  enqueue(key: string, priority: QueuePriority = 'edit'): void {
    this.#queue.add(key, priority)
    this.#metrics.depth.set({ controller: this.#options.name }, this.#queue.depth)
  }

  async start(): Promise<void> {
    this.#workers = Array.from({ length: this.#options.workers ?? defaultWorkers }, () => this.#work())
  }

  /** Aborts what runs and waits for it. */
  async stop(): Promise<void> {
    this.#stopping.abort(new AppError('unavailable', 'ERR_CONTROLLER_STOPPED', `${this.name} stops`))
    this.#queue.close()
    await Promise.all(this.#workers)
  }

  async #work(): Promise<void> {
    for (let key = await this.#queue.take(); key !== null; key = await this.#queue.take()) {
      try {
        await this.#pass(key)
      } finally {
        this.#queue.done(key)
      }
    }
  }

  async #pass(key: string): Promise<void> {
    const { clock, name, reconcile } = this.#options
    const startMs = clock.monotonicMs()
    this.#passes += 1
    const log = this.#options.log.child({ controller: name, item: key, pass: this.#passes })
    const limit = new AbortController()
    const overdue = clock.sleep(this.#passTimeoutMs, limit.signal).then(
      () => {
        log.warn({ passTimeoutMs: this.#passTimeoutMs }, 'pass is overdue')
        limit.abort(
          new AppError(
            'unavailable',
            'ERR_PASS_OVERDUE',
            `the pass did not end within ${this.#passTimeoutMs} ms`,
          ),
        )
      },
      () => undefined,
    )
    const signal = AbortSignal.any([limit.signal, this.#stopping.signal])
    let outcome: Outcome
    try {
      outcome = this.#succeeded(key, await reconcile(key, log, signal))
    } catch (error) {
      outcome = this.#failed(key, error, log)
    }
    limit.abort(passEnded)
    await overdue
    this.#metrics.passes.inc({ controller: name, outcome })
    this.#metrics.passSeconds.observe({ controller: name }, (clock.monotonicMs() - startMs) / 1000)
  }

  #succeeded(key: string, { requeueAfterMs }: Result): Outcome {
    this.#queue.forget(key)
    if (requeueAfterMs === undefined) return 'success'
    this.#queue.addAfter(key, requeueAfterMs)
    return 'requeue'
  }

  #failed(key: string, error: unknown, log: Logger): Outcome {
    const retryAfterMs = this.#queue.addFailed(key)
    if (!this.#stopping.signal.aborted)
      log.warn({ err: error, retryAfterMs, failures: this.#queue.failures(key) }, 'pass failed')
    return 'error'
  }
}

function metricsOf(registry: Registry) {
  return {
    passes: counterIn(registry, {
      name: 'holdfast_reconcile_total',
      help: 'Passes by outcome',
      labelNames: ['controller', 'outcome'],
    }),
    passSeconds: histogramIn(registry, {
      name: 'holdfast_reconcile_duration_seconds',
      help: 'How long passes took',
      labelNames: ['controller'],
      buckets: [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 120],
    }),
    waitSeconds: histogramIn(registry, {
      name: 'holdfast_queue_wait_seconds',
      help: 'How long keys stood in line',
      labelNames: ['controller', 'priority'],
      buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 30, 120, 600],
    }),
    depth: gaugeIn(registry, {
      name: 'holdfast_queue_depth',
      help: 'Keys in line',
      labelNames: ['controller'],
    }),
  }
}
