import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { isId } from './ids.ts'

/**
 * Token strings: `hfd_<organization id>_<43 base62><6 base62 CRC32>`.
 *
 * One character set that is safe in headers, Basic passwords, query parameters and environment variables; the
 * organization can be read off without a look-up; the checksum lets a secret scanner, and the gateway, tell a
 * mistyped token from a real one without asking anybody. 43 base62 digits carry 256 bits.
 */
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const randomLength = 43
const checksumLength = 6
const pattern = /^hfd_([0-9a-f]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/

export interface ParsedToken {
  readonly organizationId: string
}

function base62(value: bigint, length: number): string {
  let digits = ''
  for (let rest = value; digits.length < length; rest /= 62n) digits = alphabet[Number(rest % 62n)] + digits
  return digits
}

const checksum = (text: string): string => base62(BigInt(crc32(text)), checksumLength)

/**
 * A new token string.
 * @param random 32 random bytes
 */
export function mintToken(organizationId: string, random: Uint8Array = randomBytes(32)): string {
  if (!isId(organizationId)) throw new TypeError('organizationId: 16 lower-case hex digits expected')
  if (random.length !== 32) throw new TypeError('random: 32 bytes expected')
  const start = `hfd_${organizationId}_${base62(BigInt(`0x${Buffer.from(random).toString('hex')}`), randomLength)}`
  return start + checksum(start)
}

/** What a token string says of itself, or null if it is none. Says nothing of whether the token is valid. */
export function parseToken(text: string): ParsedToken | null {
  const match = pattern.exec(text)
  if (!match) return null
  const start = text.slice(0, -checksumLength)
  if (checksum(start) !== match[3]) return null
  return { organizationId: match[1]! }
}

/** SHA-256 of a token string, 64 lower-case hex digits: all that storage nodes and status ever hold of it. */
export function hashToken(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
