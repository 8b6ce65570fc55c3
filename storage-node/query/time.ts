/** Times are int64 nanoseconds since the epoch, as bigint. The lowest is a sentinel, as in InfluxDB 1.x. */
export const minTimeNs = -(2n ** 63n) + 2n
export const maxTimeNs = 2n ** 63n - 2n

const secondNs = 1_000_000_000n

/** Quotient towards minus infinity. */
export function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return value % divisor < 0n ? quotient - 1n : quotient
}

const two = (n: number): string => (n < 10 ? `0${n}` : String(n))

/** RFC 3339 with up to nine digits of a second, none that are not needed. @param offsetNs of the time zone, east of UTC */
export function formatTime(ns: bigint, offsetNs = 0n): string {
  const local = ns + offsetNs
  const wholeSeconds = floorDivide(local, secondNs)
  const nanos = Number(local - wholeSeconds * secondNs)
  const seconds = Number(wholeSeconds)
  const days = Math.floor(seconds / 86_400)
  const clock = seconds - days * 86_400
  const time = `${two(Math.floor(clock / 3_600))}:${two(Math.floor(clock / 60) % 60)}:${two(clock % 60)}`
  const fraction = nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`
  return `${formatDate(days)}T${time}${fraction}${formatOffset(offsetNs)}`
}

/**
 * The date `days` after the epoch. Written out, since answers hold millions of times and Date is slow. Years count
 * from March, so that the day of a leap year is the last, in eras of 400 years, which repeat.
 */
function formatDate(days: number): string {
  const sinceEra = days + 719_468
  const era = Math.floor(sinceEra / 146_097)
  const dayOfEra = sinceEra - era * 146_097
  const leapDays =
    Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * month + 2) / 5) + 1
  const year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
  return `${String(year).padStart(4, '0')}-${two(month >= 10 ? month - 9 : month + 3)}-${two(day)}`
}

function formatOffset(offsetNs: bigint): string {
  if (offsetNs === 0n) return 'Z'
  const minutes = Number(offsetNs / 60_000_000_000n)
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.trunc(size / 60))}:${two(size % 60)}`
}
