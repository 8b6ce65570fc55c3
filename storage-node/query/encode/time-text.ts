import type { ResultSeries } from '../result.ts'
import { formatTime } from '../time.ts'

/** Unit of times in the answer; null writes RFC 3339 with nanoseconds. */
export type Epoch = 'ns' | 'u' | 'ms' | 's' | 'm' | 'h' | null

const unitNs: Readonly<Record<Exclude<Epoch, null>, bigint>> = {
  ns: 1n,
  u: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}

/** A time in whole units, towards the epoch. */
export function inUnits(ns: bigint, epoch: Exclude<Epoch, null>): bigint {
  return ns / unitNs[epoch]
}

/** A time in the zone of its series. */
export function timeText(ns: bigint, { zone }: Pick<ResultSeries, 'zone'>): string {
  return formatTime(ns, zone?.offsetNs(ns) ?? 0n)
}
