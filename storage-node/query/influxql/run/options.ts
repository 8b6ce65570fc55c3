import { maxTimeNs, minTimeNs } from '../../time.ts'
import type { Zone } from '../../zone.ts'
import type { Expr, Fill, VarRef } from '../ast.ts'
import type { Interval } from '../compile-dimensions.ts'
import type { ResolvedSelect } from '../resolve.ts'

/** How one level of a SELECT runs. */
export interface RunOptions {
  readonly interval: Interval
  readonly zone: Zone | null
  /** Inclusive. */
  readonly startNs: bigint
  readonly endNs: bigint
  /** What storage is asked for at most, whatever subqueries want. */
  readonly storageMinNs: bigint
  readonly storageMaxNs: bigint
  readonly condition: Expr | null
  readonly ascending: boolean
  /** Streams come by group and time; otherwise only the points of a window come together. */
  readonly ordered: boolean
  /** Tags that make output series, and those that make groups at this level: these or more. */
  readonly dimensions: readonly string[]
  readonly groupBy: readonly string[]
  /** Values that come along with each point, sorted by name. */
  readonly aux: readonly VarRef[]
  readonly fill: Fill
  readonly limit: number
  readonly offset: number
  readonly seriesLimit: number
  readonly seriesOffset: number
}

export function optionsOf(select: ResolvedSelect): RunOptions {
  // Transformations read windows before the range: as many as the longest of them needs.
  const extraNs = select.interval.durationNs * BigInt(select.extraIntervals)
  const { ascending, minNs, maxNs } = select
  return {
    interval: select.interval,
    zone: select.zone,
    startNs: minNs,
    endNs: maxNs,
    storageMinNs: ascending ? clamp(minNs - extraNs) : minNs,
    storageMaxNs: ascending ? maxNs : clamp(maxNs + extraNs),
    condition: select.condition,
    ascending,
    ordered: true,
    dimensions: select.dimensions,
    groupBy: [...new Set(select.dimensions)],
    aux: [],
    fill: select.fill,
    limit: select.limit,
    offset: select.offset,
    seriesLimit: select.seriesLimit,
    seriesOffset: select.seriesOffset,
  }
}

const clamp = (ns: bigint): bigint => (ns < minTimeNs ? minTimeNs : ns > maxTimeNs ? maxTimeNs : ns)
const later = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const earlier = (a: bigint, b: bigint): bigint => (a < b ? a : b)

/** Options of a subquery: the outer range, order, grouping and interval reach into it. */
export function optionsOfSubquery(select: ResolvedSelect, outer: RunOptions, nowNs: bigint): RunOptions {
  const { minNs, maxNs } = select.range
  let endNs = earlier(maxNs ?? maxTimeNs, outer.endNs)
  if (select.interval.durationNs !== 0n && endNs === maxTimeNs) endNs = nowNs
  const inherits = select.interval.durationNs === 0n
  return {
    ...optionsOf(select),
    interval: inherits ? outer.interval : select.interval,
    startNs: later(minNs ?? minTimeNs, outer.startNs),
    endNs,
    storageMinNs: outer.storageMinNs,
    storageMaxNs: outer.storageMaxNs,
    ascending: outer.ascending,
    ordered: outer.ordered,
    dimensions: outer.dimensions,
    groupBy: [...new Set([...select.dimensions, ...outer.groupBy])],
    // Nulls would only be dropped outside.
    fill: !select.raw && select.fill.kind === 'null' ? { kind: 'none' } : select.fill,
    seriesLimit: select.seriesLimit + outer.seriesLimit,
    seriesOffset: select.seriesOffset + outer.seriesOffset,
  }
}

/** The tags that the points of a level carry. */
export function carriedTags(options: RunOptions): readonly string[] {
  return options.groupBy.length > 0 ? options.groupBy : options.dimensions
}
