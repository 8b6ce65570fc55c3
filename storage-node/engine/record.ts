import { AppError, unreachable } from '../../common/errors.ts'
import { copyCell, newVector, type Vector } from '../buffer/vector.ts'
import { narrowed, widened, type Numbers, type WholeNumbers } from '../buffer/whole-numbers.ts'
import type { BatchColumn, BatchSeries, BatchTable, FieldType, FieldValues } from '../line-protocol/batch.ts'
import type { Tombstone } from './tombstones.ts'

/**
 * What a log record says. All that the outcome depends on and that the log does not hold already is in it, so that
 * replaying it decides again what was decided then.
 */
export interface WriteRecord {
  readonly kind: 'write'
  readonly databaseId: string
  readonly retentionPolicy: string
  /** Points before this are beyond retention; null keeps all. */
  readonly cutoffNs: bigint | null
  readonly limits: WriteLimits
  readonly tables: readonly BatchTable[]
}

export interface WriteLimits {
  readonly databaseSeries: number | null
  readonly organizationSeries: number | null
  readonly fieldsPerMeasurement: number
}

export interface DeleteDatabaseRecord {
  readonly kind: 'delete-database'
  readonly databaseId: string
}

/** Deletes points that were written before it; what its parts mean is said by `Tombstone`. */
export type DeleteRecord = { readonly kind: 'delete' } & Omit<Tombstone, 'position'>

export type LogRecord = WriteRecord | DeleteRecord | DeleteDatabaseRecord

interface ColumnHead {
  readonly name: string
  readonly type: FieldType
  /** How many rows have a value. */
  readonly count: number
  /** Bytes a value; left out where the values have the size of their type. */
  readonly width?: number
}

interface TableHead {
  readonly measurement: string
  readonly rowCount: number
  /** How many series keys the table's part begins with. */
  readonly seriesCount: number
  readonly columns: readonly ColumnHead[]
}

interface WriteHead {
  readonly kind: 'write'
  readonly databaseId: string
  readonly retentionPolicy: string
  readonly cutoffNs: string | null
  readonly limits: WriteLimits
  readonly tables: readonly TableHead[]
}

type DeleteHead = Omit<DeleteRecord, 'minTimeNs' | 'maxTimeNs'> & {
  readonly minTimeNs: string
  readonly maxTimeNs: string
}

/**
 * Length of the head (4 bytes), the head as JSON, then the parts of the tables one after the other: the series keys as
 * a JSON array after its length (4 bytes), the series index of each row (1, 2 or 4 bytes each, as few as the number of
 * series allows), times (8), and for each field its values, after the numbers of their rows (4) unless all rows have
 * one. So a record is as large as what it holds, however sparse.
 */
export function encodeLogRecord(record: LogRecord): Uint8Array {
  const bodies: Uint8Array[] = []
  const head = headOf(record, bodies)
  return Buffer.concat([...withLength(JSON.stringify(head)), ...bodies])
}

/** @param bodies gets what a write has besides its head */
function headOf(record: LogRecord, bodies: Uint8Array[]): WriteHead | DeleteHead | DeleteDatabaseRecord {
  switch (record.kind) {
    case 'write': {
      const tables = record.tables.map((table) => encodeTable(table, bodies))
      return { ...record, cutoffNs: record.cutoffNs === null ? null : String(record.cutoffNs), tables }
    }
    case 'delete':
      return { ...record, minTimeNs: String(record.minTimeNs), maxTimeNs: String(record.maxTimeNs) }
    case 'delete-database':
      return record
    default:
      return unreachable(record)
  }
}

function withLength(text: string): Uint8Array[] {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return [length, bytes]
}

function encodeTable(table: BatchTable, parts: Uint8Array[]): TableHead {
  const { measurement, rowCount, series } = table
  const Indexes = indexArray(series.length)
  parts.push(...withLength(`[${series.map(({ key }) => key).join(',')}]`))
  parts.push(bytesOf(new Indexes(table.seriesOfRow)), bytesOf(table.times))
  const columns = table.columns.map((column) => encodeColumn(column, rowCount, parts))
  return { measurement, rowCount, seriesCount: series.length, columns }
}

/** The smallest that holds indexes below `count`. */
function indexArray(count: number) {
  if (count <= 0x100) return Uint8Array
  return count <= 0x1_0000 ? Uint16Array : Uint32Array
}

const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** null where all rows have a value. */
function presentRows(column: BatchColumn): Uint32Array | null {
  const { present } = column
  if (!present) return null
  let count = 0
  for (const flag of present) count += flag
  const rows = new Uint32Array(count)
  let at = 0
  for (let row = 0; row < present.length; row++) if (present[row] === 1) rows[at++] = row
  return rows
}

/** Strings: the byte length of each (4 bytes), then all their bytes. */
function encodeColumn(column: BatchColumn, rowCount: number, parts: Uint8Array[]): ColumnHead {
  const { name } = column
  const rows = presentRows(column)
  if (rows) parts.push(bytesOf(rows))
  const vector = rows ? packed(column, rows) : column
  const head = { name, type: vector.type, count: rows?.length ?? rowCount }
  if (vector.type === 'string') {
    const lengths = Uint32Array.from(vector.values, (value) => Buffer.byteLength(value))
    parts.push(bytesOf(lengths), Buffer.from(vector.values.join('')))
    return head
  }
  const whole = vector.type === 'boolean' ? null : narrowed(vector)
  parts.push(bytesOf(whole ?? vector.values))
  return whole ? { ...head, width: whole.BYTES_PER_ELEMENT } : head
}

function packed(column: BatchColumn, rows: Uint32Array): Vector {
  const vector = newVector(column.type, rows.length)
  for (let index = 0; index < rows.length; index++) copyCell(column, rows[index]!, vector, index)
  return vector
}

/** @throws AppError corrupt if the bytes are no record: they are authentic, so a newer version wrote them */
export function decodeLogRecord(payload: Uint8Array): LogRecord {
  const cursor = new Cursor(payload)
  const head = JSON.parse(Buffer.from(cursor.take(cursor.uint32())).toString()) as
    | WriteHead
    | DeleteHead
    | DeleteDatabaseRecord
  switch (head.kind) {
    case 'delete-database':
      return head
    case 'delete':
      return { ...head, minTimeNs: BigInt(head.minTimeNs), maxTimeNs: BigInt(head.maxTimeNs) }
    case 'write':
      return {
        ...head,
        cutoffNs: head.cutoffNs === null ? null : BigInt(head.cutoffNs),
        tables: head.tables.map((table) => decodeTable(table, cursor)),
      }
    default:
      throw new AppError(
        'corrupt',
        'ERR_LOG_RECORD_KIND',
        'the log holds a record that this version does not know',
      )
  }
}

function decodeTable(head: TableHead, cursor: Cursor): BatchTable {
  const { measurement, rowCount, seriesCount } = head
  const keys = JSON.parse(Buffer.from(cursor.take(cursor.uint32())).toString()) as string[][]
  const series = keys.map((key): BatchSeries => ({ key: JSON.stringify(key) }))
  const Indexes = indexArray(seriesCount)
  const indexes = new Indexes(cursor.copy(rowCount * Indexes.BYTES_PER_ELEMENT))
  const seriesOfRow = new Uint32Array(indexes)
  const times = new BigInt64Array(cursor.copy(rowCount * 8))
  const columns = head.columns.map((column) => decodeColumn(column, rowCount, cursor))
  return { measurement, rowCount, series, seriesOfRow, times, columns }
}

function decodeColumn(head: ColumnHead, rowCount: number, cursor: Cursor): BatchColumn {
  const { name, type, count } = head
  if (count === rowCount) return { ...decodeValues(head, cursor), name, present: null }
  if (!(count < rowCount))
    throw new AppError('corrupt', 'ERR_LOG_RECORD_COUNT', 'a log record counts more values than rows')
  const rows = new Uint32Array(cursor.copy(count * 4))
  const values = { ...decodeValues(head, cursor), present: null }
  const vector = newVector(type, rowCount)
  for (let index = 0; index < count; index++) copyCell(values, index, vector, rows[index]!)
  return { ...vector, name }
}

function decodeValues({ type, count, width }: ColumnHead, cursor: Cursor): FieldValues {
  if (width !== undefined) return widened(numberType(type), decodeWhole(width, cursor.copy(count * width)))
  switch (type) {
    case 'float':
      return { type, values: new Float64Array(cursor.copy(count * 8)) }
    case 'integer':
      return { type, values: new BigInt64Array(cursor.copy(count * 8)) }
    case 'unsigned':
      return { type, values: new BigUint64Array(cursor.copy(count * 8)) }
    case 'boolean':
      return { type, values: new Uint8Array(cursor.copy(count)) }
    case 'string': {
      const lengths = new Uint32Array(cursor.copy(count * 4))
      return { type, values: Array.from(lengths, (length) => Buffer.from(cursor.take(length)).toString()) }
    }
    default:
      return unreachable(type)
  }
}

function decodeWhole(width: number, bytes: ArrayBuffer): WholeNumbers {
  if (width === 1) return new Int8Array(bytes)
  if (width === 2) return new Int16Array(bytes)
  if (width === 4) return new Int32Array(bytes)
  throw unknownWidth()
}

function numberType(type: FieldType): Numbers['type'] {
  if (type === 'float' || type === 'integer' || type === 'unsigned') return type
  throw unknownWidth()
}

const unknownWidth = () =>
  new AppError('corrupt', 'ERR_LOG_RECORD_WIDTH', 'a log record holds values of an unknown width')

class Cursor {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  uint32(): number {
    const bytes = this.take(4)
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true)
  }

  take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length)
      throw new AppError('corrupt', 'ERR_LOG_RECORD_SHORT', 'a log record is too short')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  /** A copy, aligned for any typed array. */
  copy(length: number): ArrayBuffer {
    const copy = new ArrayBuffer(length)
    new Uint8Array(copy).set(this.take(length))
    return copy
  }
}
