import type { Run } from '../buffer/merge.ts'
import { textColumns } from '../buffer/text-bytes.ts'
import { copyRows, finishVector, newVector, type Vector } from '../buffer/vector.ts'
import type { FoundRows, ReadJob } from './messages.ts'

/** Characters of all strings: some messages of these are under way at a time. */
const maxTextLength = 2_097_152

/** Rows put together to a message. Columns are made for fields that some row has: of wide tables most have none. */
export class Batch {
  readonly #capacity: number
  readonly #wanted: ReadJob['columns']
  readonly #series: Uint32Array<ArrayBuffer>
  readonly #times: BigInt64Array<ArrayBuffer>
  readonly #columns: (Vector | null)[]
  #rowCount = 0
  #textLength = 0

  constructor({ columns }: ReadJob, capacity: number) {
    this.#capacity = capacity
    this.#wanted = columns
    this.#series = new Uint32Array(capacity)
    this.#times = new BigInt64Array(capacity)
    this.#columns = columns.map(() => null)
  }

  get rowCount(): number {
    return this.#rowCount
  }

  get isFull(): boolean {
    return this.#rowCount === this.#capacity || this.#textLength >= maxTextLength
  }

  /** @returns how many rows of the run from `from` on found room */
  add(seriesId: number, { times, columns }: Run, from: number): number {
    const to = this.#rowCount
    const count = this.#countThatFits(columns, from, Math.min(times.length - from, this.#capacity - to))
    this.#series.fill(seriesId, to, to + count)
    this.#times.set(times.subarray(from, from + count), to)
    for (const [index, column] of columns.entries()) {
      if (!column) continue
      const vector = (this.#columns[index] ??= newVector(this.#wanted[index]!.type, this.#capacity))
      copyRows(column, from, vector, to, count)
    }
    this.#rowCount += count
    return count
  }

  /** At least one. */
  #countThatFits(columns: Run['columns'], from: number, most: number): number {
    const texts = textColumns(columns)
    if (texts.length === 0) return most
    let count = 0
    while (count < most && this.#textLength < maxTextLength) {
      for (const { values } of texts) this.#textLength += values[from + count]!.length
      count++
    }
    return count
  }

  get rows(): FoundRows {
    const count = this.#rowCount
    return {
      series: this.#series.subarray(0, count),
      times: this.#times.subarray(0, count),
      columns: this.#columns.map((vector) => vector && finishVector(vector, count)),
    }
  }
}
