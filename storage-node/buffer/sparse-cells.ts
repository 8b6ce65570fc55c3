import type { FieldType } from '../engine/reader.ts'
import { setCell, type Cell, type Vector } from './vector.ts'

/** The values of a field that few rows have: those rows, ascending, and their values. Rows are only ever added behind. */
export class SparseCells {
  readonly type: FieldType
  #rows: number[] = []
  #values: Cell[] = []

  constructor(type: FieldType) {
    this.type = type
  }

  /** Ascending. */
  get rows(): readonly number[] {
    return this.#rows
  }

  get count(): number {
    return this.#rows.length
  }

  /** @param row after all that are there */
  add(row: number, value: Cell): void {
    if (this.#rows.length === 0) {
      // Made as they are needed, not grown to it: a line with many new fields makes many of these.
      this.#rows = [row]
      this.#values = [value]
      return
    }
    this.#rows.push(row)
    this.#values.push(value)
  }

  /** Whether a row between has a value; both bounds count. */
  hasAny(first: number, last: number): boolean {
    const row = this.#rows[this.#placeOf(first)]
    return row !== undefined && row <= last
  }

  countBetween(from: number, end: number): number {
    return this.#placeOf(end) - this.#placeOf(from)
  }

  cellAt(row: number): Cell | null {
    const place = this.#placeOf(row)
    return this.#rows[place] === row ? this.#values[place]! : null
  }

  /** Copies one row's value, if it has one. */
  copyCell(row: number, to: Vector, toRow: number): void {
    const value = this.cellAt(row)
    if (value !== null) setCell(to, toRow, value)
  }

  /** The rows from `from` to `end` that have a value, and their values. */
  *between(from: number, end: number): Generator<readonly [row: number, value: Cell]> {
    for (let place = this.#placeOf(from); place < this.#rows.length && this.#rows[place]! < end; place++)
      yield [this.#rows[place]!, this.#values[place]!]
  }

  /** @returns the place of the first that is not before `row` */
  #placeOf(row: number): number {
    const rows = this.#rows
    let low = 0
    let high = rows.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (rows[middle]! < row) low = middle + 1
      else high = middle
    }
    return low
  }
}
