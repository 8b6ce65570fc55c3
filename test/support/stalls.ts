/** Of a look to the next. */
const tickMs = 50
/** What a look may come late on a machine that has others to serve. */
const usualMs = 200

/**
 * How long a machine has stood still: as another guest of its host, or its disk, may have it for seconds. Nothing on it does
 * anything meanwhile, so that no promise of time is broken by it.
 */
export class Stalls {
  readonly #nowMs: () => number
  #lookedMs: number
  #ms = 0

  /** @param nowMs of a clock that goes on while the machine stands still */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#lookedMs = nowMs()
  }

  /** Comes every `tickMs` where nothing is in the way. @returns milliseconds so far */
  look(): number {
    const nowMs = this.#nowMs()
    this.#ms += Math.max(0, nowMs - this.#lookedMs - tickMs - usualMs)
    this.#lookedMs = nowMs
    return this.#ms
  }
}

const now = () => performance.now()
const own = new Stalls(now)
setInterval(() => own.look(), tickMs).unref()

/** Milliseconds so far in which this machine stood still. */
export const stalledMs = (): number => own.look()

/** Milliseconds in which it did not: for limits that are promises of time. */
export const runningMs = (): number => now() - stalledMs()

/**
 * Tries what hangs on fractions of a second; where that fails while the machine stood still, it is tried anew.
 * @param act begins from the beginning each time
 * @param stalled milliseconds so far
 */
export async function undisturbed<Result>(
  act: () => Promise<Result>,
  stalled: () => number = stalledMs,
): Promise<Result> {
  for (let triesLeft = 4; ; triesLeft -= 1) {
    const beforeMs = stalled()
    try {
      return await act()
    } catch (error) {
      if (triesLeft === 0 || stalled() === beforeMs) throw error
    }
  }
}
