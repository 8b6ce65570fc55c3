/** IPv4 addresses as sorted, disjoint ranges of whole numbers, both ends included. */
export interface Range {
  readonly first: number
  readonly last: number
}

export const everyAddress: Range = { first: 0, last: 2 ** 32 - 1 }

/** @returns the address as a number, or null if the text is not an IPv4 address */
export function parseAddress(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!match) return null
  const bytes = match.slice(1).map(Number)
  if (bytes.some((byte) => byte > 255)) return null
  return bytes.reduce((address, byte) => address * 256 + byte, 0)
}

/** @returns the block's addresses, or null if the text is not an IPv4 block such as `10.0.0.0/8` */
export function parseBlock(text: string): Range | null {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text)
  const address = match ? parseAddress(match[1]!) : null
  const bits = Number(match?.[2])
  if (address === null || bits > 32) return null
  const size = 2 ** (32 - bits)
  const first = Math.floor(address / size) * size
  return { first, last: first + size - 1 }
}

/** The addresses of any of these ranges. */
export function union(ranges: readonly Range[]): readonly Range[] {
  const merged: Range[] = []
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const previous = merged.at(-1)
    if (previous === undefined || range.first > previous.last + 1) merged.push(range)
    else merged[merged.length - 1] = { first: previous.first, last: Math.max(previous.last, range.last) }
  }
  return merged
}

/** The addresses of `range` that are in none of `holes`. */
export function without(range: Range, holes: readonly Range[]): readonly Range[] {
  const left: Range[] = []
  let first = range.first
  for (const hole of union(holes)) {
    if (hole.last < first || hole.first > range.last) continue
    if (hole.first > first) left.push({ first, last: hole.first - 1 })
    first = hole.last + 1
  }
  if (first <= range.last) left.push({ first, last: range.last })
  return left
}

/** @param ranges a union */
export function isEveryAddress(ranges: readonly Range[]): boolean {
  return ranges[0]?.first === everyAddress.first && ranges[0].last === everyAddress.last
}

export function contains(ranges: readonly Range[], address: number): boolean {
  return ranges.some((range) => range.first <= address && address <= range.last)
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
}

/** As nftables writes it: `10.0.0.1` or `10.0.0.1-10.0.0.9`. */
export function formatRange({ first, last }: Range): string {
  return first === last ? formatAddress(first) : `${formatAddress(first)}-${formatAddress(last)}`
}
