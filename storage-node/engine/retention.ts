import type { Clock } from '../../common/clock.ts'
import type { FileStore } from '../files/file-store.ts'
import type { Attachments } from './attachments.ts'

/** A leap of the clock forward is believed when it has lasted so long. */
const believedAfterMs = 3_600_000
/** What adjusts a clock moves it by less at a time. */
const toleranceMs = 60_000

/**
 * The time that retention goes by. What it drops does not come back, so a clock that somebody has set wrong must not
 * drop anything: a leap forward counts when it has lasted, one back at once.
 */
export class RetentionClock {
  readonly #clock: Clock
  /** The wall clock that is believed, less the monotonic one. */
  #offsetMs: number
  #leap: { readonly offsetMs: number; readonly sinceMs: number } | null = null

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offsetMs = clock.nowMs() - clock.monotonicMs()
  }

  nowNs(): bigint {
    const monotonicMs = this.#clock.monotonicMs()
    this.#look(this.#clock.nowMs() - monotonicMs, monotonicMs)
    return BigInt(Math.floor(this.#offsetMs + monotonicMs)) * 1_000_000n
  }

  #look(offsetMs: number, monotonicMs: number): void {
    const isLeap = offsetMs > this.#offsetMs + toleranceMs
    if (isLeap && (!this.#leap || Math.abs(offsetMs - this.#leap.offsetMs) > toleranceMs))
      this.#leap = { offsetMs, sinceMs: monotonicMs }
    if (isLeap && monotonicMs - this.#leap!.sinceMs < believedAfterMs) return
    this.#leap = null
    this.#offsetMs = offsetMs
  }
}

/** Takes files out of sight whose points have all expired. @returns how many */
export function dropExpired(store: FileStore, attachments: Attachments, clock: RetentionClock): number {
  const nowNs = clock.nowNs()
  return store.drop(({ databaseId, retentionPolicy, maxTimeNs }) => {
    const oldestNs = attachments.expiryNs(databaseId, retentionPolicy, nowNs)
    return oldestNs !== null && BigInt(maxTimeNs) < oldestNs
  })
}
