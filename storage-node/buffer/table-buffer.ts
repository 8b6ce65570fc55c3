import type { BatchTable } from '../line-protocol/batch.ts'
import type { Column, FieldType } from '../engine/reader.ts'
import { copyCell, copyRows, grownVector, newVector, valueBytes, type Vector } from './vector.ts'

const firstCapacity = 16
const rowBytes = 12
const emptyBytes = 1024
/** What a string takes apart from its characters and the place that points to it. */
const stringBytes = 20

/** About what the rows of a batch will take in a buffer. */
export function bytesOfTable({ rowCount, columns }: BatchTable): number {
  let bytes = rowCount * rowBytes
  for (const column of columns) {
    bytes += rowCount * valueBytes[column.type]
    if (column.type === 'string') bytes += bytesOfStrings(column.values)
  }
  return bytes
}

function bytesOfStrings(values: readonly string[]): number {
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
  readonly #columns: (Vector | undefined)[] = []
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

  column(field: number): Column | null {
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
    for (const [index, column] of table.columns.entries()) {
      const vector = this.#column(fields[index]!, column.type)
      if (rows) for (let at = 0; at < count; at++) copyCell(column, rowOf(at), vector, start + at)
      else copyRows(column, 0, vector, start, count)
      if (column.type === 'string') this.#bytes += bytesOfStrings(column.values)
    }
    this.#rowCount += count
  }

  #column(field: number, type: FieldType): Vector {
    let vector = this.#columns[field]
    if (!vector) {
      vector = newVector(type, this.#capacity)
      this.#columns[field] = vector
      this.#bytes += this.#capacity * valueBytes[type]
    }
    return vector
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
    const added = capacity - this.#capacity
    for (const [field, vector] of this.#columns.entries()) {
      if (!vector) continue
      this.#columns[field] = grownVector(vector, this.#rowCount, capacity)
      this.#bytes += added * valueBytes[vector.type]
    }
    this.#bytes += added * rowBytes
    this.#capacity = capacity
  }
}
