import type { MeasurementSchema } from '../../engine/reader.ts'
import type { Expr } from './ast.ts'
import { FirstTexts } from './first-texts.ts'
import { sortedInTurns } from './in-turns.ts'
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

/** Counts what is kept; negative where it is given back. @throws AppError too-large */
type Hold = (bytes: number) => void

/** The series of a measurement for which a condition holds, in the order of their keys. */
export class SortedSeries {
  readonly #condition: Expr | null
  readonly #inventory: Inventory
  readonly #schema: MeasurementSchema
  readonly #hold: Hold

  constructor(condition: Expr | null, inventory: Inventory, schema: MeasurementSchema, hold: Hold) {
    this.#condition = condition
    this.#inventory = inventory
    this.#schema = schema
    this.#hold = hold
  }

  /**
   * Some at a time: all series are gone through again for each time, and not many more are kept than it brings. Who
   * keeps what comes counts it from then on.
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
      const part = await this.#firstBehind(last, most)
      yield part
      if (part.length < most) return
      last = part.at(-1)!.key
    }
  }

  async #firstBehind(after: string | null, most: number): Promise<readonly KeyedSeries[]> {
    let heldBytes = 0
    const hold = (bytes: number): void => {
      this.#hold(bytes)
      heldBytes += bytes
    }
    const { giveTurn } = this.#inventory
    const first = new FirstTexts<number>({ most, after, bytesOf: keyBytes, hold, giveTurn })
    for await (const some of this.#all()) {
      for (const series of some) first.add(seriesKey(series), series.id)
      await first.trim()
    }
    const keys = await first.sorted()
    this.#hold(-heldBytes)
    return keys.map((key) => ({ key, id: first.get(key)! }))
  }

  /**
   * Where to begin when many come before: of some of the keys it is counted how many are between them.
   * @param count of keys
   * @returns a key of which it is known how many are not behind it: no more than `count`, and rarely many fewer
   */
  async placeNear(count: number): Promise<{ readonly after: string | null; readonly count: number }> {
    const sample: string[] = []
    let heldBytes = 0
    for await (const some of this.#all()) {
      for (const series of some) {
        if (!isInSample(series.id)) continue
        const key = seriesKey(series)
        this.#hold(keyBytes(key))
        heldBytes += keyBytes(key)
        sample.push(key)
      }
    }
    const keys = await sortedInTurns(sample, compareText, this.#inventory.giveTurn)
    const counts = new Uint32Array(keys.length + 1)
    for await (const some of this.#all())
      for (const series of some) counts[placeIn(keys, seriesKey(series))]!++
    this.#hold(-heldBytes)
    let [place, before] = [0, 0]
    while (place < keys.length && before + counts[place]! <= count) before += counts[place++]!
    return { after: keys[place - 1] ?? null, count: before }
  }

  #all() {
    return seriesWhere(this.#condition, this.#inventory, this.#schema)
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
