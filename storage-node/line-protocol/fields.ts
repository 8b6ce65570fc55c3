import {
  backslash,
  comma,
  equals,
  letterI,
  minus,
  point,
  quote,
  skipWhitespace,
  space,
  zero,
} from './bytes.ts'
import type { FieldType } from './batch.ts'
import { unescapeName, unescapeString } from './key.ts'
import { scanNumber } from './number.ts'
import { tooManyFields, type ColumnBuilder, type TableBuilder } from './table-builder.ts'
import { sameBytes, type Text } from './text.ts'
import { assert } from '../../common/errors.ts'

export interface ScannedFields {
  /** Where the fields end: a space, or the end of the line. */
  readonly end: number
  /** Fields other than `time`, which is never stored. */
  readonly stored: number
  /** Of the field keys, bytes as written. */
  readonly longestKeyLength: number
}

export const powersOfTen = Float64Array.from({ length: 16 }, (_, exponent) => 10 ** exponent)
const trueTexts = new Set(['t', 'T', 'true', 'True', 'TRUE'])
const falseTexts = new Set(['f', 'F', 'false', 'False', 'FALSE'])

/**
 * The fields of a line into the row in hand of `table`. Follows InfluxDB 1.8's `scanFields`, so that the same lines
 * are refused for the same reasons, and converts as it goes.
 * @returns the error text if the line is wrong; the caller then rolls the row back
 */
export function scanFields(
  text: Text,
  from: number,
  end: number,
  table: TableBuilder,
): ScannedFields | string {
  return new FieldScan(text, end, table).scan(skipWhitespace(text.bytes, from, end))
}

class FieldScan {
  readonly #body: Buffer
  readonly #view: DataView
  readonly #end: number
  readonly #table: TableBuilder
  #stored = 0
  #longestKeyLength = 0
  #keyStart = 0
  #column = 0

  constructor(text: Text, end: number, table: TableBuilder) {
    this.#body = text.bytes
    this.#view = text.view
    this.#end = end
    this.#table = table
  }

  scan(start: number): ScannedFields | string {
    const body = this.#body
    const end = this.#end
    let quoted = false
    let equalsSeen = 0
    let commasSeen = 0
    let stringStart = -1
    this.#keyStart = start
    let at = this.#predictedKeyEnd(start)
    while (at < end) {
      const byte = body[at]
      if (byte === backslash && at + 1 < end) {
        at += 2
        continue
      }
      if (byte === quote && equalsSeen > commasSeen) {
        quoted = !quoted
      } else if (byte === equals && !quoted) {
        equalsSeen++
        const message = this.#checkAround(at)
        if (message !== null) return message
        if (body[at + 1] !== quote) {
          const next = this.#scanPlainValue(at)
          if (typeof next === 'string') return next
          at = next
          continue
        }
        stringStart = at + 2
        this.#keyEnd = at
      } else if (byte === comma && !quoted) {
        if (stringStart >= 0) this.#storeString(stringStart, at)
        stringStart = -1
        commasSeen++
        this.#keyStart = at + 1
        at = this.#predictedKeyEnd(at + 1)
        continue
      } else if (byte === space && !quoted) break
      at++
    }
    if (quoted) return 'unbalanced quotes'
    if (equalsSeen === 0 || commasSeen !== equalsSeen - 1) return 'invalid field format'
    const stop = Math.min(at, end)
    if (stringStart >= 0) this.#storeString(stringStart, stop)
    if (this.#table.full) return tooManyFields
    return { end: stop, stored: this.#stored, longestKeyLength: this.#longestKeyLength }
  }

  #keyEnd = 0

  #checkAround(at: number): string | null {
    const body = this.#body
    const before = body[at - 1]
    if ((before === space || before === comma) && body[at - 2] !== backslash) return 'missing field key'
    if (at + 1 >= this.#end) return 'missing field value'
    const after = body[at + 1]
    return after === comma || after === space ? 'missing field value' : null
  }

  /** Lines of one measurement mostly have the same fields in the same order: where the expected key ends, or `from`. */
  #predictedKeyEnd(from: number): number {
    const expected = this.#table.columns[this.#column]
    if (!expected) return from
    return this.#isKeyOf(expected, from) ? from + expected.written.bytes.length - 1 : from
  }

  /** Whether the column's key and its equals sign stand at `from`. */
  #isKeyOf({ written }: ColumnBuilder, from: number): boolean {
    const { length } = written.bytes
    return from + length <= this.#end && sameBytes(written.view, 0, this.#view, from, length)
  }

  /** @param at the equals sign @returns where the value ends, or the error text */
  #scanPlainValue(at: number): number | string {
    this.#keyEnd = at
    const first = this.#body[at + 1]!
    const numeric = first === minus || first === point || (first >= zero && first < zero + 10)
    if (numeric) return this.#scanNumber(at + 1)
    if (first === 78 || first === 110) return 'invalid number'
    const stop = this.#valueEnd(at + 1)
    const text = this.#body.toString('latin1', at + 1, stop)
    const value = trueTexts.has(text)
    if (!value && !falseTexts.has(text)) return 'invalid boolean'
    const column = this.#columnOf('boolean')
    if (column?.storage.type === 'boolean') column.storage.values[this.#table.rowCount] = value ? 1 : 0
    return stop
  }

  #scanNumber(start: number): number | string {
    const body = this.#body
    const end = this.#end
    const negative = body[start] === minus
    let at = negative ? start + 1 : start
    let mantissa = 0
    let pointAt = -1
    let digits = 0
    for (; at < end; at++) {
      const digit = body[at]! - zero
      if (digit >= 0 && digit <= 9) {
        mantissa = mantissa * 10 + digit
        digits++
      } else if (body[at] === point && pointAt < 0) pointAt = at
      else break
    }
    // Up to 15 digits are exact in a double, and so is the power of ten: one division rounds correctly.
    if (digits > 0 && digits <= 15) {
      const stop = body[at]
      if (at === end || stop === comma || stop === space) {
        const value = pointAt < 0 ? mantissa : mantissa / powersOfTen[at - 1 - pointAt]!
        const column = this.#columnOf('float')
        if (column?.storage.type === 'float')
          column.storage.values[this.#table.rowCount] = negative ? -value : value
        return at
      }
      const closed = at + 1 === end || body[at + 1] === comma || body[at + 1] === space
      if (stop === letterI && closed && pointAt < 0) {
        const column = this.#columnOf('integer')
        if (column?.storage.type === 'integer')
          writeHalves(column.storage.halves, this.#table.rowCount, negative ? -mantissa : mantissa)
        return at + 1
      }
    }
    return this.#scanUncommonNumber(start)
  }

  #scanUncommonNumber(start: number): number | string {
    const stop = this.#valueEnd(start)
    const scanned = scanNumber(this.#body.toString('latin1', start, stop))
    if (scanned.kind === 'error') return scanned.message
    const storage = this.#columnOf(scanned.kind)?.storage
    const row = this.#table.rowCount
    if (scanned.kind === 'float' && storage?.type === 'float') storage.values[row] = scanned.value
    else if (scanned.kind === 'integer' && storage?.type === 'integer') storage.values[row] = scanned.value
    else if (scanned.kind === 'unsigned' && storage?.type === 'unsigned') storage.values[row] = scanned.value
    return stop
  }

  #valueEnd(from: number): number {
    const body = this.#body
    let at = from
    while (at < this.#end && body[at] !== comma && body[at] !== space) at++
    return at
  }

  /** @param stop where the comma, space or end after the closing quote stands */
  #storeString(start: number, stop: number): void {
    const column = this.#columnOf('string')
    if (column?.storage.type === 'string')
      column.storage.values[this.#table.rowCount] = unescapeString(
        this.#body.toString('utf8', start, stop - 1),
      )
  }

  /** The column for the key in hand, with its row marked as present; null for the field `time`. */
  #columnOf(type: FieldType): ColumnBuilder | null {
    const length = this.#keyEnd - this.#keyStart
    if (length > this.#longestKeyLength) this.#longestKeyLength = length
    const expected = this.#table.columns[this.#column]
    let found: ColumnBuilder | null
    const isExpected = expected?.written.bytes.length === length + 1
    if (expected && isExpected && expected.storage.type === type && this.#isKeyOf(expected, this.#keyStart)) {
      found = expected
      this.#column++
    } else found = this.#findColumn(type)
    if (!found) return null
    this.#table.mark(found)
    this.#stored++
    return found
  }

  #findColumn(type: FieldType): ColumnBuilder | null {
    const name = unescapeName(this.#body.toString('utf8', this.#keyStart, this.#keyEnd))
    if (name === 'time') return null
    const index = this.#table.columnIndex(name, type, this.#body.subarray(this.#keyStart, this.#keyEnd + 1))
    this.#column = index + 1
    return this.#table.columns[index] ?? null
  }
}

/** A whole number below 2^53 as the two halves of an int64. */
export function writeHalves(halves: Int32Array, at: number, value: number): void {
  const high = Math.floor(value / 4294967296)
  assert(Number.isSafeInteger(value), 'only exact numbers have halves')
  halves[at * 2] = value - high * 4294967296
  halves[at * 2 + 1] = high
}
