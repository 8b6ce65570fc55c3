import { AppError } from '../../../../common/errors.ts'
import type { MeasurementSchema, Series } from '../../../engine/reader.ts'
import type { Expr } from '../ast.ts'
import { compareText } from '../scalar.ts'
import { filterSeries } from '../series-filter.ts'
import { seriesKey } from '../series-key.ts'
import { Tags } from './point.ts'

/** A series that a query reads, with what is left to ask of its points. */
export interface ReadSeries {
  readonly series: Series
  readonly filter: Expr | null
}

/** Series that make one output series. */
export interface TagSet {
  readonly tags: Tags
  readonly series: readonly ReadSeries[]
}

export interface MatchOptions {
  readonly condition: Expr | null
  readonly maxSeries: number
  /** Called for each series that can match. @throws AppError too-large */
  readonly hold: () => void
}

/**
 * @returns what tells of the series of one measurement which of them can match: null for one that cannot
 * @throws AppError too-large, when it is asked
 */
export function matcherOf(
  schema: MeasurementSchema,
  { condition, maxSeries, hold }: MatchOptions,
): (series: Series) => ReadSeries | null {
  let count = 0
  return (series) => {
    const filter = filterSeries(condition, series, schema)
    if (!filter.matches) return null
    if (++count > maxSeries) {
      throw new AppError(
        'too-large',
        'ERR_QUERY_SERIES_LIMIT',
        `max-select-series limit exceeded: (${count}/${maxSeries})`,
      )
    }
    hold()
    return { series, filter: filter.rest }
  }
}

export interface TagSetOptions {
  readonly dimensions: readonly string[]
  readonly ascending: boolean
  readonly seriesLimit: number
  readonly seriesOffset: number
}

/**
 * Groups the series that can match by the tags of GROUP BY, in the order of the answer. SLIMIT and SOFFSET count in
 * ascending order whatever the direction, and SOFFSET without SLIMIT leaves nothing, as in InfluxDB 1.x.
 */
export function tagSetsOf(matching: readonly ReadSeries[], options: TagSetOptions): readonly TagSet[] {
  const sets = new Map<string, ReadSeries[]>()
  const dimensions = [...options.dimensions].sort(compareText)
  for (const one of matching) {
    const key = setKey(dimensions, one.series.tags)
    const set = sets.get(key) ?? []
    if (set.length === 0) sets.set(key, set)
    set.push(one)
  }
  const direction = options.ascending ? 1 : -1
  return [...sets]
    .sort(([a], [b]) => compareText(a, b))
    .slice(...range(sets.size, options.seriesLimit, options.seriesOffset))
    .map(([, set]) => ({
      tags: Tags.of(set[0]!.series.tags, options.dimensions),
      series: byKey(set, direction),
    }))
    .sort((a, b) => direction * compareText(a.tags.id, b.tags.id))
}

function byKey(set: readonly ReadSeries[], direction: 1 | -1): readonly ReadSeries[] {
  if (set.length === 1) return set
  return set
    .map((one) => ({ one, key: seriesKey(one.series) }))
    .sort((a, b) => direction * compareText(a.key, b.key))
    .map(({ one }) => one)
}

function range(size: number, limit: number, offset: number): readonly [number, number] {
  return limit === 0 && offset === 0 ? [0, size] : [offset, offset + limit]
}

/** Only the tags that the series has. */
function setKey(dimensions: readonly string[], tags: ReadonlyMap<string, string>): string {
  const present = dimensions.filter((name) => tags.has(name))
  return [...present, ...present.map((name) => tags.get(name)!)].join('|')
}
