import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import type { Priority } from './client.ts'

export interface LimiterOptions {
  readonly clock: Clock
  readonly requestsPerSecond: number
  readonly burst: number
  readonly maxInFlight: number
  readonly maxWaiting: number
}

interface Waiter {
  readonly admit: () => void
}

/**
 * How fast and how many at a time requests may go out: a token bucket in front of a number of places. Those who wait
 * are served by priority, then in order. The lease neither waits nor takes a place: losing it because of our own
 * traffic would be absurd.
 */
export class RequestLimiter {
  readonly #options: LimiterOptions
  readonly #waiting: Readonly<Record<'user' | 'resync', Set<Waiter>>> = { user: new Set(), resync: new Set() }
  #tokens: number
  #refilledMs: number
  #inFlight = 0
  #refilling = false

  constructor(options: LimiterOptions) {
    this.#options = options
    this.#tokens = options.burst
    this.#refilledMs = options.clock.monotonicMs()
  }

  /**
   * Resolves when the request may go out.
   * @returns to be called when it has ended
   * @throws AppError too-many-requests, ERR_KUBE_QUEUE_FULL; the signal's reason
   */
  async acquire(priority: Priority, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (priority === 'lease') return () => undefined
    await this.#admission(priority, signal)
    let released = false
    return () => {
      if (released) return
      released = true
      this.#inFlight -= 1
      this.#serve()
    }
  }

  #admission(priority: 'user' | 'resync', signal?: AbortSignal): Promise<void> {
    const line = this.#waiting[priority]
    return new Promise((resolve, reject) => {
      if (this.#waiting.user.size + this.#waiting.resync.size >= this.#options.maxWaiting)
        return reject(
          new AppError(
            'too-many-requests',
            'ERR_KUBE_QUEUE_FULL',
            'too many requests wait for the API server',
          ),
        )
      const onAbort = () => {
        line.delete(waiter)
        reject(signal?.reason)
      }
      const waiter: Waiter = {
        admit: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      line.add(waiter)
      this.#serve()
    })
  }

  #serve(): void {
    const { clock, requestsPerSecond, burst, maxInFlight } = this.#options
    const nowMs = clock.monotonicMs()
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#refilledMs) * requestsPerSecond) / 1_000)
    this.#refilledMs = nowMs
    for (;;) {
      const line = this.#waiting.user.size > 0 ? this.#waiting.user : this.#waiting.resync
      const [waiter] = line
      if (!waiter || this.#inFlight >= maxInFlight) return
      if (this.#tokens < 1) return this.#serveAfterRefill()
      line.delete(waiter)
      this.#tokens -= 1
      this.#inFlight += 1
      waiter.admit()
    }
  }

  #serveAfterRefill(): void {
    if (this.#refilling) return
    this.#refilling = true
    const waitMs = Math.ceil(((1 - this.#tokens) * 1_000) / this.#options.requestsPerSecond)
    void this.#options.clock.sleep(waitMs).then(() => {
      this.#refilling = false
      this.#serve()
    })
  }
}
