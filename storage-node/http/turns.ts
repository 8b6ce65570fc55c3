import type { Clock } from '../../common/clock.ts'

/** How long all queries together may keep everything else waiting. */
const turnMs = 5
/** How long they wait for their next turn while writes are under way, so that these have the most of the thread. */
const restMs = 15
const lookMs = 1

/** Called between steps: null while there is time left, otherwise resolves when the caller may go on. */
export type EndTurn = () => Promise<void> | null

/**
 * Shares the one thread of the process: work that goes on and on calls `end` between its steps. In each round of the
 * event loop one piece of such work goes on, the one that has waited longest; between rounds whatever came in has its
 * turn. A turn for each of them would be a round of as many turns, and writes, probes and time limits would wait for
 * all of it. What is urgent takes many rounds, so while there is any the others rest between their turns.
 */
export class Turns {
  readonly #clock: Clock
  readonly #onTurn: () => void
  /** As many as there are queries at most. */
  readonly #waiting: (() => void)[] = []
  /** When this round's work began; null while there is none. */
  #startedMs: number | null = null
  #urgent = 0

  /** @param onTurn called before each turn */
  constructor(clock: Clock, onTurn: () => void = () => undefined) {
    this.#clock = clock
    this.#onTurn = onTurn
  }

  readonly end: EndTurn = () => {
    const nowMs = this.#clock.monotonicMs()
    if (this.#startedMs === null) {
      this.#onTurn()
      this.#begin(this.#clock.monotonicMs())
      return null
    }
    if (nowMs - this.#startedMs < turnMs) return null
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Something urgent has begun. @returns what says that it is over, once */
  urgent(): () => void {
    this.#urgent++
    let over = false
    return () => {
      if (!over) this.#urgent--
      over = true
    }
  }

  #begin(nowMs: number): void {
    this.#startedMs = nowMs
    setImmediate(() => this.#next(nowMs))
  }

  #next(startedMs: number): void {
    const nowMs = this.#clock.monotonicMs()
    if (this.#waiting.length > 0 && this.#urgent > 0 && nowMs - startedMs < turnMs + restMs) {
      setTimeout(() => this.#next(startedMs), lookMs)
      return
    }
    this.#startedMs = null
    const next = this.#waiting.shift()
    if (!next) return
    this.#onTurn()
    this.#begin(this.#clock.monotonicMs())
    next()
  }
}
