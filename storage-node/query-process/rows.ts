import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  UBIGINT,
  UINTEGER,
  VARCHAR,
  type DuckDBAppender,
  DuckDBDataChunk,
  type DuckDBType,
} from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import { unreachable } from '../../common/errors.ts'
import type { ColumnType, RowColumn, Rows } from './messages.ts'

const chunkRows = 2048

export const duckdbTypes: Readonly<Record<ColumnType, DuckDBType>> = {
  series: UINTEGER,
  float: DOUBLE,
  integer: BIGINT,
  unsigned: UBIGINT,
  boolean: BOOLEAN,
  string: VARCHAR,
}

const valueBytes: Readonly<Record<Exclude<ColumnType, 'string'>, number>> = {
  series: 4,
  float: 8,
  integer: 8,
  unsigned: 8,
  boolean: 1,
}

/** Appends the rows from `first` to `end` by copying whole columns into DuckDB's vectors. */
export function appendRows(
  appender: DuckDBAppender,
  types: readonly DuckDBType[],
  rows: Rows,
  first: number,
  end: number,
): void {
  for (let from = first; from < end; from += chunkRows) {
    const count = Math.min(chunkRows, end - from)
    const chunk = DuckDBDataChunk.create(types, count)
    for (const [index, column] of rows.columns.entries()) {
      const vector = duckdb.data_chunk_get_vector(chunk.chunk, index)
      if (column.present) copyValidity(vector, column.present, from, count)
      if (column.type === 'string') {
        for (let row = 0; row < count; row++) {
          if (!column.present || column.present[from + row] === 1)
            duckdb.vector_assign_string_element(vector, row, column.values[from + row]!)
        }
      } else {
        const size = valueBytes[column.type]
        const { buffer, byteOffset } = column.values
        // A vector's own data would be handed out as a copy: only this call writes through.
        duckdb.copy_data_to_vector(vector, 0, buffer as ArrayBuffer, byteOffset + from * size, count * size)
      }
    }
    appender.appendDataChunk(chunk)
  }
}

function copyValidity(vector: duckdb.Vector, present: Uint8Array, from: number, count: number): void {
  const bits = new Uint8Array(Math.ceil(count / 64) * 8)
  for (let row = 0; row < count; row++) if (present[from + row] === 1) bits[row >> 3]! |= 1 << (row & 7)
  duckdb.vector_ensure_validity_writable(vector)
  duckdb.copy_data_to_vector_validity(vector, 0, bits.buffer, 0, bits.length)
}

/** The columns of a result chunk, as copies that outlive it. */
export function chunkColumns(chunk: DuckDBDataChunk, types: readonly ColumnType[]): RowColumn[] {
  const count = chunk.rowCount
  return types.map((type, index): RowColumn => {
    const vector = duckdb.data_chunk_get_vector(chunk.chunk, index)
    const present = presence(vector, count)
    if (type === 'string') return { type, values: strings(vector, count, present), present }
    const bytes = duckdb.vector_get_data(vector, count * valueBytes[type])
    switch (type) {
      case 'series':
        return { type, values: new Uint32Array(bytes.buffer, bytes.byteOffset, count), present: null }
      case 'float':
        return { type, values: new Float64Array(bytes.buffer, bytes.byteOffset, count), present }
      case 'integer':
        return { type, values: new BigInt64Array(bytes.buffer, bytes.byteOffset, count), present }
      case 'unsigned':
        return { type, values: new BigUint64Array(bytes.buffer, bytes.byteOffset, count), present }
      case 'boolean':
        return { type, values: new Uint8Array(bytes.buffer, bytes.byteOffset, count), present }
      default:
        return unreachable(type)
    }
  })
}

/** A string in a vector: 4 bytes of length, then its bytes or, if it is longer than these, 4 of them and a pointer. */
const stringEntryBytes = 16
const maxInlineBytes = 12

/** DuckDB's own reader would take a byte order mark at the beginning of a string away. */
function strings(vector: duckdb.Vector, count: number, present: Uint8Array | null): string[] {
  const entries = bufferOf(duckdb.vector_get_data(vector, count * stringEntryBytes))
  return Array.from({ length: count }, (_, row) => {
    if (present && present[row] === 0) return ''
    const at = row * stringEntryBytes
    const length = entries.readUInt32LE(at)
    if (length <= maxInlineBytes) return entries.toString('utf8', at + 4, at + 4 + length)
    return bufferOf(
      duckdb.get_data_from_pointer(entries.buffer, entries.byteOffset + at + 8, length),
    ).toString()
  })
}

const bufferOf = (bytes: Uint8Array): Buffer<ArrayBuffer> =>
  Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength)

function presence(vector: duckdb.Vector, count: number): Uint8Array | null {
  const bits = duckdb.vector_get_validity(vector, Math.ceil(count / 64) * 8)
  if (!bits) return null
  const present = new Uint8Array(count)
  let total = 0
  for (let row = 0; row < count; row++) {
    const flag = (bits[row >> 3]! >> (row & 7)) & 1
    present[row] = flag
    total += flag
  }
  return total === count ? null : present
}
