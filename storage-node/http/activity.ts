import type { Clock } from '../../common/clock.ts'

/**
 * For how long this process has served nobody: what the operator asks before it puts an organization to sleep. Only
 * clients that were let in count, so that nobody else can keep an organization awake. A start counts as use: a node that
 * was woken or replaced has its whole time.
 */
export class Activity {
  readonly #clock: Clock
  #running = 0
  #lastMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastMs = clock.monotonicMs()
  }

  begin(): void {
    this.#running += 1
  }

  /** The answer has left, or never will. */
  end(): void {
    this.#running -= 1
    this.#lastMs = this.#clock.monotonicMs()
  }

  /** 0 while somebody is being served. */
  get idleMs(): number {
    return this.#running > 0 ? 0 : Math.max(0, Math.floor(this.#clock.monotonicMs() - this.#lastMs))
  }
}
