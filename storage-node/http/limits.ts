import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import { RateLimit } from '../../common/rate-limit.ts'

/** A query's place among those that are there at one time. */
export interface QuerySlot {
  /**
   * Resolves when the query may read points, which few do at one time; those that came first go first.
   * @throws the signal's reason, when that aborts before
   */
  mayRead(signal: AbortSignal): Promise<void>
  /** The query is over. */
  release(): void
}

/**
 * Queries at one time, and how many of them read points: each that does takes of the query process's memory, which
 * flushes and compactions need, too.
 */
export class QuerySlots {
  readonly #maxReading: number
  /** At most as many as there may be queries. */
  readonly #waiting: (() => void)[] = []
  #count = 0
  #reading = 0

  constructor(maxReading: number) {
    this.#maxReading = maxReading
  }

  /** Queries that are there, also those that wait. */
  get running(): number {
    return this.#count
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** @throws AppError too-many-requests when `limit` queries are there already */
  take(limit: number): QuerySlot {
    if (this.#count >= limit) {
      throw new AppError(
        'too-many-requests',
        'ERR_QUERY_SLOTS',
        `max-concurrent-queries limit exceeded(${this.#count}, ${limit})`,
      )
    }
    this.#count += 1
    let reading: Promise<void> | null = null
    let reads = false
    let released = false
    return {
      mayRead: (signal) => {
        reading ??= this.#wait(signal).then(() => {
          if (released) this.#end()
          else reads = true
        })
        return reading
      },
      release: () => {
        if (released) return
        released = true
        this.#count -= 1
        if (reads) this.#end()
      },
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#reading < this.#maxReading) {
      this.#reading++
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener('abort', leave)
        this.#reading++
        resolve()
      }
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(admit), 1)
        reject(signal.reason)
      }
      if (signal.aborted) return reject(signal.reason)
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.push(admit)
    })
  }

  #end(): void {
    this.#reading--
    this.#waiting.shift()?.()
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

/** Requests a second of those who are let in; one second's worth may come at once. */
export class RequestRate {
  readonly #clock: Clock
  #perSecond: number | null = null
  #limit: RateLimit | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param perSecond null for no limit
   * @throws AppError too-many-requests
   */
  take(perSecond: number | null): void {
    if (perSecond !== this.#perSecond) {
      this.#perSecond = perSecond
      this.#limit = perSecond === null ? null : new RateLimit({ perSecond, burst: perSecond }, this.#clock, 1)
    }
    if ((this.#limit?.take('') ?? 0) === 0) return
    throw new AppError('too-many-requests', 'ERR_REQUEST_RATE', 'requests limit exceeded')
  }
}
