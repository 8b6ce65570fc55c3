/**
 * The numbers of line protocol. Accepts and refuses what InfluxDB 1.8 does (its `scanNumber`), with the same texts;
 * integers are exact over all of int64 and uint64, floats correctly rounded.
 */
export type ScannedNumber =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'integer' | 'unsigned'; readonly value: bigint }
  | { readonly kind: 'error'; readonly message: string }

const maxInt64 = 9223372036854775807n
const minInt64 = -9223372036854775808n
const maxUint64 = 18446744073709551615n

/** No two of these repetitions meet, so that a long value takes time in proportion to its length. */
const floatPattern = /^-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)$/
/** What the scanner lets pass and the conversion then judges: digits, points and exponents in any order. */
const scientificPattern = /^(?:[0-9.]|-[0-9.eE])[0-9.eE+-]*$/
const scientificFloatPattern = /^-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/
const signInsidePattern = /(?<=[^eE])[+-]/
const integerPattern = /^-?[0-9]+i$/
const unsignedPattern = /^[0-9]+u$/

const invalidNumber: ScannedNumber = { kind: 'error', message: 'invalid number' }
const invalidFloat: ScannedNumber = { kind: 'error', message: 'invalid float' }

/** @param text all bytes of the value, up to the comma, space or end that closes it */
export function scanNumber(text: string): ScannedNumber {
  if (floatPattern.test(text)) return finite(Number(text))
  if (integerPattern.test(text)) {
    const digits = text.slice(0, -1)
    const value = wholeNumber(digits)
    if (value !== null && value >= minInt64 && value <= maxInt64) return { kind: 'integer', value }
    return rangeError('integer', 'Int', digits)
  }
  if (unsignedPattern.test(text)) {
    const digits = text.slice(0, -1)
    const value = wholeNumber(digits)
    return value !== null && value <= maxUint64
      ? { kind: 'unsigned', value }
      : rangeError('unsigned', 'Uint', digits)
  }
  if (!scientificPattern.test(text) || !/[eE]/.test(text)) return invalidNumber
  if (signInsidePattern.test(text) || moreThanOnePoint(text)) return invalidNumber
  return scientificFloatPattern.test(text) ? finite(Number(text)) : invalidFloat
}

/** The largest uint64 has so many. */
const maxDigits = 20

/**
 * @param text an optional minus and digits
 * @returns null if no 64 bits hold it, told from its length: a bigint of a body's worth of digits would take minutes
 */
export function wholeNumber(text: string): bigint | null {
  if (text.length <= maxDigits) return BigInt(text)
  const negative = text.startsWith('-')
  let from = negative ? 1 : 0
  while (text[from] === '0') from++
  if (text.length - from > maxDigits) return null
  const magnitude = BigInt(text.slice(from))
  return negative ? -magnitude : magnitude
}

export const maxQuotedLength = 1024

/** What errors quote of a body: enough to find the place by. */
export const quoted = (text: string): string =>
  text.length <= maxQuotedLength ? text : `${text.slice(0, maxQuotedLength)}…`

const moreThanOnePoint = (text: string): boolean => text.indexOf('.') !== text.lastIndexOf('.')

function finite(value: number): ScannedNumber {
  return Number.isFinite(value) ? { kind: 'float', value } : invalidFloat
}

function rangeError(noun: string, goName: string, digits: string): ScannedNumber {
  const text = quoted(digits)
  return {
    kind: 'error',
    message: `unable to parse ${noun} ${text}: strconv.Parse${goName}: parsing "${text}": value out of range`,
  }
}
