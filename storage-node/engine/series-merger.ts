import { countThrough, mergeRuns, partOfRun, type Run } from '../buffer/merge.ts'
import type { BufferedRun } from './buffered-series.ts'
import type { Block, FieldType } from './reader.ts'

const maxBlockRows = 16_384
const maxBlockCells = 262_144

/**
 * Makes the blocks of one series out of pieces from files, which come in the order of time, each point once, and the
 * buffered points, which are newer.
 */
export class SeriesMerger {
  readonly #seriesId: number
  readonly #types: readonly FieldType[]
  readonly #blockRows: number
  readonly #buffered: BufferedRun
  /** How many buffered points have been taken. */
  #taken = 0

  constructor(seriesId: number, types: readonly FieldType[], buffered: BufferedRun) {
    this.#seriesId = seriesId
    this.#types = types
    this.#blockRows = Math.min(maxBlockRows, Math.ceil(maxBlockCells / Math.max(1, types.length)))
    this.#buffered = buffered
  }

  /** Takes a piece that is later than those before. */
  *add(run: Run): Generator<Block> {
    const end = countThrough(this.#buffered.times, run.times.at(-1)!)
    let rest = run
    while (this.#taken < end) {
      const newer = this.#take(end)
      const { length } = rest.times
      const count = this.#taken === end ? length : countThrough(rest.times, newer.times.at(-1)!)
      const older = count === length ? rest : partOfRun(rest, 0, count)
      yield* this.#blocks(mergeRuns(this.#types, older, newer))
      rest = partOfRun(rest, count, length)
    }
    yield* this.#blocks(rest)
  }

  *end(): Generator<Block> {
    const { length } = this.#buffered.times
    while (this.#taken < length) yield this.#block(this.#take(length))
  }

  /** The next buffered points, as many as a block has, or those before `end`. */
  #take(end: number): Run {
    const from = this.#taken
    this.#taken = Math.min(end, from + this.#blockRows)
    return this.#buffered.part(from, this.#taken)
  }

  *#blocks(run: Run): Generator<Block> {
    const { length } = run.times
    const rows = this.#blockRows
    for (let from = 0; from < length; from += rows)
      yield this.#block(length <= rows ? run : partOfRun(run, from, Math.min(from + rows, length)))
  }

  #block({ times, columns }: Run): Block {
    return { seriesId: this.#seriesId, times, columns }
  }
}
