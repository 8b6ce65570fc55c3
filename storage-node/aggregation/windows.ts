import { maxTimeNs, minTimeNs } from '../query/time.ts'

/** How time is cut into windows of equal length; a duration of 0 makes all time one window. */
export interface Windowing {
  readonly durationNs: bigint
  /** Where windows begin, counted from the epoch. */
  readonly offsetNs: bigint
}

/** From `startNs` up to, not including, `endNs`. */
export interface Window {
  readonly startNs: bigint
  readonly endNs: bigint
}

/** The window that a time falls into; the first and the last end where time does. */
export function windowAt({ durationNs, offsetNs }: Windowing, timeNs: bigint): Window {
  if (durationNs === 0n) return { startNs: minTimeNs, endNs: maxTimeNs + 1n }
  const t = timeNs - offsetNs
  let into = t % durationNs
  if (into < 0n) into += durationNs
  const startNs = (minTimeNs + into >= t ? minTimeNs : t - into) + offsetNs
  const left = durationNs - into
  const endNs = (maxTimeNs - left <= t ? maxTimeNs : t + left) + offsetNs
  return { startNs, endNs }
}
