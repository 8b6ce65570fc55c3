import { countThrough, mergeRuns, partOfRun, pickColumn, type Run } from '../buffer/merge.ts'
import type { Block, FieldType } from './reader.ts'

const blockRows = 16_384

/**
 * Makes the blocks of one series out of pieces from files, which come in the order of time, and the buffered points,
 * which are newer. A piece may begin with the very point that the piece before ended with: then the later one is newer.
 */
export class SeriesMerger {
  readonly #seriesId: number
  readonly #types: readonly FieldType[]
  #buffered: Run
  #held: Run | null = null

  constructor(seriesId: number, types: readonly FieldType[], buffered: Run) {
    this.#seriesId = seriesId
    this.#types = types
    this.#buffered = buffered
  }

  /** Takes a piece of which times rise, maybe with repetitions of which the later is the newer. */
  *add(piece: Run): Generator<Block> {
    const run = strictlyAscending(this.#types, piece)
    const held = this.#held
    if (held && held.times.at(-1) === run.times[0]) {
      this.#held = mergeRuns(this.#types, held, run)
      return
    }
    this.#held = run
    if (held) yield* this.#emit(held)
  }

  *end(): Generator<Block> {
    if (this.#held) yield* this.#emit(this.#held)
    yield* this.#blocks(this.#buffered)
  }

  *#emit(run: Run): Generator<Block> {
    const count = countThrough(this.#buffered.times, run.times.at(-1)!)
    if (count === 0) {
      yield* this.#blocks(run)
      return
    }
    const newer = partOfRun(this.#buffered, 0, count)
    this.#buffered = partOfRun(this.#buffered, count, this.#buffered.times.length)
    yield* this.#blocks(mergeRuns(this.#types, run, newer))
  }

  *#blocks(run: Run): Generator<Block> {
    const { length } = run.times
    for (let from = 0; from < length; from += blockRows) {
      const part = length <= blockRows ? run : partOfRun(run, from, Math.min(from + blockRows, length))
      yield { seriesId: this.#seriesId, times: part.times, columns: part.columns }
    }
  }
}

/** Rows of one time become one row, the later over the earlier. */
function strictlyAscending(types: readonly FieldType[], run: Run): Run {
  const count = run.times.length
  const rows = new Int32Array(count)
  const targets = new Int32Array(count)
  const times = new BigInt64Array(count)
  let target = -1
  for (let k = 0; k < count; k++) {
    if (k === 0 || run.times[k] !== run.times[k - 1]) times[++target] = run.times[k]!
    rows[k] = k
    targets[k] = target
  }
  if (target + 1 === count) return run
  const picking = { rows, sources: new Uint8Array(count), targets, targetCount: target + 1 }
  return {
    times: times.subarray(0, target + 1),
    columns: types.map((type, index) => pickColumn(type, [run.columns[index] ?? null], picking)),
  }
}
