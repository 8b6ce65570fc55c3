import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'

/** Queries that run at the same time. */
export class QuerySlots {
  #running = 0

  get running(): number {
    return this.#running
  }

  /**
   * @returns what gives the slot back, once
   * @throws AppError too-many-requests when `limit` queries run already
   */
  take(limit: number): () => void {
    if (this.#running >= limit) {
      throw new AppError(
        'too-many-requests',
        'ERR_QUERY_SLOTS',
        `max-concurrent-queries limit exceeded(${this.#running}, ${limit})`,
      )
    }
    this.#running += 1
    let released = false
    return () => {
      if (released) return
      released = true
      this.#running -= 1
    }
  }
}

/**
 * Bytes of line protocol a second. A write passes while there is anything left and may overdraw, so that a body
 * larger than one second's worth is slowed down and not impossible; two seconds' worth can be saved up.
 */
export class WriteRate {
  readonly #clock: Clock
  #leftBytes: number | null = null
  #atMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param bytesPerSecond null for no limit
   * @throws AppError too-many-requests
   */
  take(bytes: number, bytesPerSecond: number | null): void {
    if (bytesPerSecond === null) {
      this.#leftBytes = null
      return
    }
    const nowMs = this.#clock.monotonicMs()
    const earned = ((nowMs - this.#atMs) * bytesPerSecond) / 1000
    const left = Math.min(2 * bytesPerSecond, (this.#leftBytes ?? 2 * bytesPerSecond) + earned)
    this.#atMs = nowMs
    this.#leftBytes = left
    if (left <= 0) {
      throw new AppError(
        'too-many-requests',
        'ERR_WRITE_RATE',
        `limit of ${bytesPerSecond} bytes written a second exceeded`,
      )
    }
    this.#leftBytes = left - bytes
  }
}
