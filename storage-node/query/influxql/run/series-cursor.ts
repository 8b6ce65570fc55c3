import type { Block } from '../../../engine/reader.ts'
import { compareText, type Scalar } from '../scalar.ts'
import { Heap } from './heap.ts'
import type { Access } from './scan.ts'

/** A place in the points of one series, going in one direction. */
export class SeriesCursor {
  /** Of the blocks of the whole set. */
  block: number
  row = 0
  /** The time in two words, whose order is that of the times. */
  high = 0
  low = 0
  /** Of the series among those of the set. */
  readonly origin: number
  readonly aux: readonly Access[]
  /** Points of the series. */
  readonly length: number
  readonly #blocks: readonly Block[]
  readonly #end: number
  readonly #step: 1 | -1
  #words: Int32Array = new Int32Array(0)

  /** @param from the series' first block among `blocks`, and `to` the first behind them; none of them empty */
  constructor(
    blocks: readonly Block[],
    [from, to]: readonly [number, number],
    { origin, aux, ascending }: Pick<SeriesCursor, 'origin' | 'aux'> & { readonly ascending: boolean },
  ) {
    this.origin = origin
    this.aux = aux
    this.length = blocks.slice(from, to).reduce((sum, { times }) => sum + times.length, 0)
    this.#blocks = blocks
    this.#step = ascending ? 1 : -1
    this.block = ascending ? from : to - 1
    this.#end = ascending ? to : from - 1
    this.#enter()
  }

  /** @returns false behind the last point */
  advance(): boolean {
    this.row += this.#step
    if (this.row < 0 || this.row * 2 >= this.#words.length) {
      this.block += this.#step
      if (this.block === this.#end) return false
      this.#enter()
    } else this.#load()
    return true
  }

  /** The value that comes along, at a place. */
  value(index: number): Scalar {
    const access = this.aux[index]!
    if ('value' in access) return access.value
    const column = this.#blocks[this.block]!.columns[access.column]
    if (!column || column.type !== 'string' || column.present?.[this.row] === 0) return undefined
    return column.values[this.row]
  }

  #enter(): void {
    const { times } = this.#blocks[this.block]!
    this.#words = new Int32Array(times.buffer, times.byteOffset, times.length * 2)
    this.row = this.#step === 1 ? 0 : times.length - 1
    this.#load()
  }

  /** Every machine that this runs on stores the lower word first; moved, it is ordered as a signed one. */
  #load(): void {
    this.low = this.#words[this.row * 2]! ^ 0x80000000
    this.high = this.#words[this.row * 2 + 1]!
  }
}

/**
 * The cursors by time and, at one time, by the strings that come along, as far as there are: as `mergeSorted` orders
 * the points of one group.
 */
export function cursorHeap(cursors: readonly SeriesCursor[], ascending: boolean): Heap<SeriesCursor> {
  const ties = tieOrder(cursors)
  const order = (a: SeriesCursor, b: SeriesCursor): number =>
    a.high === b.high ? (a.low === b.low ? ties(a, b) : a.low - b.low) : a.high - b.high
  return new Heap(cursors, ascending ? (a, b) => order(a, b) < 0 : (a, b) => order(a, b) > 0)
}

function tieOrder(cursors: readonly SeriesCursor[]): (a: SeriesCursor, b: SeriesCursor) => number {
  const width = cursors[0]?.aux.length ?? 0
  let fixed = 0
  while (fixed < width && cursors.every(({ aux }) => 'value' in aux[fixed]!)) fixed++
  const inOrder = (from: number, to: number) => (a: SeriesCursor, b: SeriesCursor) => {
    for (let i = from; i < to; i++) {
      const left = a.value(i)
      const right = b.value(i)
      if (typeof left !== 'string' || typeof right !== 'string') return 0
      if (left !== right) return compareText(left, right)
    }
    return 0
  }
  // Tags of a series are the same at every time, so they are compared once; one that lacks a tag ends a comparison.
  const complete = cursors.every(({ aux }) =>
    aux.slice(0, fixed).every((access) => 'value' in access && typeof access.value === 'string'),
  )
  if (!complete) return inOrder(0, width)
  const byTags = inOrder(0, fixed)
  const ranks: number[] = []
  let rank = 0
  const sorted = cursors.toSorted(byTags)
  for (const [i, cursor] of sorted.entries()) {
    if (i > 0 && byTags(sorted[i - 1]!, cursor) !== 0) rank++
    ranks[cursor.origin] = rank
  }
  const rest = inOrder(fixed, width)
  return (a, b) => ranks[a.origin]! - ranks[b.origin]! || rest(a, b)
}
