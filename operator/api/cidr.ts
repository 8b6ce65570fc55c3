/** A range of addresses: its first one as a number, and how many leading bits count. */
export interface AddressRange {
  readonly family: 4 | 6
  readonly address: bigint
  readonly bits: number
}

/** `10.1.0.0/16` or `2001:db8::/32`, or null for what is neither. Source: RFC 4632, RFC 4291 section 2. */
export function parseRange(text: string): AddressRange | null {
  const match = /^([^/]+)\/(0|[1-9][0-9]{0,2})$/.exec(text)
  if (!match) return null
  const family = match[1]!.includes(':') ? 6 : 4
  const address = family === 6 ? parseIpv6(match[1]!) : parseIpv4(match[1]!)
  const bits = Number(match[2])
  return address === null || bits > widthOf(family) ? null : { family, address, bits }
}

/** Whether all of `inner` lies in `outer`. */
export function containsRange(outer: AddressRange, inner: AddressRange): boolean {
  if (outer.family !== inner.family || inner.bits < outer.bits) return false
  const rest = BigInt(widthOf(outer.family) - outer.bits)
  return outer.address >> rest === inner.address >> rest
}

const widthOf = (family: 4 | 6): number => (family === 4 ? 32 : 128)

function parseIpv4(text: string): bigint | null {
  const parts = text.split('.')
  const isAddress =
    parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)
  return isAddress ? join(parts.map(BigInt), 8n) : null
}

function parseIpv6(text: string): bigint | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - head!.length - (tail?.length ?? 0)
  if (tail === undefined ? missing !== 0 : missing < 1) return null
  const groups = [...head!, ...Array.from({ length: tail ? missing : 0 }, () => '0'), ...(tail ?? [])]
  return groups.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part))
    ? join(
        groups.map((part) => BigInt(`0x${part}`)),
        16n,
      )
    : null
}

const join = (parts: readonly bigint[], width: bigint): bigint =>
  parts.reduce((sum, part) => (sum << width) | part, 0n)
