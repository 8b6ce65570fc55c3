import { isBefore, splitTime, type SplitTime } from '../buffer/time-order.ts'
import { maxTimeNs, minTimeNs } from '../query/time.ts'

/** How time is cut into windows of equal length; a duration of 0 makes all time one window. */
export interface Windowing {
  readonly durationNs: bigint
  /** Where windows begin, counted from the epoch. */
  readonly offsetNs: bigint
}

/** From `startNs` up to, not including, `endNs`. */
export interface Window {
  readonly startNs: bigint
  readonly endNs: bigint
}

/** The window that a time falls into; the first and the last end where time does. */
export function windowAt({ durationNs, offsetNs }: Windowing, timeNs: bigint): Window {
  if (durationNs === 0n) return { startNs: minTimeNs, endNs: maxTimeNs + 1n }
  const t = timeNs - offsetNs
  let into = t % durationNs
  if (into < 0n) into += durationNs
  const startNs = (minTimeNs + into >= t ? minTimeNs : t - into) + offsetNs
  const left = durationNs - into
  const endNs = (maxTimeNs - left <= t ? maxTimeNs : t + left) + offsetNs
  return { startNs, endNs }
}

/** With its bounds as times of rows are compared with them. */
export interface KnownWindow extends Window {
  readonly start: SplitTime
  readonly end: SplitTime
}

/** Others are worked out each time. */
const maxKnown = 1_024

/**
 * Finds the windows of rows. Points of many series fall into the same windows, one after the other: to work each of
 * them out again, on bigints, takes longer than adding up its points.
 */
export class WindowFinder {
  readonly #windowing: Windowing
  /** By time. */
  readonly #known: KnownWindow[] = []
  #at = 0

  constructor(windowing: Windowing) {
    this.#windowing = windowing
  }

  /** @param words of the times */
  of(times: BigInt64Array, words: Int32Array, row: number): KnownWindow {
    const known = this.#known
    if (!this.#isIn(words, row, this.#at)) this.#at++
    if (!this.#isIn(words, row, this.#at)) this.#at = this.#firstEndingAfter(words, row)
    if (this.#isIn(words, row, this.#at)) return known[this.#at]!
    const window = windowAt(this.#windowing, times[row]!)
    const found = { ...window, start: splitTime(window.startNs), end: splitTime(window.endNs) }
    if (known.length < maxKnown) known.splice(this.#at, 0, found)
    return found
  }

  #isIn(words: Int32Array, row: number, at: number): boolean {
    const window = this.#known[at]
    return window !== undefined && isBefore(words, row, window.end) && !isBefore(words, row, window.start)
  }

  #firstEndingAfter(words: Int32Array, row: number): number {
    let low = 0
    let high = this.#known.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBefore(words, row, this.#known[middle]!.end)) high = middle
      else low = middle + 1
    }
    return low
  }
}
