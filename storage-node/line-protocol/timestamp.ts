import { unreachable } from '../../common/errors.ts'
import type { Precision } from './batch.ts'
import { quoted, wholeNumber } from './number.ts'

const unitNs: Readonly<Record<Precision, bigint>> = {
  n: 1n,
  ns: 1n,
  u: 1_000n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}

/** The two smallest and the largest int64 are not times: InfluxDB keeps them for itself. */
export const minTimeNs = -9223372036854775806n
export const maxTimeNs = 9223372036854775806n

const maxInt64 = 9223372036854775807n
const minInt64 = -9223372036854775808n

export function isPrecision(text: string): text is Precision {
  return Object.hasOwn(unitNs, text)
}

/** The supplied now, cut down to whole units, as Go's `Time.Truncate` does for times after the epoch. */
export function truncateNow(nowNs: bigint, precision: Precision): bigint {
  return nowNs - (nowNs % unitNs[precision])
}

/** A timestamp's digits as nanoseconds, or the error text. @param digits an optional minus and digits */
export function timestampNs(digits: string, precision: Precision): bigint | string {
  if (digits === '-') return 'strconv.ParseInt: parsing "-": invalid syntax'
  const value = wholeNumber(digits)
  if (value === null || value < minInt64 || value > maxInt64)
    return `strconv.ParseInt: parsing "${quoted(digits)}": value out of range`
  const timeNs = value * unitNs[precision]
  if (timeNs < minTimeNs || timeNs > maxTimeNs) return `time outside range ${minTimeNs} - ${maxTimeNs}`
  return timeNs
}

/**
 * Up to 18 digits as a 64-bit number in two halves, without a bigint: `high * 10^9 + low`, times the unit.
 * @returns false where that is not exact; the caller then takes the slow way
 */
export function writeTimestamp(
  halves: Int32Array,
  at: number,
  billions: number,
  rest: number,
  precision: Precision,
): boolean {
  switch (precision) {
    case 'n':
    case 'ns':
      return writeBillions(halves, at, billions, rest)
    case 'u':
    case 'us':
      return scaled(halves, at, billions, rest, 1_000_000)
    case 'ms':
      return scaled(halves, at, billions, rest, 1_000)
    case 's':
      return billions < 9 && writeBillions(halves, at, billions * 1e9 + rest, 0)
    case 'm':
    case 'h':
      return false
    default:
      return unreachable(precision)
  }
}

function scaled(halves: Int32Array, at: number, billions: number, rest: number, perSecond: number): boolean {
  const value = billions * 1e9 + rest
  if (value >= 9e15) return false
  const seconds = Math.floor(value / perSecond)
  if (seconds >= 9_000_000_000) return false
  return writeBillions(halves, at, seconds, (value - seconds * perSecond) * (1e9 / perSecond))
}

/** billions * 10^9 + rest into two 32-bit halves; exact below 9 * 10^18. Little-endian, as every platform of Node. */
export function writeBillions(halves: Int32Array, at: number, billions: number, rest: number): boolean {
  if (billions >= 9_000_000_000) return false
  const upper = Math.floor(billions / 65536)
  const lowerProduct = (billions - upper * 65536) * 1e9 + rest
  const upperProduct = upper * 1e9
  const carried = Math.floor(upperProduct / 65536)
  const low = lowerProduct + (upperProduct - carried * 65536) * 65536
  const overflow = Math.floor(low / 4294967296)
  halves[at * 2] = low - overflow * 4294967296
  halves[at * 2 + 1] = carried + overflow
  return true
}
