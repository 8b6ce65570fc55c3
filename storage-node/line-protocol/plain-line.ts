import { comma, letterI, minus, point, space, tab, zero } from './bytes.ts'
import { powersOfTen, writeHalves } from './fields.ts'
import type { ColumnBuilder, TableBuilder } from './table-builder.ts'
import { sameBytes, type Text } from './text.ts'

const maxExactDigits = 15

/**
 * The fields of a line that says the same as the line before with other numbers, as most lines do: the columns of the
 * table in their order, maybe not all of them, floats and integers that are exact in a double. It decides nothing: what
 * it does not take is for `scanFields`, and what it takes means the same there.
 * @param from where the first field key should stand; the text ends in zeros beyond `end`
 * @returns where the space after the fields stands, with their number in `table.plainColumns`; -1 if this is not such a line, and then nothing was kept of it
 */
export function scanPlainFields(text: Text, from: number, end: number, table: TableBuilder): number {
  const { bytes, view } = text
  const { columns, rowCount: row } = table
  if (table.mixed || table.full) return -1
  // White space before the first key is not part of it, yet a column's key may begin with it.
  if (bytes[from] === tab || bytes[from] === 0) return -1
  let at = from
  for (let index = 0; index < columns.length; index++) {
    const column = columns[index]!
    const { written, storage } = column
    const { length } = written.bytes
    if (at + length > end || !sameBytes(written.view, 0, view, at, length)) return forget(columns, index, row)
    at += length
    const negative = bytes[at] === minus
    if (negative) at++
    let digits = -at
    let mantissa = 0
    let digit = bytes[at]! - zero
    while (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit
      digit = bytes[++at]! - zero
    }
    digits += at
    if (storage.type === 'float') {
      if (bytes[at] === point) {
        const decimalsFrom = ++at
        digit = bytes[at]! - zero
        while (digit >= 0 && digit <= 9) {
          mantissa = mantissa * 10 + digit
          digit = bytes[++at]! - zero
        }
        const decimals = at - decimalsFrom
        digits += decimals
        if (digits <= maxExactDigits) mantissa /= powersOfTen[decimals]!
      }
      storage.values[row] = negative ? -mantissa : mantissa
    } else if (storage.type === 'integer' && bytes[at] === letterI && digits <= maxExactDigits) {
      writeHalves(storage.halves, row, negative ? -mantissa : mantissa)
      at++
    } else return forget(columns, index, row)
    if (digits === 0 || digits > maxExactDigits) return forget(columns, index, row)
    column.present[row] = 1
    const stop = bytes[at]
    if (stop === space) {
      table.plainColumns = index + 1
      return at
    }
    if (stop !== comma) return forget(columns, index + 1, row)
    at++
  }
  return forget(columns, columns.length, row)
}

/** Takes the values of the row in hand back from the first columns. */
export function forget(columns: readonly ColumnBuilder[], count: number, row: number): -1 {
  for (let index = 0; index < count; index++) columns[index]!.present[row] = 0
  return -1
}
