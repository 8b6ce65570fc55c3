import type { BatchColumn, BatchSeries, BatchTable, FieldType } from './batch.ts'
import { assert, unreachable } from '../../common/errors.ts'
import { textOf, type Text } from './text.ts'

const firstCapacity = 4
/** Bounds on what one batch may make: room is taken for every row in every column. */
const maxColumns = 4096
const cellsPerByte = 64
const alwaysCells = 262_144
const maxCells = 2_097_152
/** Of the table before, so many columns are made again at once; a table with more is filled as it comes. */
const maxExpectedColumns = 64

export const tooManyFields = `too many different fields in one request: at most ${maxColumns} of a measurement, and ${cellsPerByte} values a byte with the empty places between them`

/** What the tables of one batch may still take, together. */
export interface CellBudget {
  left: number
}

export const cellBudget = (batchBytes: number): CellBudget => ({
  left: Math.min(maxCells, Math.max(alwaysCells, cellsPerByte * batchBytes)),
})

type Storage =
  | { type: 'float'; values: Float64Array }
  | { type: 'integer'; values: BigInt64Array; halves: Int32Array }
  | { type: 'unsigned'; values: BigUint64Array; halves: Int32Array }
  | { type: 'boolean'; values: Uint8Array }
  | { type: 'string'; values: string[] }

/** One field while it is being filled. */
export interface ColumnBuilder {
  readonly name: string
  /** The key as written, and the equals sign. */
  readonly written: Text
  readonly storage: Storage
  /** Columns of the same name and another type: of a field twice in a line the last counts. */
  readonly namesakes: ColumnBuilder[]
  present: Uint8Array
}

/** What is remembered of a table, since the next batch mostly has one just like it. */
export interface TableShape {
  readonly rows: number
  readonly columns: readonly { readonly name: string; readonly type: FieldType; readonly written: Text }[]
}

/** The rows of one measurement while they are being filled; row `rowCount` is the one in hand until `commit`. */
export class TableBuilder {
  readonly measurement: string
  readonly series: BatchSeries[] = []
  readonly columns: ColumnBuilder[] = []
  rowCount = 0
  /** Set when the row in hand does not fit. */
  full = false
  /** How many columns, from the first on, a plain line has given the row in hand. */
  plainColumns = 0
  /** Lines disagree about the type of a field. */
  mixed = false
  /** Of the field keys, bytes as written. */
  longestKeyLength = 0
  readonly #indexes = new Map<string, number>()
  readonly #budget: CellBudget
  /** Columns that the row in hand was given a value in. */
  readonly #touched: ColumnBuilder[] = []
  #capacity = firstCapacity
  #times = new BigInt64Array(firstCapacity)
  #seriesOfRow = new Uint32Array(firstCapacity)
  /** The times as 32-bit halves, the way in which digits become a time without a bigint. */
  timeHalves = new Int32Array(this.#times.buffer)

  constructor(measurement: string, budget: CellBudget, expected: TableShape | null) {
    this.measurement = measurement
    this.#budget = budget
    if (!expected || expected.columns.length > maxExpectedColumns) return
    if (expected.rows * expected.columns.length > budget.left / 4) return
    this.#grow(Math.max(firstCapacity, expected.rows))
    for (const { name, type, written } of expected.columns) this.#addColumn(name, type, written)
  }

  /**
   * @param written the key as written, and the equals sign
   * @returns the column's index, made where there is none yet; -1 where no more fit, and then the table is `full`
   */
  columnIndex(name: string, type: FieldType, written: Uint8Array): number {
    const known = this.#indexes.get(`${type} ${name}`)
    if (known !== undefined) return known
    if (this.columns.length >= maxColumns || this.#capacity > this.#budget.left) {
      this.full = true
      return -1
    }
    return this.#addColumn(name, type, textOf(Buffer.from(written)))
  }

  #addColumn(name: string, type: FieldType, written: Text): number {
    this.#budget.left -= this.#capacity
    this.#indexes.set(`${type} ${name}`, this.columns.length)
    const column: ColumnBuilder = {
      name,
      written,
      storage: newStorage(type, this.#capacity),
      namesakes: this.columns.filter((other) => other.name === name),
      present: new Uint8Array(this.#capacity),
    }
    this.longestKeyLength = Math.max(this.longestKeyLength, written.bytes.length - 1)
    if (column.namesakes.length > 0) this.mixed = true
    for (const other of column.namesakes) other.namesakes.push(column)
    return this.columns.push(column) - 1
  }

  setTime(timeNs: bigint): void {
    this.#times[this.rowCount] = timeNs
  }

  /** The row in hand has a value in this column; of a field twice in a line the last counts. */
  mark(column: ColumnBuilder): void {
    column.present[this.rowCount] = 1
    for (const namesake of column.namesakes) namesake.present[this.rowCount] = 0
    this.#touched.push(column)
  }

  /** Keeps the row in hand. */
  commit(series: number): void {
    this.#touched.length = 0
    this.#seriesOfRow[this.rowCount] = series
    this.rowCount++
    if (this.rowCount < this.#capacity) return
    const { length } = this.columns
    const added = Math.min(this.#capacity, Math.floor(this.#budget.left / Math.max(1, length)))
    this.full = added === 0
    if (added === 0) return
    this.#budget.left -= added * length
    this.#grow(this.#capacity + added)
  }

  /** Forgets what the row in hand was given. */
  rollBack(): void {
    for (const column of this.#touched) column.present[this.rowCount] = 0
    this.#touched.length = 0
    this.full = this.rowCount === this.#capacity
  }

  shape(): TableShape {
    const used = this.columns.filter(({ present }) => present.includes(1))
    return {
      // Its last row leaves no place for one in hand.
      rows: this.rowCount + 1,
      columns: used.map(({ name, storage, written }) => ({ name, type: storage.type, written })),
    }
  }

  finish(): BatchTable {
    const columns: BatchColumn[] = []
    for (const column of this.columns) {
      const finished = finishColumn(column, this.rowCount)
      if (finished) columns.push(finished)
    }
    return {
      measurement: this.measurement,
      rowCount: this.rowCount,
      series: this.series,
      seriesOfRow: this.#seriesOfRow.subarray(0, this.rowCount),
      times: this.#times.subarray(0, this.rowCount),
      columns,
    }
  }

  #grow(capacity: number): void {
    this.#capacity = capacity
    const times = new BigInt64Array(this.#capacity)
    times.set(this.#times)
    this.#times = times
    this.timeHalves = new Int32Array(times.buffer)
    const seriesOfRow = new Uint32Array(this.#capacity)
    seriesOfRow.set(this.#seriesOfRow)
    this.#seriesOfRow = seriesOfRow
    for (const column of this.columns) {
      growStorage(column.storage, this.#capacity)
      const present = new Uint8Array(this.#capacity)
      present.set(column.present)
      column.present = present
    }
  }
}

function newStorage(type: FieldType, capacity: number): Storage {
  switch (type) {
    case 'float':
      return { type, values: new Float64Array(capacity) }
    case 'integer': {
      const values = new BigInt64Array(capacity)
      return { type, values, halves: new Int32Array(values.buffer) }
    }
    case 'unsigned': {
      const values = new BigUint64Array(capacity)
      return { type, values, halves: new Int32Array(values.buffer) }
    }
    case 'boolean':
      return { type, values: new Uint8Array(capacity) }
    case 'string':
      return { type, values: [] }
    default:
      return unreachable(type)
  }
}

function growStorage(storage: Storage, capacity: number): void {
  if (storage.type === 'string') return
  const old = storage.values
  const grown = newStorage(storage.type, capacity)
  assert(grown.type !== 'string', 'only strings need no capacity')
  new Uint8Array(grown.values.buffer).set(new Uint8Array(old.buffer))
  Object.assign(storage, grown)
}

function finishColumn(column: ColumnBuilder, rowCount: number): BatchColumn | null {
  const present = column.present.subarray(0, rowCount)
  let count = 0
  for (const flag of present) count += flag
  if (count === 0) return null
  const shared = { name: column.name, present: count === rowCount ? null : present }
  const { storage } = column
  switch (storage.type) {
    case 'float':
      return { ...shared, type: 'float', values: storage.values.subarray(0, rowCount) }
    case 'integer':
      return { ...shared, type: 'integer', values: storage.values.subarray(0, rowCount) }
    case 'unsigned':
      return { ...shared, type: 'unsigned', values: storage.values.subarray(0, rowCount) }
    case 'boolean':
      return { ...shared, type: 'boolean', values: storage.values.subarray(0, rowCount) }
    case 'string':
      return {
        ...shared,
        type: 'string',
        values: Array.from({ length: rowCount }, (_, row) =>
          present[row] === 1 ? storage.values[row]! : '',
        ),
      }
    default:
      return unreachable(storage)
  }
}
