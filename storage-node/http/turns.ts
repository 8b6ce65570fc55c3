import type { Clock } from '../../common/clock.ts'

/** How long all queries together may keep everything else waiting. */
const turnMs = 5

/** Called between steps: null while there is time left, otherwise resolves when the caller may go on. */
export type EndTurn = () => Promise<void> | null

/**
 * Shares the one thread of the process: work that goes on and on calls `end` between its steps. In each round of the
 * event loop one piece of such work goes on, the one that has waited longest; between rounds whatever came in has its
 * turn. A turn for each of them would be a round of as many turns, and writes, probes and time limits would wait for
 * all of it.
 */
export class Turns {
  readonly #clock: Clock
  /** As many as there are queries at most. */
  readonly #waiting: (() => void)[] = []
  /** When this round's work began; null while there is none. */
  #startedMs: number | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  readonly end: EndTurn = () => {
    const nowMs = this.#clock.monotonicMs()
    if (this.#startedMs === null) {
      this.#begin(nowMs)
      return null
    }
    if (nowMs - this.#startedMs < turnMs) return null
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #begin(nowMs: number): void {
    this.#startedMs = nowMs
    setImmediate(() => this.#next())
  }

  #next(): void {
    this.#startedMs = null
    const next = this.#waiting.shift()
    if (!next) return
    this.#begin(this.#clock.monotonicMs())
    next()
  }
}
