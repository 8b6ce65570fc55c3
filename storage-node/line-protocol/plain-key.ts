import { backslash, comma, equals, quote } from './bytes.ts'

/** Longer keys are for `splitKey`. */
const maxLength = 1_024
const firstPrintable = 0x20
const lastPrintable = 0x7e
const timeTag = Buffer.from('time')
/** The key in hand. A separator takes three bytes in place of one. */
const scratch = Buffer.alloc(3 * maxLength + 4)

export interface PlainKey {
  /** As `seriesKey` makes it. */
  readonly key: string
  readonly measurement: string
}

/**
 * The series key of measurement and tags that mean what stands there and come in their order, as agents mostly send
 * them. It decides nothing: what it does not take is for `splitKey`, and what it takes means the same there.
 * @param from to `end`: a key that `scanKey` accepted
 * @returns null if it is not so plain
 */
export function plainKey(body: Buffer, from: number, end: number): PlainKey | null {
  if (end - from > maxLength) return null
  let to = 0
  scratch[to++] = 0x5b
  scratch[to++] = quote
  let measurementEnd = -1
  /** Where the name or value in hand begins, and the tag key before: nowhere at first. */
  let start = from
  let lastFrom = 0
  let lastEnd = 0
  let isTagKey = false
  for (let at = from; at < end; at++) {
    const byte = body[at]!
    if (byte < firstPrintable || byte > lastPrintable || byte === quote || byte === backslash) return null
    if (byte !== comma && byte !== equals) {
      scratch[to++] = byte
      continue
    }
    if (byte === comma) {
      if (measurementEnd < 0) measurementEnd = at
      isTagKey = true
    } else {
      // An equals sign may be part of a measurement's name.
      if (!isTagKey) return null
      if (!isBefore(body, lastFrom, lastEnd, start, at) || isTime(body, start, at)) return null
      lastFrom = start
      lastEnd = at
      isTagKey = false
    }
    start = at + 1
    scratch[to++] = quote
    scratch[to++] = comma
    scratch[to++] = quote
  }
  scratch[to++] = quote
  scratch[to++] = 0x5d
  return {
    key: scratch.toString('latin1', 0, to),
    measurement: body.toString('latin1', from, measurementEnd < 0 ? end : measurementEnd),
  }
}

/** Whether a name is less than another, both ASCII; the one that ends where it begins is less than all. */
function isBefore(body: Buffer, from: number, end: number, otherFrom: number, otherEnd: number): boolean {
  for (let at = from, other = otherFrom; at < end; at++, other++) {
    if (other === otherEnd) return false
    if (body[at] !== body[other]) return body[at]! < body[other]!
  }
  return end - from < otherEnd - otherFrom
}

function isTime(body: Buffer, from: number, end: number): boolean {
  if (end - from !== timeTag.length) return false
  for (let index = 0; index < timeTag.length; index++) if (body[from + index] !== timeTag[index]) return false
  return true
}
