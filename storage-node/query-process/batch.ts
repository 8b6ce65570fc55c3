import type { Run } from '../buffer/merge.ts'
import { copyRows, finishVector, newVector, type Vector } from '../buffer/vector.ts'
import type { FoundRows, ReadJob } from './messages.ts'

/** Rows put together to a message. Columns are made for fields that some row has: of wide tables most have none. */
export class Batch {
  readonly #capacity: number
  readonly #wanted: ReadJob['columns']
  readonly #series: Uint32Array<ArrayBuffer>
  readonly #times: BigInt64Array<ArrayBuffer>
  readonly #columns: (Vector | null)[]
  #rowCount = 0

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
    return this.#rowCount === this.#capacity
  }

  /** @returns how many rows of the run from `from` on found room */
  add(seriesId: number, { times, columns }: Run, from: number): number {
    const to = this.#rowCount
    const count = Math.min(times.length - from, this.#capacity - to)
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

  get rows(): FoundRows {
    const count = this.#rowCount
    return {
      series: this.#series.subarray(0, count),
      times: this.#times.subarray(0, count),
      columns: this.#columns.map((vector) => vector && finishVector(vector, count)),
    }
  }
}
