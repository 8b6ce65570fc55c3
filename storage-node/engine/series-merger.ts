import { countThrough, mergeRuns, partOfRun, type Run } from '../buffer/merge.ts'
import type { Block, FieldType } from './reader.ts'

const blockRows = 16_384

/**
 * Makes the blocks of one series out of pieces from files, which come in the order of time, each point once, and the
 * buffered points, which are newer.
 */
export class SeriesMerger {
  readonly #seriesId: number
  readonly #types: readonly FieldType[]
  #buffered: Run

  constructor(seriesId: number, types: readonly FieldType[], buffered: Run) {
    this.#seriesId = seriesId
    this.#types = types
    this.#buffered = buffered
  }

  /** Takes a piece that is later than those before. */
  *add(run: Run): Generator<Block> {
    const count = countThrough(this.#buffered.times, run.times.at(-1)!)
    if (count === 0) {
      yield* this.#blocks(run)
      return
    }
    const newer = partOfRun(this.#buffered, 0, count)
    this.#buffered = partOfRun(this.#buffered, count, this.#buffered.times.length)
    yield* this.#blocks(mergeRuns(this.#types, run, newer))
  }

  end(): Generator<Block> {
    return this.#blocks(this.#buffered)
  }

  *#blocks(run: Run): Generator<Block> {
    const { length } = run.times
    for (let from = 0; from < length; from += blockRows) {
      const part = length <= blockRows ? run : partOfRun(run, from, Math.min(from + blockRows, length))
      yield { seriesId: this.#seriesId, times: part.times, columns: part.columns }
    }
  }
}
