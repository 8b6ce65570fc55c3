import { backslash, comma, equals, space } from './bytes.ts'

/** Where a series key ends, or why it is none. Follows InfluxDB 1.8's `scanMeasurement` and `scanTags`. */
export type KeyScan = { readonly end: number } | { readonly message: string }

const fail = (message: string): KeyScan => ({ message })

/** @param from the first byte that is no white space; `end` is the end of the line */
export function scanKey(body: Uint8Array, from: number, end: number): KeyScan {
  if (from >= end || body[from] === comma) return fail('missing measurement')
  let at = from
  for (;;) {
    at++
    if (at >= end) return fail('missing fields')
    if (body[at - 1] === backslash) continue
    if (body[at] === comma) return scanTags(body, at + 1, end)
    if (body[at] === space) return { end: at }
  }
}

function scanTags(body: Uint8Array, from: number, end: number): KeyScan {
  let at = from
  for (;;) {
    if (at >= end || body[at] === space || body[at] === comma || body[at] === equals)
      return fail('missing tag key')
    for (;;) {
      at++
      const escaped = body[at - 1] === backslash
      if (at >= end || ((body[at] === space || body[at] === comma) && !escaped))
        return fail('missing tag value')
      if (body[at] === equals && !escaped) break
    }
    at++
    if (at >= end || body[at] === comma || body[at] === space) return fail('missing tag value')
    for (;;) {
      at++
      if (at >= end) return fail('missing fields')
      if (body[at - 1] === backslash) continue
      if (body[at] === equals) return fail('invalid tag format')
      if (body[at] === comma) break
      if (body[at] === space) return { end: at }
    }
    at++
  }
}

export interface SeriesName {
  readonly measurement: string
  /** Sorted by key. */
  readonly tags: readonly (readonly [key: string, value: string])[]
}

/** A key that `scanKey` accepted, taken apart; or the text of what is still wrong with it. */
export function splitKey(key: string): SeriesName | string {
  const [measurement, ...pairs] = splitUnescaped(key, ',')
  const tags = pairs.map((pair) => {
    const [tagKey, ...value] = splitUnescaped(pair, '=')
    return [unescapeTag(tagKey!), unescapeTag(value.join('='))] as const
  })
  tags.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  for (let index = 1; index < tags.length; index++)
    if (tags[index]![0] === tags[index - 1]![0]) return 'duplicate tags'
  return { measurement: unescapeName(measurement!), tags }
}

function splitUnescaped(text: string, separator: string): string[] {
  const parts: string[] = []
  let start = 0
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + 1)) {
    if (at > 0 && text[at - 1] === '\\') continue
    parts.push(text.slice(start, at))
    start = at + 1
  }
  parts.push(text.slice(start))
  return parts
}

/** Measurements and field keys. */
export const unescapeName = (text: string): string =>
  text.includes('\\') ? text.replaceAll(/\\([," =])/g, '$1') : text

const unescapeTag = (text: string): string =>
  text.includes('\\') ? text.replaceAll('\\,', ',').replaceAll('\\ ', ' ').replaceAll('\\=', '=') : text

export const unescapeString = (text: string): string =>
  text.includes('\\') ? text.replaceAll(/\\(["\\])/g, '$1') : text
