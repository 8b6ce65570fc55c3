import type { BatchColumn } from '../line-protocol/batch.ts'
import { SparseCells } from './sparse-cells.ts'
import { cellOf, copyCell, copyRows, newVector, setCell, valueBytes, type Vector } from './vector.ts'

/**
 * The values of one field of a buffer, in the form that takes less: a place for each row, maybe not for the last ones,
 * which then have no value; or only the rows that have one.
 */
export type BufferColumn = Places | SparseCells

/** Places of rows, and how many of them have a value. */
type Places = Vector & { count: number }

/** Up to so many values nothing is gained by places. */
const fewValues = 16
/** A column has places when more than one row in so many has a value. */
const rowsPerValue = 4
const columnBytes = 200
/** A row's number, a value and, where that is an object, the object. */
const sparseBytes = { float: 24, integer: 48, unsigned: 48, boolean: 24, string: 24 } as const

/** About what a column takes, without the characters of strings. */
export function columnBytesOf(column: BufferColumn): number {
  return column instanceof SparseCells
    ? columnBytes + column.count * sparseBytes[column.type]
    : columnBytes + column.present.length * valueBytes[column.type]
}

/** About what a batch's column will take, without the characters of strings. */
export function bytesOfValues({ type, present }: BatchColumn, rowCount: number): number {
  let values = rowCount
  if (present) {
    values = 0
    for (const flag of present) values += flag
  }
  return columnBytes + Math.min(values * sparseBytes[type], rowCount * valueBytes[type])
}

/** Rows of a batch on their way into a buffer. */
export interface Arrival {
  /** Which rows of the batch; null for all. */
  readonly rows: readonly number[] | null
  readonly count: number
  /** The row of the buffer that the first becomes. */
  readonly start: number
  /** How many rows the buffer has room for. */
  readonly capacity: number
}

/**
 * @param column null for none yet
 * @returns the column with the rows' values in it: the old one, or another in its place, and then the old one stays as it was
 */
export function withArrival(
  column: BufferColumn | null,
  from: BatchColumn,
  arrival: Arrival,
): BufferColumn | null {
  const added = valuesIn(from, arrival)
  if (added === 0) return column
  const to = fitting(column ?? new SparseCells(from.type), added, arrival)
  if (to instanceof SparseCells) addCells(to, from, arrival)
  else {
    fillPlaces(to, from, arrival)
    to.count += added
  }
  return to
}

/**
 * The common case of `withArrival`, without looking for the better form: the column has places for the rows already, and
 * takes as much afterwards as before.
 * @returns whether it was so; otherwise nothing was done
 */
export function fillsPlaces(column: BufferColumn, from: BatchColumn, arrival: Arrival): boolean {
  if (column instanceof SparseCells || arrival.start + arrival.count > column.present.length) return false
  fillPlaces(column, from, arrival)
  column.count += valuesIn(from, arrival)
  return true
}

function addCells(to: SparseCells, from: BatchColumn, { rows, count, start }: Arrival): void {
  for (let at = 0; at < count; at++) {
    const row = rows ? rows[at]! : at
    if (!from.present || from.present[row] === 1) to.add(start + at, cellOf(from, row))
  }
}

function fillPlaces(to: Places, from: BatchColumn, { rows, count, start }: Arrival): void {
  if (!rows) copyRows(from, 0, to, start, count)
  else for (let at = 0; at < count; at++) copyCell(from, rows[at]!, to, start + at)
}

function valuesIn({ present }: BatchColumn, { rows, count }: Arrival): number {
  if (!present) return count
  let values = 0
  if (rows) for (const row of rows) values += present[row]!
  else for (let row = 0; row < count; row++) values += present[row]!
  return values
}

/** The column in the form that takes less once so many more values are in it. */
function fitting(
  column: BufferColumn,
  added: number,
  { start, count, capacity }: Omit<Arrival, 'rows'>,
): BufferColumn {
  const rowCount = start + count
  if (!(column instanceof SparseCells) && rowCount <= column.present.length) return column
  if (isWorthPlaces(column.count + added, rowCount)) return withPlaces(column, capacity)
  return column instanceof SparseCells ? column : withoutPlaces(column)
}

const isWorthPlaces = (values: number, rowCount: number): boolean =>
  values > fewValues && values * rowsPerValue > rowCount

function withPlaces(column: BufferColumn, capacity: number): Places {
  const vector = newVector(column.type, capacity)
  if (column instanceof SparseCells)
    for (const [row, value] of column.between(0, capacity)) setCell(vector, row, value)
  else copyRows(column, 0, vector, 0, column.present.length)
  return { ...vector, count: column.count }
}

function withoutPlaces(vector: Vector): SparseCells {
  const cells = new SparseCells(vector.type)
  for (const [row, flag] of vector.present.entries()) if (flag === 1) cells.add(row, cellOf(vector, row))
  return cells
}

/** Rows of another buffer on their way into one: runs of rows, where one begins, where it ends, and so on. */
export interface RunsArrival extends Omit<Arrival, 'rows'> {
  readonly runs: readonly number[]
}

/** Like `withArrival`, with rows of another buffer's column. */
export function withRuns(
  column: BufferColumn | null,
  from: BufferColumn,
  arrival: RunsArrival,
): BufferColumn | null {
  const added = valuesInRuns(from, arrival.runs)
  if (added === 0) return column
  const to = fitting(column ?? new SparseCells(from.type), added, arrival)
  eachRun(arrival.runs, (first, end, at) => addRun(to, from, first, end, arrival.start + at))
  if (!(to instanceof SparseCells)) to.count += added
  return to
}

function valuesInRuns(from: BufferColumn, runs: readonly number[]): number {
  let values = 0
  eachRun(runs, (first, end) => {
    if (from instanceof SparseCells) values += from.countBetween(first, end)
    else for (const flag of from.present.subarray(first, end)) values += flag
  })
  return values
}

function addRun(to: BufferColumn, from: BufferColumn, first: number, end: number, start: number): void {
  if (from instanceof SparseCells) {
    for (const [row, value] of from.between(first, end)) {
      if (to instanceof SparseCells) to.add(start + row - first, value)
      else setCell(to, start + row - first, value)
    }
    return
  }
  const last = Math.min(end, from.present.length)
  if (to instanceof SparseCells) {
    for (let row = first; row < last; row++)
      if (from.present[row] === 1) to.add(start + row - first, cellOf(from, row))
  } else if (last > first) copyRows(from, first, to, start, last - first)
}

/** The strings in some rows of a column; none of a column of another type. */
export function stringsIn(from: BufferColumn, runs: readonly number[]): string[] {
  const found: string[] = []
  if (from.type !== 'string') return found
  eachRun(runs, (first, end) => {
    if (from instanceof SparseCells)
      for (const [, value] of from.between(first, end)) found.push(String(value))
    else for (const value of from.values.slice(first, end)) found.push(value)
  })
  return found
}

/** @param visit gets where a run begins and ends, and how many rows of others came before it */
export function eachRun(
  runs: readonly number[],
  visit: (from: number, end: number, to: number) => void,
): void {
  let to = 0
  for (let k = 0; k < runs.length; k += 2) {
    visit(runs[k]!, runs[k + 1]!, to)
    to += runs[k + 1]! - runs[k]!
  }
}

/** Marks the rows from `from` to `end` that have a value, the first of them as the first mark. @returns how many had no mark yet */
export function markRows(column: BufferColumn, marks: Uint8Array, from: number, end: number): number {
  let marked = 0
  if (column instanceof SparseCells) {
    for (const [row] of column.between(from, end)) {
      marked += 1 - marks[row - from]!
      marks[row - from] = 1
    }
    return marked
  }
  const { present } = column
  const last = Math.min(end, present.length)
  for (let row = from; row < last; row++) {
    if (present[row] === 0 || marks[row - from] === 1) continue
    marks[row - from] = 1
    marked++
  }
  return marked
}
