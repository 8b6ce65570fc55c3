import type { MeasurementSchema, Series } from '../../engine/reader.ts'
import type { Holding } from '../held-bytes.ts'
import type { Expr } from './ast.ts'
import { FirstTexts } from './first-texts.ts'
import { inSteps, sortedInTurns } from './in-turns.ts'
import { compareText } from './scalar.ts'
import { seriesKey } from './series-key.ts'
import { seriesWhere } from './series-where.ts'
import type { Inventory } from './show-condition.ts'

/** A series as it stands in an answer. */
export interface KeyedSeries {
  readonly key: string
  readonly id: number
}

/** What a key takes in memory: its characters, its place in a map and in an array, and a row. */
export const keyBytes = (key: string): number => 150 + key.length

/** What an id takes in memory: in an array, and in a set. */
const idBytes = 8
export const idInSetBytes = 40

interface Wanted {
  readonly condition: Expr | null
  readonly inventory: Inventory
  readonly schema: MeasurementSchema
  /** Counts what is kept; negative where it is given back. @throws AppError too-large */
  readonly hold: (bytes: number) => void
  /** Those of the series that are meant; null for all. */
  readonly among: ReadonlySet<number> | null
}

/** The series of a measurement for which a condition holds, in the order of their keys. */
export class SortedSeries {
  readonly #wanted: Wanted

  constructor(wanted: Wanted) {
    this.#wanted = wanted
  }

  /** The same, of some series only. */
  among(ids: ReadonlySet<number>): SortedSeries {
    return new SortedSeries({ ...this.#wanted, among: ids })
  }

  /** In no particular order, counted. */
  async ids({ hold }: Holding): Promise<readonly number[]> {
    const ids: number[] = []
    for await (const some of this.#all()) {
      hold(some.length * idBytes)
      for (const { id } of some) ids.push(id)
    }
    return ids
  }

  /**
   * Some at a time: all series are gone through again for each time, and no more than twice as many are kept as it
   * brings. What it brings stays counted: who takes it gives back what is not kept.
   * @param after those behind this key
   * @param size how many a time brings at most, one at least, asked before each
   */
  async *parts(
    after: string | null,
    size: () => number,
  ): AsyncGenerator<readonly KeyedSeries[], void, undefined> {
    let last = after
    for (;;) {
      const most = size()
      const part = await this.firstBehind(last, most)
      yield part
      if (part.length < most) return
      last = part.at(-1)!.key
    }
  }

  /** One of those parts. */
  async firstBehind(after: string | null, most: number): Promise<readonly KeyedSeries[]> {
    const { hold, inventory } = this.#wanted
    const { giveTurn } = inventory
    const first = new FirstTexts<number>({ most, after, bytesOf: keyBytes, hold, giveTurn })
    for await (const some of this.#all()) {
      for (const series of some) first.add(seriesKey(series), series.id)
      await first.trim()
    }
    const part: KeyedSeries[] = []
    for await (const keys of inSteps(await first.sorted(), giveTurn))
      for (const key of keys) part.push({ key, id: first.get(key)! })
    return part
  }

  /**
   * Where to begin when many come before: of some of the keys it is counted how many are between them.
   * @param count of keys
   * @returns a key of which it is known how many are not behind it: no more than `count`, and rarely many fewer
   */
  async placeNear(count: number): Promise<{ readonly after: string | null; readonly count: number }> {
    const { hold, inventory } = this.#wanted
    const sample: string[] = []
    let heldBytes = 0
    for await (const some of this.#all()) {
      for (const series of some) {
        if (!isInSample(series.id)) continue
        const key = seriesKey(series)
        hold(keyBytes(key))
        heldBytes += keyBytes(key)
        sample.push(key)
      }
    }
    const keys = await sortedInTurns(sample, compareText, inventory.giveTurn)
    const counts = new Uint32Array(keys.length + 1)
    for await (const some of this.#all())
      for (const series of some) counts[placeIn(keys, seriesKey(series))]!++
    hold(-heldBytes)
    let [place, before] = [0, 0]
    while (place < keys.length && before + counts[place]! <= count) before += counts[place++]!
    return { after: keys[place - 1] ?? null, count: before }
  }

  async *#all(): AsyncGenerator<readonly Series[], void, undefined> {
    const { condition, inventory, schema, among } = this.#wanted
    for await (const some of seriesWhere(condition, inventory, schema))
      yield among === null ? some : some.filter(({ id }) => among.has(id))
  }
}

/** One of 64, in no step with how tags come again. */
const isInSample = (id: number): boolean => Math.imul(id, 0x9e37_79b1) >>> 26 === 0

/** How many keys are before a text. @param keys sorted */
function placeIn(keys: readonly string[], text: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareText(keys[middle]!, text) < 0) low = middle + 1
    else high = middle
  }
  return low
}
