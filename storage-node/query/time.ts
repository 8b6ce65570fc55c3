/** Times are int64 nanoseconds since the epoch, as bigint. The lowest is a sentinel, as in InfluxDB 1.x. */
export const minTimeNs = -(2n ** 63n) + 2n
export const maxTimeNs = 2n ** 63n - 2n

const secondNs = 1_000_000_000n

/** Quotient towards minus infinity. */
export function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return value % divisor < 0n ? quotient - 1n : quotient
}

/** RFC 3339 with up to nine digits of a second, none that are not needed. @param offsetNs of the time zone, east of UTC */
export function formatTime(ns: bigint, offsetNs = 0n): string {
  const local = ns + offsetNs
  const seconds = floorDivide(local, secondNs)
  const iso = new Date(Number(seconds) * 1000).toISOString().slice(0, 19)
  const nanos = (local - seconds * secondNs).toString().padStart(9, '0').replace(/0+$/, '')
  return iso + (nanos === '' ? '' : `.${nanos}`) + formatOffset(offsetNs)
}

function formatOffset(offsetNs: bigint): string {
  if (offsetNs === 0n) return 'Z'
  const minutes = Number(offsetNs / 60_000_000_000n)
  const size = Math.abs(minutes)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${minutes < 0 ? '-' : '+'}${two(Math.trunc(size / 60))}:${two(size % 60)}`
}
