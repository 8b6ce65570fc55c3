export const tab = 9
export const newline = 10
export const space = 32
export const quote = 34
export const hash = 35
export const comma = 44
export const minus = 45
export const point = 46
export const zero = 48
export const equals = 61
export const backslash = 92
export const letterI = 105

/** @returns where the first byte stands that is no space, tab or NUL */
export function skipWhitespace(body: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && (body[at] === space || body[at] === tab || body[at] === 0)) at++
  return at
}
