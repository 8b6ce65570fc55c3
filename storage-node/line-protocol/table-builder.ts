import type { BatchColumn, BatchSeries, BatchTable, FieldType } from './batch.ts'
import { assert, unreachable } from '../../common/errors.ts'
import { textOf, type Text } from './text.ts'

const firstCapacity = 4
/** Bounds on what one batch may make: room is taken for every row in every column. */
const maxColumns = 4096
const cellsPerByte = 64
const alwaysCells = 262_144
const maxCells = 2_097_152
/** What a column takes beside its values, as values. */
const cellsPerColumn = 64
/** A table with more columns is not remembered: the next one is filled as it comes. */
const maxExpectedColumns = 64
/** The part of a budget that there is again, for what is made ahead. */
const aheadPart = 1 / 4

export const tooManyFields = `too many different fields in one request: at most ${maxColumns} of a measurement, and ${cellsPerByte} values a byte with the empty places between them`

/** What the tables of one batch may still take, together. */
export interface CellBudget {
  left: number
  /** For what is made ahead of its values: a table before takes nothing away from those that come. */
  ahead: number
}

export function cellBudget(batchBytes: number): CellBudget {
  const left = Math.min(maxCells, Math.max(alwaysCells, cellsPerByte * batchBytes))
  return { left, ahead: left * aheadPart }
}

const cellsOf = (columns: number, rows: number): number => columns * (rows + cellsPerColumn)

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
  namesakes: ColumnBuilder[]
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
  columns: ColumnBuilder[] = []
  rowCount = 0
  /** Set when the row in hand does not fit. */
  full = false
  /** How many columns, from the first on, a plain line has given the row in hand. */
  plainColumns = 0
  /** Lines disagree about the type of a field. */
  mixed = false
  /** Of the field keys, bytes as written. */
  longestKeyLength = 0
  #indexes = new Map<string, number>()
  readonly #budget: CellBudget
  /** Columns that the row in hand was given a value in. */
  readonly #touched: ColumnBuilder[] = []
  /** Rows that are paid for, in every column. There may be room for more. */
  #capacity = firstCapacity
  /** There are the columns and rows of the table before, at the cost of what may be made ahead. */
  #isAhead = false
  #times = new BigInt64Array(firstCapacity)
  #seriesOfRow = new Uint32Array(firstCapacity)
  /** The times as 32-bit halves, the way in which digits become a time without a bigint. */
  timeHalves = new Int32Array(this.#times.buffer)

  constructor(measurement: string, budget: CellBudget, expected: TableShape | null) {
    this.measurement = measurement
    this.#budget = budget
    if (!expected) return
    const cells = cellsOf(expected.columns.length, expected.rows)
    if (cells > budget.ahead) return
    budget.ahead -= cells
    this.#isAhead = true
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
    this.full ||= !this.#settle() || this.columns.length >= maxColumns
    const cells = cellsOf(1, this.#capacity)
    this.full ||= cells > this.#budget.left
    if (this.full) return -1
    this.#budget.left -= cells
    return this.#addColumn(name, type, textOf(Buffer.from(written)))
  }

  #addColumn(name: string, type: FieldType, written: Text): number {
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
    if (this.#isAhead) {
      this.full = !this.#settle()
      return
    }
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

  /** @returns null if it is too wide to be made ahead */
  shape(): TableShape | null {
    const used = this.columns.filter(isUsed)
    if (used.length > maxExpectedColumns) return null
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

  /**
   * What was made ahead becomes what there would be if nothing had been expected: columns without a value go, and the
   * others are paid for. A body is cut at the same lines, then, whatever came before it.
   * @returns whether there is room, for the row in hand too
   */
  #settle(): boolean {
    if (!this.#isAhead) return true
    let capacity = firstCapacity
    while (capacity <= this.rowCount) capacity *= 2
    const used = this.columns.filter(isUsed)
    const cells = cellsOf(used.length, capacity)
    if (cells > this.#budget.left) return false
    this.#budget.left -= cells
    this.#isAhead = false
    this.columns = used
    this.#indexes = new Map(used.map(({ storage, name }, index) => [`${storage.type} ${name}`, index]))
    for (const column of used) column.namesakes = column.namesakes.filter(isUsed)
    this.mixed = used.some(({ namesakes }) => namesakes.length > 0)
    this.#grow(capacity)
    return true
  }

  /** What is larger already stays as it is. */
  #grow(capacity: number): void {
    this.#capacity = capacity
    if (this.#times.length < capacity) this.#growRows(capacity)
    for (const column of this.columns) {
      if (column.present.length >= capacity) continue
      growStorage(column.storage, capacity)
      const present = new Uint8Array(capacity)
      present.set(column.present)
      column.present = present
    }
  }

  #growRows(capacity: number): void {
    const times = new BigInt64Array(capacity)
    times.set(this.#times)
    this.#times = times
    this.timeHalves = new Int32Array(times.buffer)
    const seriesOfRow = new Uint32Array(capacity)
    seriesOfRow.set(this.#seriesOfRow)
    this.#seriesOfRow = seriesOfRow
  }
}

const isUsed = ({ present }: ColumnBuilder): boolean => present.includes(1)

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
