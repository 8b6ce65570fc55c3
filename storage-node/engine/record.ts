import { AppError, unreachable } from '../../common/errors.ts'
import type { BatchColumn, BatchSeries, BatchTable, FieldType } from '../line-protocol/batch.ts'

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

export type LogRecord = WriteRecord | DeleteDatabaseRecord

interface ColumnHead {
  readonly name: string
  readonly type: FieldType
  readonly sparse: boolean
}

interface TableHead {
  readonly measurement: string
  readonly rowCount: number
  readonly series: readonly (readonly string[])[]
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

/**
 * Length of the head (4 bytes), the head as JSON, then the columns of each table one after the other: series index of
 * each row (4 bytes each), times (8), and for each field its presence (1, only if sparse) and values.
 */
export function encodeLogRecord(record: LogRecord): Uint8Array {
  const parts: Uint8Array[] = []
  const head = record.kind === 'write' ? writeHead(record) : record
  const headBytes = Buffer.from(JSON.stringify(head))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(headBytes.length)
  parts.push(length, headBytes)
  if (record.kind === 'write') {
    for (const table of record.tables) {
      parts.push(bytesOf(table.seriesOfRow), bytesOf(table.times))
      for (const column of table.columns) encodeColumn(column, parts)
    }
  }
  return Buffer.concat(parts)
}

function writeHead(record: WriteRecord): WriteHead {
  return {
    ...record,
    cutoffNs: record.cutoffNs === null ? null : String(record.cutoffNs),
    tables: record.tables.map((table) => ({
      measurement: table.measurement,
      rowCount: table.rowCount,
      series: table.series.map(({ tags }) => tags.flat()),
      columns: table.columns.map(({ name, type, present }) => ({ name, type, sparse: present !== null })),
    })),
  }
}

const bytesOf = (view: ArrayBufferView): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** Strings: the byte length of each (4 bytes), then all their bytes. */
function encodeColumn(column: BatchColumn, parts: Uint8Array[]): void {
  if (column.present) parts.push(column.present)
  if (column.type !== 'string') {
    parts.push(bytesOf(column.values))
    return
  }
  const text = Buffer.from(column.values.join(''))
  parts.push(bytesOf(Uint32Array.from(column.values, (value) => Buffer.byteLength(value))), text)
}

/** @throws AppError corrupt if the bytes are no record: they are authentic, so a newer version wrote them */
export function decodeLogRecord(payload: Uint8Array): LogRecord {
  const cursor = new Cursor(payload)
  const head = JSON.parse(Buffer.from(cursor.take(cursor.uint32())).toString()) as
    | WriteHead
    | DeleteDatabaseRecord
  switch (head.kind) {
    case 'delete-database':
      return head
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
  const { measurement, rowCount } = head
  const seriesOfRow = new Uint32Array(cursor.copy(rowCount * 4))
  const times = new BigInt64Array(cursor.copy(rowCount * 8))
  const columns = head.columns.map((column) => decodeColumn(column, rowCount, cursor))
  const series = head.series.map((flat): BatchSeries => ({ tags: pairs(flat) }))
  return { measurement, rowCount, series, seriesOfRow, times, columns }
}

function pairs(flat: readonly string[]): (readonly [string, string])[] {
  return Array.from(
    { length: flat.length / 2 },
    (_, index) => [flat[index * 2]!, flat[index * 2 + 1]!] as const,
  )
}

function decodeColumn({ name, type, sparse }: ColumnHead, rowCount: number, cursor: Cursor): BatchColumn {
  const present = sparse ? new Uint8Array(cursor.copy(rowCount)) : null
  switch (type) {
    case 'float':
      return { name, present, type, values: new Float64Array(cursor.copy(rowCount * 8)) }
    case 'integer':
      return { name, present, type, values: new BigInt64Array(cursor.copy(rowCount * 8)) }
    case 'unsigned':
      return { name, present, type, values: new BigUint64Array(cursor.copy(rowCount * 8)) }
    case 'boolean':
      return { name, present, type, values: new Uint8Array(cursor.copy(rowCount)) }
    case 'string': {
      const lengths = new Uint32Array(cursor.copy(rowCount * 4))
      const values = Array.from(lengths, (length) => Buffer.from(cursor.take(length)).toString())
      return { name, present, type, values }
    }
    default:
      return unreachable(type)
  }
}

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
