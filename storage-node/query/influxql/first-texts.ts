import { inSteps, sortedInTurns, type GiveTurn } from './in-turns.ts'
import { compareText } from './scalar.ts'

interface Wanted {
  /** How many at most. */
  readonly most: number
  /** Only those behind this one. */
  readonly after: string | null
  /** What one takes in memory. */
  readonly bytesOf: (text: string) => number
  /** Counts what is kept; negative where it is given back. @throws AppError too-large */
  readonly hold: (bytes: number) => void
  readonly giveTurn: GiveTurn
}

/** The first of many texts in their order, each once, with what came along with it. No more than twice as many are kept. */
export class FirstTexts<T> {
  readonly #wanted: Wanted
  #found = new Map<string, T>()
  /** Those behind it are not wanted any more. */
  #last: string | null = null

  constructor(wanted: Wanted) {
    this.#wanted = wanted
  }

  get size(): number {
    return this.#found.size
  }

  get(text: string): T | undefined {
    return this.#found.get(text)
  }

  /** @throws AppError too-large */
  add(text: string, value: T): void {
    const { after, bytesOf, hold } = this.#wanted
    if (this.#found.has(text)) return
    if (after !== null && compareText(text, after) <= 0) return
    if (this.#last !== null && compareText(text, this.#last) > 0) return
    hold(bytesOf(text))
    this.#found.set(text, value)
  }

  /** Lets go of what is not wanted, where that is much: to be called between some and some more. */
  async trim(): Promise<void> {
    if (this.#found.size >= 2 * this.#wanted.most) await this.sorted()
  }

  /** The texts in their order. */
  async sorted(): Promise<readonly string[]> {
    const { most, bytesOf, hold, giveTurn } = this.#wanted
    const sorted = await sortedInTurns(this.#found.keys(), compareText, giveTurn)
    if (sorted.length <= most) return sorted
    const first = sorted.slice(0, most)
    this.#last = first.at(-1) ?? null
    for await (const some of inSteps(sorted.slice(most), giveTurn)) {
      for (const text of some) {
        hold(-bytesOf(text))
        this.#found.delete(text)
      }
    }
    return first
  }
}
