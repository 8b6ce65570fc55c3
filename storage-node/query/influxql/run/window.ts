import { maxTimeNs, minTimeNs } from '../../time.ts'
import { windowAt, type Window } from '../../../aggregation/windows.ts'
import type { Zone } from '../../zone.ts'
import type { Interval } from '../compile-dimensions.ts'

export interface WindowOptions {
  readonly interval: Interval
  readonly zone: Zone | null
  readonly startNs: bigint
  readonly endNs: bigint
}

export type { Window }

const size = (ns: bigint): bigint => (ns < 0n ? -ns : ns)

/**
 * The window of GROUP BY time() that a time falls into, or the whole range without an interval. Windows follow local
 * clocks: where these change inside a window, its ends move, unless the change is as long as the window.
 */
export function windowOf(options: WindowOptions, timeNs: bigint): Window {
  const { interval, zone } = options
  const { durationNs, offsetNs } = interval
  if (durationNs === 0n) return { startNs: options.startNs, endNs: options.endNs + 1n }
  if (zone === null) return windowAt(interval, timeNs)
  const t = timeNs - offsetNs
  const zoneNs = zone.offsetNs(t)
  let into = (t + zoneNs) % durationNs
  if (into < 0n) into += durationNs
  let startNs = (minTimeNs + into >= t ? minTimeNs : t - into) + offsetNs
  const left = durationNs - into
  let endNs = maxTimeNs - left <= t ? maxTimeNs : t + left
  startNs += moved(zoneNs - zone.offsetNs(startNs), durationNs)
  endNs += endShift(zone, zoneNs, endNs, durationNs)
  return { startNs, endNs: endNs + offsetNs }
}

const moved = (shiftNs: bigint, durationNs: bigint): bigint => (size(shiftNs) < durationNs ? shiftNs : 0n)

/** Time that is added belongs to the window before; time that is skipped only if the change lies inside it. */
function endShift(zone: Zone, zoneNs: bigint, endNs: bigint, durationNs: bigint): bigint {
  const endZoneNs = zone.offsetNs(endNs)
  const shiftNs = moved(zoneNs - endZoneNs, durationNs)
  if (shiftNs > 0n) return shiftNs
  return shiftNs < 0n && zone.offsetNs(endNs + shiftNs) === endZoneNs ? shiftNs : 0n
}
