import type { Column } from '../engine/reader.ts'
import type { ResultSeries, Value } from './result.ts'

/** One or more columns whose values are the same in all rows of one origin: `cells[origins[row]]`. */
export interface FixedColumns {
  readonly type: 'fixed'
  readonly origins: Int32Array
  /** Of each origin, as many values as there are columns. */
  readonly cells: readonly (readonly Value[])[]
}

/** Null is a column without values. */
export type TableColumn = Column | FixedColumns | null

/** Rows of an answer that stand column by column, as they were read: the time is the first value of each. */
export class Table {
  readonly times: BigInt64Array
  readonly columns: readonly TableColumn[]
  readonly from: number
  readonly to: number

  /** @param from the first row, of those in the columns, and `to` the first behind them */
  constructor(times: BigInt64Array, columns: readonly TableColumn[], from = 0, to = times.length) {
    this.times = times
    this.columns = columns
    this.from = from
    this.to = to
  }

  get length(): number {
    return this.to - this.from
  }

  /** Some of the rows, over the same columns. */
  slice(from: number, to: number): Table {
    return new Table(
      this.times,
      this.columns,
      Math.min(this.from + from, this.to),
      Math.min(this.from + to, this.to),
    )
  }
}

/** The rows of a series one by one. */
export function rowsOf({ rows }: Pick<ResultSeries, 'rows'>): readonly (readonly Value[])[] {
  if (!(rows instanceof Table)) return rows
  return Array.from({ length: rows.length }, (_, i) => {
    const row = rows.from + i
    return [rows.times[row]!, ...rows.columns.flatMap((column) => cellsOf(column, row))]
  })
}

function cellsOf(column: TableColumn, row: number): readonly Value[] {
  if (column === null) return [null]
  if (column.type === 'fixed') return column.cells[column.origins[row]!]!
  if (column.present !== null && column.present[row] === 0) return [null]
  const value = column.values[row]!
  if (column.type === 'boolean') return [value === 1]
  return [typeof value === 'number' && Number.isNaN(value) ? null : value]
}
