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

export interface TagSetOptions {
  readonly condition: Expr | null
  readonly dimensions: readonly string[]
  readonly ascending: boolean
  readonly seriesLimit: number
  readonly seriesOffset: number
  readonly maxSeries: number
  /** Called for each series that can match. @throws AppError too-large */
  readonly hold: () => void
}

/**
 * Groups the series that can match by the tags of GROUP BY, in the order of the answer. SLIMIT and SOFFSET count in
 * ascending order whatever the direction, and SOFFSET without SLIMIT leaves nothing, as in InfluxDB 1.x.
 * @throws AppError too-large
 */
export function tagSetsOf(
  all: Iterable<Series>,
  schema: MeasurementSchema,
  options: TagSetOptions,
): readonly TagSet[] {
  const sets = new Map<string, ReadSeries[]>()
  const dimensions = [...options.dimensions].sort(compareText)
  let count = 0
  for (const series of all) {
    const filter = filterSeries(options.condition, series, schema)
    if (!filter.matches) continue
    if (++count > options.maxSeries) {
      throw new AppError(
        'too-large',
        'ERR_QUERY_SERIES_LIMIT',
        `max-select-series limit exceeded: (${count}/${options.maxSeries})`,
      )
    }
    options.hold()
    const key = setKey(dimensions, series.tags)
    const set = sets.get(key) ?? []
    if (set.length === 0) sets.set(key, set)
    set.push({ series, filter: filter.rest })
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
