import type { Run } from '../buffer/merge.ts'
import { copyRows, newVector, part, type Vector } from '../buffer/vector.ts'
import type { ReadJob, Rows } from './messages.ts'

/** Rows put together to a message. */
export class Batch {
  readonly #capacity: number
  readonly #series: Uint32Array<ArrayBuffer>
  readonly #times: BigInt64Array<ArrayBuffer>
  readonly #columns: readonly Vector[]
  #rowCount = 0

  constructor({ columns }: ReadJob, capacity: number) {
    this.#capacity = capacity
    this.#series = new Uint32Array(capacity)
    this.#times = new BigInt64Array(capacity)
    this.#columns = columns.map(({ type }) => newVector(type, capacity))
  }

  get rowCount(): number {
    return this.#rowCount
  }

  get isFull(): boolean {
    return this.#rowCount === this.#capacity
  }

  /** @returns how many rows of the run from `from` on found room */
  add(seriesId: number, { times, columns }: Run, from: number): number {
    const to = this.#rowCount
    const count = Math.min(times.length - from, this.#capacity - to)
    this.#series.fill(seriesId, to, to + count)
    this.#times.set(times.subarray(from, from + count), to)
    for (const [index, column] of columns.entries())
      if (column) copyRows(column, from, this.#columns[index]!, to, count)
    this.#rowCount += count
    return count
  }

  get rows(): Rows {
    const count = this.#rowCount
    return {
      rowCount: count,
      columns: [
        { type: 'series', values: this.#series.subarray(0, count), present: null },
        { type: 'integer', values: this.#times.subarray(0, count), present: null },
        ...this.#columns.map((vector) => part(vector, 0, count)),
      ],
    }
  }
}
