import { isUtf8 } from 'node:buffer'
import { assert } from '../../common/errors.ts'
import { hash as hashSign, newline, skipWhitespace, space } from './bytes.ts'
import {
  maxReportedErrors,
  type BatchTable,
  type LineError,
  type ParsedBatch,
  type Precision,
  type Rejection,
} from './batch.ts'
import { scanFields } from './fields.ts'
import { scanKey, splitKey } from './key.ts'
import { LineEnds } from './lines.ts'
import { maxQuotedLength, quoted } from './number.ts'
import { plainKey } from './plain-key.ts'
import { forget, scanPlainFields } from './plain-line.ts'
import { SeriesCache, type KnownMeasurement, type SeriesEntry } from './series-cache.ts'
import { seriesKey } from './series-key.ts'
import { cellBudget, TableBuilder, tooManyFields, type CellBudget } from './table-builder.ts'
import { sameBytes, textOf, type Text } from './text.ts'
import { timestampNs, truncateNow, writeTimestamp } from './timestamp.ts'

const maxKeyLength = 65535
const maxMeasurements = 10_000
/** A point has to fit into a file that the smallest node can gather and read. */
const maxLineBytes = 4_194_304
/** What the storage format of InfluxDB puts between series key and field key; it counts in the limit. */
const keySeparatorLength = 4
/** No line can be judged before so many bytes beyond it are known: a backslash escapes what follows. */
const lookAheadBytes = 2
/** Zeros beyond the end of a text, so that digits end before the memory does. */
export const paddingBytes = 8

/** What the lines of a body have in common. */
export interface BodyOptions {
  readonly precision: Precision
  /** What a point without a timestamp gets, cut down to whole units of `precision`. */
  readonly nowNs: bigint
}

/** Part of a body. */
export interface Section {
  readonly text: Text
  /** `paddingBytes` zeros follow. */
  readonly end: number
  /** Whether the body ends here; otherwise a line that is not complete is left for the next section. */
  readonly isLast: boolean
  /** The number of its first line, 1 for the body's first. */
  readonly firstLine: number
}

export interface SectionResult {
  readonly batch: ParsedBatch
  /** Where the lines that were parsed end. */
  readonly consumedBytes: number
  readonly lines: number
}

/**
 * Line protocol as InfluxDB 1.8 reads it, with its error texts. Lines that are wrong are reported by number, the
 * others are kept.
 * @param batch a number that no batch with this cache had before
 */
export function parseSection(
  cache: SeriesCache,
  batch: number,
  section: Section,
  options: BodyOptions,
): SectionResult {
  cache.makeRoom()
  return new SectionParser(cache, batch, section, options).parse()
}

/** A whole body, which fits into one batch. */
export function parseLines(body: Uint8Array, precision: Precision, nowNs: bigint): ParsedBatch {
  const padded = Buffer.alloc(body.length + paddingBytes)
  padded.set(body)
  const section = { text: textOf(padded), end: body.length, isLast: true, firstLine: 1 }
  const result = parseSection(new SeriesCache(1 + body.length), 1, section, { precision, nowNs })
  assert(result.consumedBytes === body.length, 'the body fits into one batch')
  return result.batch
}

class SectionParser {
  readonly #cache: SeriesCache
  /** Tells what belongs to this batch from what an earlier one left. */
  readonly #batch: number
  readonly #section: Section
  readonly #text: Text
  readonly #body: Buffer
  readonly #end: number
  readonly #precision: Precision
  readonly #nowNs: bigint
  readonly #cells: CellBudget
  readonly #measurements: KnownMeasurement[] = []
  readonly #errors: LineError[] = []
  readonly #rejections = new Map<string, number>()
  #allUtf8: boolean | null = null
  #errorCount = 0
  #previous: SeriesEntry | null = null
  /** Where the digits of the time before stand, and the time in two halves. */
  #timeFrom = 0
  #timeLength = 0
  #timeLow = 0
  #timeHigh = 0

  constructor(cache: SeriesCache, batch: number, section: Section, { precision, nowNs }: BodyOptions) {
    this.#cache = cache
    this.#batch = batch
    this.#section = section
    this.#text = section.text
    // The view's length is its own: what lies beyond the section does not count.
    this.#body = section.text.bytes.subarray(0, section.end)
    this.#end = section.end
    this.#precision = precision
    this.#cells = cellBudget(section.end)
    this.#nowNs = truncateNow(nowNs, precision)
  }

  parse(): SectionResult {
    try {
      return this.#parseLines()
    } finally {
      // Nothing of this batch may be taken for the next one's, whatever became of it.
      for (const measurement of this.#measurements) measurement.table = null
    }
  }

  #parseLines(): SectionResult {
    const body = this.#body
    const ends = new LineEnds(body)
    const { isLast, firstLine } = this.#section
    let line = firstLine
    let from = 0
    while (from < body.length && !(this.#cache.isOverfull && from > 0)) {
      // A body may be nothing else, and much longer than it was on its way.
      if (body[from] === newline) {
        line++
        from++
        continue
      }
      const next = this.#plainLine(from)
      if (next >= 0) {
        line += 1 + this.#previous!.newlines
        from = next
        continue
      }
      const end = ends.endOf(from)
      if (!isLast && end + lookAheadBytes > body.length) break
      const start = skipWhitespace(body, from, end)
      if (start < end && body[start] !== hashSign) {
        const message =
          end - start > maxLineBytes
            ? `line too long: ${end - start} bytes, at most ${maxLineBytes}`
            : this.#parseLine(start, end)
        // What finds no place in this batch is the first of the next one, and then alone with all the room.
        if (message === tooManyFields && from > 0) break
        if (message !== null) this.#report(line, start, end, message)
      }
      line += linesIn(body, from, end)
      from = end + 1
    }
    return { batch: this.#finish(), consumedBytes: Math.min(from, body.length), lines: line - firstLine }
  }

  #finish(): ParsedBatch {
    const tables: BatchTable[] = []
    for (const measurement of this.#measurements) {
      const table = measurement.table!
      if (table.rowCount > 0) tables.push(table.finish())
      this.#cache.remember(measurement, table.shape())
    }
    return {
      tables,
      pointCount: tables.reduce((sum, table) => sum + table.rowCount, 0),
      errors: this.#errors,
      errorCount: this.#errorCount,
      rejections: [...this.#rejections].map(([message, dropped]): Rejection => ({ message, dropped })),
    }
  }

  /**
   * A line of the series that came next the last time, with the fields of the line before it.
   * @returns where the next line begins; -1 if it is not so plain, and then nothing was kept of it
   */
  #plainLine(from: number): number {
    const series = this.#previous?.next ?? this.#previous
    if (!series || from + series.length >= this.#end) return -1
    if (!this.#cache.matches(series, this.#text, from)) return -1
    const next = this.#plainPoint(series, from + series.length)
    if (next >= 0) this.#follow(series)
    return next
  }

  /** The next line mostly has the series that came after this one the last time. */
  #follow(series: SeriesEntry): void {
    if (this.#previous) this.#previous.next = series
    this.#previous = series
  }

  /** As `#plainLine`, for what comes after the key. */
  #plainPoint(series: SeriesEntry, keyEnd: number): number {
    if (series.measurement === null || this.#text.bytes[keyEnd] !== space) return -1
    const table = this.#tableOf(series.measurement)
    if (!table || series.length + keySeparatorLength + table.longestKeyLength > maxKeyLength) return -1
    const fieldsEnd = scanPlainFields(this.#text, keyEnd + 1, this.#end, table)
    if (fieldsEnd < 0) return -1
    const next = this.#plainTime(table, fieldsEnd + 1)
    if (next < 0) return forget(table.columns, table.plainColumns, table.rowCount)
    table.commit(this.#indexOf(series, table))
    return next
  }

  /** @returns where the next line begins, -1 if no plain time and line end stand here */
  #plainTime(table: TableBuilder, from: number): number {
    const body = this.#text.bytes
    const halves = table.timeHalves
    const sameEnd = from + this.#timeLength
    const isSame =
      this.#timeLength > 0 &&
      sameEnd < this.#end &&
      body[sameEnd] === newline &&
      sameBytes(this.#text.view, this.#timeFrom, this.#text.view, from, this.#timeLength)
    if (isSame) {
      halves[table.rowCount * 2] = this.#timeLow
      halves[table.rowCount * 2 + 1] = this.#timeHigh
      return sameEnd + 1
    }
    let at = from
    while (body[at]! >= 48 && body[at]! <= 57) at++
    const isEnd = at < this.#end ? body[at] === newline : this.#section.isLast
    if (at === from || at - from > 19 || !isEnd) return -1
    if (!this.#writeTime(table, from, at)) return -1
    this.#timeFrom = from
    this.#timeLength = at - from
    this.#timeLow = halves[table.rowCount * 2]!
    this.#timeHigh = halves[table.rowCount * 2 + 1]!
    return at + 1
  }

  #writeTime(table: TableBuilder, from: number, end: number): boolean {
    const body = this.#text.bytes
    let billions = 0
    let rest = 0
    let at = from
    const split = Math.max(from, end - 9)
    for (; at < split; at++) billions = billions * 10 + (body[at]! - 48)
    for (; at < end; at++) rest = rest * 10 + (body[at]! - 48)
    return writeTimestamp(table.timeHalves, table.rowCount, billions, rest, this.#precision)
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
    // A section may end in the middle of a character, and then that of a line that is left for the next one.
    this.#allUtf8 ??= isUtf8(this.#body)
    if (!this.#allUtf8 && !isUtf8(this.#body.subarray(start, end))) return 'invalid UTF-8'
    const series = this.#parseKey(start, end)
    if (typeof series === 'string') return series
    if (series.measurement === null) {
      // A series that cannot be stored is parsed to the end all the same: a malformed line is reported as such.
      return this.#parsePoint(series, new TableBuilder('', cellBudget(end - start), null), end)
    }
    const next = this.#plainPoint(series, this.#keyEnd)
    assert(next < 0 || next === end + 1, 'a plain line has no newline in it')
    if (next >= 0) return null
    const table = this.#tableOf(series.measurement)
    if (!table) return `too many measurements in one request: at most ${maxMeasurements}`
    const message = this.#parsePoint(series, table, end)
    if (message !== null) table.rollBack()
    return message
  }

  #parsePoint(series: SeriesEntry, table: TableBuilder, end: number): string | null {
    const fields = scanFields(this.#text, this.#keyEnd, end, table)
    if (typeof fields === 'string') return fields
    const length = series.length + keySeparatorLength + fields.longestKeyLength
    if (length > maxKeyLength) return `max key length exceeded: ${length} > ${maxKeyLength}`
    const message = this.#parseTime(table, fields.end, end)
    if (message !== null) return message
    if (series.measurement === null) this.#reject(series.rejection)
    else if (fields.stored > 0) table.commit(this.#indexOf(series, table))
    else
      this.#reject(`invalid field name: input field "time" on measurement "${table.measurement}" is invalid`)
    return null
  }

  /** @returns null where the batch has too many measurements already */
  #tableOf(measurement: KnownMeasurement): TableBuilder | null {
    if (measurement.table) return measurement.table
    if (this.#measurements.length >= maxMeasurements) return null
    this.#measurements.push(measurement)
    measurement.table = new TableBuilder(measurement.name, this.#cells, measurement.shape)
    return measurement.table
  }

  #indexOf(series: SeriesEntry, table: TableBuilder): number {
    if (series.batch !== this.#batch) {
      series.batch = this.#batch
      series.index = table.series.push(series) - 1
    }
    return series.index
  }

  /** Where the key of the line in hand ended. */
  #keyEnd = 0

  #parseKey(start: number, end: number): SeriesEntry | string {
    const scan = scanKey(this.#body, start, end)
    if ('message' in scan) return scan.message
    const hash = this.#cache.hash(this.#body, start, scan.end)
    let entry: SeriesEntry | string | null = this.#cache.find(this.#text, start, scan.end, hash)
    entry ??= this.#newSeries(start, scan.end, hash)
    if (typeof entry === 'string') return entry
    this.#follow(entry)
    this.#keyEnd = scan.end
    return entry
  }

  #newSeries(start: number, end: number, hash: number): SeriesEntry | string {
    const plain = plainKey(this.#body, start, end)
    if (plain) {
      const measurement = this.#cache.measurement(plain.measurement)
      return this.#cache.add(this.#body, start, end, { key: plain.key, hash, measurement, rejection: '' })
    }
    const name = splitKey(this.#body.toString('utf8', start, end))
    if (typeof name === 'string') return name
    if (end - start > maxKeyLength) return `max key length exceeded: ${end - start} > ${maxKeyLength}`
    const key = seriesKey(name.measurement, name.tags)
    if (name.tags.some(([tag]) => tag === 'time')) {
      const rejection = `invalid tag key: input tag "time" on measurement "${name.measurement}" is invalid`
      return this.#cache.add(this.#body, start, end, { key, hash, measurement: null, rejection })
    }
    const measurement = this.#cache.measurement(name.measurement)
    return this.#cache.add(this.#body, start, end, { key, hash, measurement, rejection: '' })
  }

  /** @returns the error text, or null with the time of the row in hand set */
  #parseTime(table: TableBuilder, from: number, end: number): string | null {
    const body = this.#body
    const start = skipWhitespace(body, from, end)
    if (start >= end) {
      table.setTime(this.#nowNs)
      return null
    }
    const digitsEnd = this.#digitsEnd(start, end)
    if (digitsEnd < 0) return 'bad timestamp'
    const plain = body[start] !== 45 && digitsEnd - start <= 19
    if (!plain || !this.#writeTime(table, start, digitsEnd)) {
      const timeNs = timestampNs(body.toString('latin1', start, digitsEnd), this.#precision)
      if (typeof timeNs === 'string') return timeNs
      table.setTime(timeNs)
    }
    for (let at = digitsEnd; at < end; at++) if (body[at] !== space) return 'point is invalid'
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
  // Not by `indexOf`: of a string of megabytes of newlines each search would cost as much as a look at fifty bytes.
  for (let at = from; at < end; at++) if (body[at] === newline) count++
  return count
}
