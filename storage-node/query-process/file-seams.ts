import { copyOfRun, mergeRuns, partOfRun, type Run } from '../buffer/merge.ts'
import { firstNotBefore, splitTime, timeWords } from '../buffer/time-order.ts'
import type { FieldType } from '../engine/reader.ts'

interface HeldRows {
  /** Of the file: of two values for one time and column that of the higher order counts. */
  readonly order: number
  /** None of them empty, each later than those before. */
  readonly runs: Run[]
}

/**
 * Puts the rows of one series together, file by file in the order of the files' first times, where no file overlaps
 * any but its neighbours. Rows that no other file can say anything of pass as they are; those from the next file's
 * first time on are copied and held until that one has been seen.
 */
export class FileSeams {
  readonly #types: readonly FieldType[]
  #before: HeldRows = { order: 0, runs: [] }
  #current: HeldRows = { order: 0, runs: [] }

  constructor(types: readonly FieldType[]) {
    this.#types = types
  }

  /** Begins the next file. @returns what is left of the file before the last one */
  next(order: number): readonly Run[] {
    const left = this.#before.runs
    this.#before = this.#current
    this.#current = { order, runs: [] }
    return left
  }

  /**
   * @param run the next rows of the file, one at least
   * @param nextNs where the next file begins, if there is one
   * @returns what is settled, each later than those before; views of `run` are among it
   */
  add(run: Run, nextNs: bigint | undefined): readonly Run[] {
    const settled: Run[] = []
    const rest = this.#before.runs.length > 0 ? this.#meetAll(run, settled) : run
    const [done, kept] = rest && nextNs !== undefined ? split(rest, nextNs) : [rest, null]
    if (done) settled.push(done)
    if (kept) this.#current.runs.push(copyOfRun(kept))
    return settled
  }

  /** Ends the series. @returns what is left of the last two files */
  end(): readonly Run[] {
    return [...this.next(0), ...this.next(0)]
  }

  /** @returns the rows that are later than all that was held, if there are any */
  #meetAll(run: Run, settled: Run[]): Run | null {
    const held = this.#before.runs
    let rest: Run | null = run
    while (rest && held.length > 0) {
      const first = held.shift()!
      const startNs = later(first.times[0]!, rest.times[0]!)
      const endNs = earlier(first.times.at(-1)!, rest.times.at(-1)!)
      const before: Parts = parts(first, startNs, endNs)
      const current: Parts = parts(rest, startNs, endNs)
      // No more than one of them has rows before the other's.
      const early = before.early ?? current.early
      const within = this.#merged(before.within, current.within)
      for (const each of [early, within]) if (each) settled.push(each)
      if (before.late) held.unshift(before.late)
      rest = current.late
    }
    return rest
  }

  #merged(before: Run | null, current: Run | null): Run | null {
    if (!before || !current) return before ?? current
    const isOlder = this.#before.order < this.#current.order
    return isOlder ? mergeRuns(this.#types, before, current) : mergeRuns(this.#types, current, before)
  }
}

interface Parts {
  readonly early: Run | null
  readonly within: Run | null
  readonly late: Run | null
}

/** @returns the rows before the start, from there through the end, and the others */
function parts(run: Run, startNs: bigint, endNs: bigint): Parts {
  const [early, others] = split(run, startNs)
  const [within, late] = others ? split(others, endNs + 1n) : [null, null]
  return { early, within, late }
}

/** @returns the rows before a time, and the others */
function split(run: Run, timeNs: bigint): readonly [Run | null, Run | null] {
  const { length } = run.times
  const end = firstNotBefore(timeWords(run.times), 0, length, splitTime(timeNs), length)
  if (end === length) return [run, null]
  return end === 0 ? [null, run] : [partOfRun(run, 0, end), partOfRun(run, end, length)]
}

const later = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const earlier = (a: bigint, b: bigint): bigint => (a < b ? a : b)
