import { unreachable } from '../../common/errors.ts'
import type { Column, FieldType } from '../engine/reader.ts'

/** A column that can be written. Where `present` is 0 the value means nothing. */
export type Vector =
  | { readonly type: 'float'; values: Float64Array; present: Uint8Array }
  | { readonly type: 'integer'; values: BigInt64Array; present: Uint8Array }
  | { readonly type: 'unsigned'; values: BigUint64Array; present: Uint8Array }
  | { readonly type: 'boolean'; values: Uint8Array; present: Uint8Array }
  | { readonly type: 'string'; values: string[]; present: Uint8Array }

/** Bytes a value takes; for strings the place that points to one. */
export const valueBytes: Readonly<Record<FieldType, number>> = {
  float: 9,
  integer: 9,
  unsigned: 9,
  boolean: 2,
  string: 9,
}

export function newVector(type: FieldType, capacity: number): Vector {
  const present = new Uint8Array(capacity)
  switch (type) {
    case 'float':
      return { type, values: new Float64Array(capacity), present }
    case 'integer':
      return { type, values: new BigInt64Array(capacity), present }
    case 'unsigned':
      return { type, values: new BigUint64Array(capacity), present }
    case 'boolean':
      return { type, values: new Uint8Array(capacity), present }
    case 'string':
      return { type, values: Array<string>(capacity).fill(''), present }
    default:
      return unreachable(type)
  }
}

/** Copies `count` rows at once. Both are of the same type. */
export function copyRows(from: Column, fromRow: number, to: Vector, toRow: number, count: number): void {
  // Of a small batch, making a part of a column takes longer than copying it.
  const isWhole = fromRow === 0 && count === from.values.length
  const rows = isWhole ? from : part(from, fromRow, fromRow + count)
  if (rows.present) to.present.set(rows.present, toRow)
  else to.present.fill(1, toRow, toRow + count)
  if (rows.type === 'float' && to.type === 'float') to.values.set(rows.values, toRow)
  else if (rows.type === 'integer' && to.type === 'integer') to.values.set(rows.values, toRow)
  else if (rows.type === 'unsigned' && to.type === 'unsigned') to.values.set(rows.values, toRow)
  else if (rows.type === 'boolean' && to.type === 'boolean') to.values.set(rows.values, toRow)
  else if (rows.type === 'string' && to.type === 'string')
    for (let row = 0; row < count; row++) to.values[toRow + row] = rows.values[row]!
}

/** Copies the values of some rows into the first rows of a vector that is still empty. Both are of the same type. */
export function gatherRows(from: Column, rows: Int32Array, to: Vector): void {
  if (!from.present) to.present.fill(1, 0, rows.length)
  // A column may end before the row: then it has no value there.
  else gather(from.present, rows, to.present)
  if (from.type === 'float' && to.type === 'float') gather(from.values, rows, to.values)
  else if (from.type === 'integer' && to.type === 'integer') gatherPairs(from.values, rows, to.values)
  else if (from.type === 'unsigned' && to.type === 'unsigned') gatherPairs(from.values, rows, to.values)
  else if (from.type === 'boolean' && to.type === 'boolean') gather(from.values, rows, to.values)
  else if (from.type === 'string' && to.type === 'string')
    for (let k = 0; k < rows.length; k++) to.values[k] = from.values[rows[k]!] ?? ''
}

function gather<T extends Float64Array | Uint8Array>(from: T, rows: Int32Array, to: T): void {
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k]!
    if (row < from.length) to[k] = from[row]!
  }
}

/** Without a bigint for each. */
function gatherPairs<T extends BigInt64Array | BigUint64Array>(from: T, rows: Int32Array, to: T): void {
  const source = new Int32Array(from.buffer, from.byteOffset, from.length * 2)
  const target = new Int32Array(to.buffer, to.byteOffset, to.length * 2)
  for (let k = 0; k < rows.length; k++) {
    const at = rows[k]! * 2
    if (at >= source.length) continue
    target[2 * k] = source[at]!
    target[2 * k + 1] = source[at + 1]!
  }
}

/** Copies one row's value, if it has one. */
export function copyCell(from: Column, fromRow: number, to: Vector, toRow: number): void {
  // A column may end before the row: then it has no value there.
  if (from.present && from.present[fromRow] !== 1) return
  to.present[toRow] = 1
  if (from.type === 'float' && to.type === 'float') to.values[toRow] = from.values[fromRow]!
  else if (from.type === 'integer' && to.type === 'integer') to.values[toRow] = from.values[fromRow]!
  else if (from.type === 'unsigned' && to.type === 'unsigned') to.values[toRow] = from.values[fromRow]!
  else if (from.type === 'boolean' && to.type === 'boolean') to.values[toRow] = from.values[fromRow]!
  else if (from.type === 'string' && to.type === 'string') to.values[toRow] = from.values[fromRow]!
}

/** A value by itself; booleans are 0 and 1. */
export type Cell = number | bigint | string

export const cellOf = (column: Column, row: number): Cell => column.values[row]!

/** The value is of the vector's type. */
export function setCell(to: Vector, row: number, value: Cell): void {
  to.present[row] = 1
  if (typeof value === 'string') {
    if (to.type === 'string') to.values[row] = value
  } else if (typeof value === 'bigint') {
    if (to.type === 'integer' || to.type === 'unsigned') to.values[row] = value
  } else if (to.type === 'float' || to.type === 'boolean') to.values[row] = value
}

/** The first rows as an immutable column; null if none of them has a value. */
export function finishVector(vector: Vector, rowCount: number): Column | null {
  let count = 0
  for (let row = 0; row < rowCount; row++) count += vector.present[row]!
  return count === 0
    ? null
    : part({ ...vector, present: count === rowCount ? null : vector.present }, 0, rowCount)
}

/** Rows `from` to `end` of a column, sharing its memory. */
export function part(column: Column, from: number, end: number): Column {
  const present = column.present?.subarray(from, end) ?? null
  switch (column.type) {
    case 'float':
      return { type: column.type, values: column.values.subarray(from, end), present }
    case 'integer':
      return { type: column.type, values: column.values.subarray(from, end), present }
    case 'unsigned':
      return { type: column.type, values: column.values.subarray(from, end), present }
    case 'boolean':
      return { type: column.type, values: column.values.subarray(from, end), present }
    case 'string':
      return { type: column.type, values: column.values.slice(from, end), present }
    default:
      return unreachable(column)
  }
}

/** The same in memory of its own. */
export function copyOfColumn(column: Column): Column {
  const present = column.present?.slice() ?? null
  switch (column.type) {
    case 'float':
      return { type: column.type, values: column.values.slice(), present }
    case 'integer':
      return { type: column.type, values: column.values.slice(), present }
    case 'unsigned':
      return { type: column.type, values: column.values.slice(), present }
    case 'boolean':
      return { type: column.type, values: column.values.slice(), present }
    case 'string':
      return { type: column.type, values: column.values.slice(), present }
    default:
      return unreachable(column)
  }
}
