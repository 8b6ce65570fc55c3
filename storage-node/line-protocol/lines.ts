import { backslash, comma, equals, newline, quote, space } from './bytes.ts'

/** Finds the ends of lines: a newline inside a quoted string is part of the line. */
export class LineEnds {
  readonly #body: Uint8Array
  #nextQuote = -1

  constructor(body: Uint8Array) {
    this.#body = body
  }

  /** @returns where the line that begins at `from` ends: its newline, or the end of the body */
  endOf(from: number): number {
    const body = this.#body
    const found = body.indexOf(newline, from)
    const end = found < 0 ? body.length : found
    if (this.#nextQuote < from) {
      const at = body.indexOf(quote, from)
      this.#nextQuote = at < 0 ? body.length : at
    }
    if (this.#nextQuote > end && body[end - 1] !== backslash) return end
    return quotedEnd(body, from)
  }
}

/** The whole rule, as InfluxDB 1.8's `scanLine` has it. */
function quotedEnd(body: Uint8Array, from: number): number {
  let quoted = false
  let inFields = false
  let equalsSeen = 0
  let commasSeen = 0
  for (let at = from; at < body.length; at++) {
    const byte = body[at]
    if (byte === backslash && at + 2 < body.length) {
      at++
      continue
    }
    if (byte === space) inFields = true
    if (inFields && !quoted && byte === equals) equalsSeen++
    else if (inFields && !quoted && byte === comma) commasSeen++
    else if (inFields && byte === quote && equalsSeen > commasSeen) quoted = !quoted
    else if (byte === newline && !quoted) return at
  }
  return body.length
}
