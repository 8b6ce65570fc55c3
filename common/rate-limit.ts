import type { Clock } from './clock.ts'

export interface Rate {
  /** Attempts that come back each second. */
  readonly perSecond: number
  /** Attempts that may come at once. */
  readonly burst: number
}

interface Bucket {
  left: number
  atMs: number
}

/**
 * Token buckets, one a key. When there are too many keys the one that was idle longest is forgotten, which is the
 * one most likely to be full again.
 */
export class RateLimit {
  readonly #rate: Rate
  readonly #clock: Clock
  readonly #maxKeys: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(rate: Rate, clock: Clock, maxKeys = 100_000) {
    this.#rate = rate
    this.#clock = clock
    this.#maxKeys = maxKeys
  }

  /** Takes one attempt of `key`. @returns 0 if there was one, or else whole seconds until there will be */
  take(key: string): number {
    const bucket = this.#bucketOf(key)
    if (bucket.left < 1) return Math.max(1, Math.ceil((1 - bucket.left) / this.#rate.perSecond))
    bucket.left -= 1
    return 0
  }

  #bucketOf(key: string): Bucket {
    const nowMs = this.#clock.monotonicMs()
    const known = this.#buckets.get(key)
    const bucket = known
      ? {
          left: Math.min(this.#rate.burst, known.left + ((nowMs - known.atMs) * this.#rate.perSecond) / 1000),
          atMs: nowMs,
        }
      : { left: this.#rate.burst, atMs: nowMs }
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > this.#maxKeys) this.#buckets.delete(this.#buckets.keys().next().value!)
    return bucket
  }
}
