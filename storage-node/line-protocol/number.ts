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

const floatPattern = /^-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/
/** What the scanner lets pass and the conversion then judges: digits, points and exponents in any order. */
const scientificPattern = /^(?:[0-9.]|-[0-9.eE])[0-9.eE+-]*$/
const scientificFloatPattern = /^-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/
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
    const value = BigInt(digits)
    if (value >= minInt64 && value <= maxInt64) return { kind: 'integer', value }
    return rangeError('integer', 'Int', digits)
  }
  if (unsignedPattern.test(text)) {
    const digits = text.slice(0, -1)
    const value = BigInt(digits)
    return value <= maxUint64 ? { kind: 'unsigned', value } : rangeError('unsigned', 'Uint', digits)
  }
  if (!scientificPattern.test(text) || !/[eE]/.test(text)) return invalidNumber
  if (signInsidePattern.test(text) || moreThanOnePoint(text)) return invalidNumber
  return scientificFloatPattern.test(text) ? finite(Number(text)) : invalidFloat
}

const moreThanOnePoint = (text: string): boolean => text.indexOf('.') !== text.lastIndexOf('.')

function finite(value: number): ScannedNumber {
  return Number.isFinite(value) ? { kind: 'float', value } : invalidFloat
}

function rangeError(noun: string, goName: string, digits: string): ScannedNumber {
  return {
    kind: 'error',
    message: `unable to parse ${noun} ${digits}: strconv.Parse${goName}: parsing "${digits}": value out of range`,
  }
}
