import type { Zone } from '../zone.ts'
import { floorDivide } from '../time.ts'

const secondNs = 1_000_000_000n
const dayNs = 86_400n * secondNs

export function isTimeLiteral(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}/.test(text) && !/^\d{4}-\d{2}-\d{2}\n/.test(text)
}

/**
 * `2006-01-02`, `2006-01-02 15:04:05.999999999` or RFC 3339, in the zone unless it names an offset.
 * @returns nanoseconds since the epoch, or null when the text is no time
 */
export function parseTimeLiteral(text: string, zone: Zone | null): bigint | null {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})(?:([ T])(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})?)?$/.exec(
      text,
    )
  if (!match) return null
  const [, year, month, day, divider, hour, minute, second, fraction = '', offset] = match
  // Only RFC 3339 has a T and an offset, and it needs both; the plain form takes hours of one digit.
  if (divider !== undefined && (divider === 'T') !== (offset !== undefined)) return null
  const localNs = dateNs(Number(year), Number(month), Number(day))
  const clockNs = clockOf(Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0))
  if (localNs === null || clockNs === null) return null
  const local = localNs + clockNs + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  if (offset !== undefined && offset !== 'Z') return local - offsetNs(offset)
  return zone === null || offset === 'Z' ? local : zone.instantOf(local)
}

function dateNs(year: number, month: number, day: number): bigint | null {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  return floorDivide(BigInt(date.getTime()), 86_400_000n) * dayNs
}

function clockOf(hour: number, minute: number, second: number): bigint | null {
  if (hour > 23 || minute > 59 || second > 59) return null
  return BigInt(hour * 3600 + minute * 60 + second) * secondNs
}

function offsetNs(offset: string): bigint {
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6))
  return BigInt(offset.startsWith('-') ? -minutes : minutes) * 60n * secondNs
}
