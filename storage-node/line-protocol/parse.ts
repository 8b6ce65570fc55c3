import { isUtf8 } from 'node:buffer'
import { hash as hashSign, newline, skipWhitespace, space } from './bytes.ts'
import {
  maxReportedErrors,
  type LineError,
  type ParsedBatch,
  type Precision,
  type Rejection,
} from './batch.ts'
import { scanFields } from './fields.ts'
import { scanKey, splitKey } from './key.ts'
import { LineEnds } from './lines.ts'
import { maxQuotedLength, quoted } from './number.ts'
import { SeriesTable, type SeriesEntry } from './series-table.ts'
import { cellBudget, TableBuilder, type CellBudget } from './table-builder.ts'
import { timestampNs, truncateNow, writeTimestamp } from './timestamp.ts'

export type { LineError, ParsedBatch, Precision }

const maxKeyLength = 65535
const maxMeasurements = 10_000
/** What the storage format of InfluxDB puts between series key and field key; it counts in the limit. */
const keySeparatorLength = 4

/**
 * Line protocol as InfluxDB 1.8 reads it, with its error texts. Lines that are wrong are reported by number, the
 * others are kept.
 * @param body decompressed; its size is the caller's to limit
 * @param nowNs what a point without a timestamp gets, cut down to whole units of `precision`
 */
export function parseLines(body: Uint8Array, precision: Precision, nowNs: bigint): ParsedBatch {
  return new LineParser(body, precision, nowNs).parse()
}

class LineParser {
  readonly #body: Buffer
  readonly #allUtf8: boolean
  readonly #precision: Precision
  readonly #nowNs: bigint
  readonly #series: SeriesTable
  readonly #cells: CellBudget
  readonly #tables = new Map<string, TableBuilder>()
  readonly #errors: LineError[] = []
  readonly #rejections = new Map<string, number>()
  #errorCount = 0
  #previous: SeriesEntry | null = null

  constructor(body: Uint8Array, precision: Precision, nowNs: bigint) {
    this.#body = Buffer.from(body.buffer, body.byteOffset, body.length)
    this.#allUtf8 = isUtf8(body)
    this.#precision = precision
    this.#cells = cellBudget(body.length)
    this.#nowNs = truncateNow(nowNs, precision)
    this.#series = new SeriesTable(this.#body)
  }

  parse(): ParsedBatch {
    const body = this.#body
    const ends = new LineEnds(body)
    let line = 1
    for (let from = 0; from < body.length;) {
      const end = ends.endOf(from)
      const start = skipWhitespace(body, from, end)
      if (start < end && body[start] !== hashSign) {
        const message = this.#parseLine(start, end)
        if (message !== null) this.#report(line, start, end, message)
      }
      line += linesIn(body, from, end)
      from = end + 1
    }
    const tables = [...this.#tables.values()]
      .filter((table) => table.rowCount > 0)
      .map((table) => table.finish())
    return {
      tables,
      pointCount: tables.reduce((sum, table) => sum + table.rowCount, 0),
      errors: this.#errors,
      errorCount: this.#errorCount,
      rejections: [...this.#rejections].map(([message, dropped]): Rejection => ({ message, dropped })),
    }
  }

  #report(line: number, start: number, end: number, message: string): void {
    this.#errorCount++
    if (this.#errors.length >= maxReportedErrors) return
    // A character has at most four bytes: what is cut off here would not be quoted.
    const text = quoted(this.#body.toString('utf8', start, Math.min(end, start + 4 * (maxQuotedLength + 1))))
    this.#errors.push({ line, text, message })
  }

  #reject(message: string): void {
    this.#rejections.set(message, (this.#rejections.get(message) ?? 0) + 1)
  }

  /** @returns the error text, or null if the line is done with */
  #parseLine(start: number, end: number): string | null {
    if (!this.#allUtf8 && !isUtf8(this.#body.subarray(start, end))) return 'invalid UTF-8'
    const series = this.#parseKey(start, end)
    if (typeof series === 'string') return series
    // A series that cannot be stored is parsed to the end all the same: a malformed line is reported as such.
    const table = series.table ?? new TableBuilder('', cellBudget(0))
    const message = this.#parsePoint(series, table, end)
    if (message !== null) table.rollBack()
    return message
  }

  #parsePoint(series: SeriesEntry, table: TableBuilder, end: number): string | null {
    const keyLength = series.rawEnd - series.rawStart
    const fields = scanFields(this.#body, this.#keyEnd, end, table)
    if (typeof fields === 'string') return fields
    const length = keyLength + keySeparatorLength + fields.longestKeyLength
    if (length > maxKeyLength) return `max key length exceeded: ${length} > ${maxKeyLength}`
    const message = this.#parseTime(table, fields.end, end)
    if (message !== null) return message
    if (series.table === null) this.#reject(series.rejection)
    else if (fields.stored > 0) table.commit(series.series)
    else
      this.#reject(`invalid field name: input field "time" on measurement "${table.measurement}" is invalid`)
    return null
  }

  /** Where the key of the line in hand ended. */
  #keyEnd = 0

  #parseKey(start: number, end: number): SeriesEntry | string {
    const predicted = this.#previous?.next ?? this.#previous
    if (predicted) {
      const keyEnd = start + predicted.rawEnd - predicted.rawStart
      if (keyEnd < end && this.#body[keyEnd] === space && this.#series.matches(predicted, start)) {
        this.#keyEnd = keyEnd
        if (this.#previous) this.#previous.next = predicted
        this.#previous = predicted
        return predicted
      }
    }
    const scan = scanKey(this.#body, start, end)
    if ('message' in scan) return scan.message
    const hash = this.#series.hash(start, scan.end)
    let entry: SeriesEntry | string | null = this.#series.find(start, scan.end, hash)
    if (entry === null) {
      entry = this.#newSeries(start, scan.end, hash)
      if (typeof entry === 'string') return entry
      this.#series.add(entry)
    }
    if (this.#previous) this.#previous.next = entry
    this.#previous = entry
    this.#keyEnd = scan.end
    return entry
  }

  #newSeries(start: number, end: number, hash: number): SeriesEntry | string {
    const name = splitKey(this.#body.toString('utf8', start, end))
    if (typeof name === 'string') return name
    if (end - start > maxKeyLength) return `max key length exceeded: ${end - start} > ${maxKeyLength}`
    const place = { rawStart: start, rawEnd: end, hash, next: null }
    if (name.tags.some(([key]) => key === 'time')) {
      const rejection = `invalid tag key: input tag "time" on measurement "${name.measurement}" is invalid`
      return { ...place, table: null, rejection, series: 0 }
    }
    let table = this.#tables.get(name.measurement)
    if (!table) {
      if (this.#tables.size >= maxMeasurements)
        return `too many measurements in one request: at most ${maxMeasurements}`
      table = new TableBuilder(name.measurement, this.#cells)
      this.#tables.set(name.measurement, table)
    }
    return { ...place, table, rejection: '', series: table.series.push({ tags: name.tags }) - 1 }
  }

  /** @returns the error text, or null with the time of the row in hand set */
  #parseTime(table: TableBuilder, from: number, end: number): string | null {
    const body = this.#body
    const start = skipWhitespace(body, from, end)
    if (start >= end) {
      table.setTime(this.#nowNs)
      return null
    }
    let billions = 0
    let rest = 0
    let at = start
    const digitsEnd = this.#digitsEnd(start, end)
    if (digitsEnd < 0) return 'bad timestamp'
    const split = Math.max(start, digitsEnd - 9)
    for (; at < split; at++) billions = billions * 10 + (body[at]! - 48)
    for (; at < digitsEnd; at++) rest = rest * 10 + (body[at]! - 48)
    const plain = body[start] !== 45 && digitsEnd - start <= 19
    if (!plain || !writeTimestamp(table.timeHalves, table.rowCount, billions, rest, this.#precision)) {
      const timeNs = timestampNs(body.toString('latin1', start, digitsEnd), this.#precision)
      if (typeof timeNs === 'string') return timeNs
      table.setTime(timeNs)
    }
    for (at = digitsEnd; at < end; at++) if (body[at] !== space) return 'point is invalid'
    return null
  }

  /** @returns where an optional minus and digits end, -1 if something else stands among them */
  #digitsEnd(start: number, end: number): number {
    const body = this.#body
    for (let at = start; at < end; at++) {
      const byte = body[at]!
      if (byte === space || byte === newline) return at
      if ((byte < 48 || byte > 57) && !(byte === 45 && at === start)) return -1
    }
    return end
  }
}

/** 1, and one more for each newline inside quotes. */
function linesIn(body: Uint8Array, from: number, end: number): number {
  let count = 1
  for (let at = body.indexOf(newline, from); at >= 0 && at < end; at = body.indexOf(newline, at + 1)) count++
  return count
}
