import type { BatchTable } from '../line-protocol/batch.ts'
import {
  bytesOfValues,
  columnBytesOf,
  eachRun,
  fillsPlaces,
  stringsIn,
  withArrival,
  withRuns,
  type BufferColumn,
} from './buffer-column.ts'

const firstCapacity = 16
const rowBytes = 12
const emptyBytes = 1024
/** What a string takes apart from its characters and the place that points to it. */
const stringBytes = 20

/** About what the rows of a batch will take in a buffer. */
export function bytesOfTable({ rowCount, columns }: BatchTable): number {
  let bytes = rowCount * rowBytes
  for (const column of columns) {
    bytes += bytesOfValues(column, rowCount)
    if (column.type === 'string') bytes += bytesOfStrings(column.values)
  }
  return bytes
}

function bytesOfStrings(values: Iterable<string>): number {
  let bytes = 0
  for (const text of values) if (text.length > 0) bytes += stringBytes + text.length
  return bytes
}

/**
 * Points of one measurement in one retention policy that are not in files yet: append-only columns, in the order in
 * which the points came. Fields are known by their number in the measurement's schema.
 */
export class TableBuffer {
  #capacity = firstCapacity
  #rowCount = 0
  #series = new Uint32Array(firstCapacity)
  #times = new BigInt64Array(firstCapacity)
  readonly #columns: (BufferColumn | undefined)[] = []
  #bytes = emptyBytes

  get rowCount(): number {
    return this.#rowCount
  }

  /** An estimate of the memory in use. */
  get bytes(): number {
    return this.#bytes
  }

  /** Index = row; only the first `rowCount` are rows, and they do not change any more. */
  get series(): Uint32Array {
    return this.#series
  }

  get times(): BigInt64Array {
    return this.#times
  }

  /** Rows that it holds do not change; more may be added to it. */
  column(field: number): BufferColumn | null {
    return this.#columns[field] ?? null
  }

  get fields(): readonly number[] {
    return [...this.#columns.keys()].filter((field) => this.#columns[field] !== undefined)
  }

  /**
   * Appends the rows of a batch.
   * @param seriesIds the series id for each of the batch's series
   * @param fields the field number for each of the batch's columns
   * @param rows which rows; null for all
   */
  append(
    table: BatchTable,
    seriesIds: Uint32Array,
    fields: readonly number[],
    rows: readonly number[] | null,
  ): void {
    const count = rows?.length ?? table.rowCount
    this.#reserve(this.#rowCount + count)
    const start = this.#rowCount
    const rowOf = (index: number): number => rows?.[index] ?? index
    for (let index = 0; index < count; index++)
      this.#series[start + index] = seriesIds[table.seriesOfRow[rowOf(index)]!]!
    if (rows)
      for (let index = 0; index < count; index++) this.#times[start + index] = table.times[rowOf(index)]!
    else this.#times.set(table.times, start)
    const arrival = { rows, count, start, capacity: this.#capacity }
    for (const [index, column] of table.columns.entries()) {
      const field = fields[index]!
      const known = this.#columns[field]
      if (!known || !fillsPlaces(known, column, arrival))
        this.#change(field, (before) => withArrival(before, column, arrival))
      if (column.type !== 'string') continue
      const { values } = column
      this.#bytes += bytesOfStrings(rows ? rows.map((row) => values[row]!) : values)
    }
    this.#rowCount += count
  }

  /**
   * Appends rows of another buffer.
   * @param runs where a run of rows begins, where it ends, and so on
   */
  appendRuns(table: TableBuffer, runs: readonly number[]): void {
    let count = 0
    eachRun(runs, (from, end) => (count += end - from))
    const start = this.#rowCount
    this.#reserve(start + count)
    eachRun(runs, (from, end, at) => {
      this.#series.set(table.series.subarray(from, end), start + at)
      this.#times.set(table.times.subarray(from, end), start + at)
    })
    const arrival = { runs, count, start, capacity: this.#capacity }
    for (const field of table.fields) {
      const column = table.column(field)!
      this.#change(field, (before) => withRuns(before, column, arrival))
      this.#bytes += bytesOfStrings(stringsIn(column, runs))
    }
    this.#rowCount += count
  }

  #change(field: number, change: (before: BufferColumn | null) => BufferColumn | null): void {
    const before = this.#columns[field] ?? null
    // Values may be added to the very column, so what it takes is counted first.
    const bytesBefore = before ? columnBytesOf(before) : 0
    const after = change(before)
    if (!after) return
    this.#columns[field] = after
    this.#bytes += columnBytesOf(after) - bytesBefore
  }

  #reserve(rowCount: number): void {
    if (rowCount <= this.#capacity) return
    const capacity = Math.max(rowCount, Math.ceil(this.#capacity * 1.5))
    const series = new Uint32Array(capacity)
    series.set(this.#series.subarray(0, this.#rowCount))
    this.#series = series
    const times = new BigInt64Array(capacity)
    times.set(this.#times.subarray(0, this.#rowCount))
    this.#times = times
    this.#bytes += (capacity - this.#capacity) * rowBytes
    this.#capacity = capacity
  }
}
