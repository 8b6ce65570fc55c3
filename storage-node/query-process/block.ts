import { part } from '../buffer/vector.ts'
import type { Column } from '../engine/reader.ts'

/**
 * Some rows of one column of a file, as they are kept in memory: floats that are whole numbers in as few bytes as hold
 * them all, everything else as it is.
 */
export interface Block {
  /** null if no row has a value. */
  readonly column: Exclude<Column, { readonly type: 'float' }> | PackedFloats | null
  readonly sizeBytes: number
}

interface PackedFloats {
  readonly type: 'float'
  readonly values: Int8Array | Int16Array | Int32Array | Float64Array
  readonly present: Uint8Array | null
}

/** What a block takes besides its values. */
const overheadBytes = 200
const stringBytes = 32

export function pack(column: Column | null): Block {
  if (column === null) return { column, sizeBytes: overheadBytes }
  const presentBytes = column.present?.byteLength ?? 0
  if (column.type === 'string') {
    const characters = column.values.reduce((sum, text) => sum + text.length, 0)
    const sizeBytes = overheadBytes + presentBytes + column.values.length * stringBytes + 2 * characters
    return { column, sizeBytes }
  }
  if (column.type !== 'float')
    return { column, sizeBytes: overheadBytes + presentBytes + column.values.byteLength }
  const values = packFloats(column.values)
  return {
    column: { type: 'float', values, present: column.present },
    sizeBytes: overheadBytes + presentBytes + values.byteLength,
  }
}

function packFloats(values: Float64Array): PackedFloats['values'] {
  let least = 0
  let most = 0
  for (let row = 0; row < values.length; row++) {
    const value = values[row]!
    // Minus zero is not the zero that a whole number would be.
    if (value !== (value | 0) || (value === 0 && 1 / value < 0)) return values
    if (value < least) least = value
    else if (value > most) most = value
  }
  if (least >= -128 && most < 128) return Int8Array.from(values)
  return least >= -32_768 && most < 32_768 ? Int16Array.from(values) : Int32Array.from(values)
}

/**
 * Rows `from` to `end` as they stand in memory; null if none of them has a value.
 * @param scratch where floats are unpacked, if they have to be: it has at least so many places
 */
export function viewOf(
  { column }: Block,
  from: number,
  end: number,
  scratch: () => Float64Array,
): Column | null {
  if (column === null) return null
  if (column.present && !column.present.subarray(from, end).includes(1)) return null
  const view =
    column.type === 'float'
      ? part(unpacked(column, from, end, scratch), 0, end - from)
      : part(column, from, end)
  return view.present?.includes(0) ? view : { ...view, present: null }
}

function unpacked(
  { values: packed, present }: PackedFloats,
  from: number,
  end: number,
  scratch: () => Float64Array,
): Column {
  const rows = packed.subarray(from, end)
  let values
  if (rows instanceof Float64Array) values = rows
  else {
    values = scratch()
    values.set(rows)
  }
  return { type: 'float', values, present: present?.subarray(from, end) ?? null }
}
