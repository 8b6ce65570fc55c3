import { AppError } from '../../../../common/errors.ts'
import type { MeasurementSchema, Series } from '../../../engine/reader.ts'
import type { Expr } from '../ast.ts'
import { inSteps, sortedInTurns, type GiveTurn } from '../in-turns.ts'
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
 * @param steps some series at a time, with a turn for others between them
 * @throws what `matches` and `giveTurn` do
 */
export async function tagSetsOf(
  steps: AsyncIterable<readonly Series[]>,
  matches: (series: Series) => ReadSeries | null,
  options: TagSetOptions,
  giveTurn: GiveTurn,
): Promise<readonly TagSet[]> {
  const byTags = new Map<string, ReadSeries[]>()
  const dimensions = [...options.dimensions].sort(compareText)
  for await (const step of steps) {
    for (const series of step) {
      const one = matches(series)
      if (one === null) continue
      const key = setKey(dimensions, series.tags)
      const set = byTags.get(key)
      if (set === undefined) byTags.set(key, [one])
      else set.push(one)
    }
  }
  const direction = options.ascending ? 1 : -1
  const ordered = await sortedInTurns(byTags, ([a], [b]) => compareText(a, b), giveTurn)
  const wanted = ordered.slice(...range(byTags.size, options.seriesLimit, options.seriesOffset))
  const sets: TagSet[] = []
  for await (const step of inSteps(wanted, giveTurn))
    for (const [, set] of step)
      sets.push({
        tags: Tags.of(set[0]!.series.tags, options.dimensions),
        series: set.length === 1 ? set : await byKey(set, direction, giveTurn),
      })
  return sortedInTurns(sets, (a, b) => direction * compareText(a.tags.id, b.tags.id), giveTurn)
}

async function byKey(
  set: readonly ReadSeries[],
  direction: 1 | -1,
  giveTurn: GiveTurn,
): Promise<readonly ReadSeries[]> {
  const keyed = await sortedInTurns(withKeys(set), (a, b) => direction * compareText(a.key, b.key), giveTurn)
  return keyed.map(({ one }) => one)
}

/** One after another: keys are made in the steps in which they are sorted. */
function* withKeys(
  set: readonly ReadSeries[],
): Generator<{ readonly one: ReadSeries; readonly key: string }> {
  for (const one of set) yield { one, key: seriesKey(one.series) }
}

function range(size: number, limit: number, offset: number): readonly [number, number] {
  return limit === 0 && offset === 0 ? [0, size] : [offset, offset + limit]
}

/** Only the tags that the series has. */
function setKey(dimensions: readonly string[], tags: ReadonlyMap<string, string>): string {
  const present = dimensions.filter((name) => tags.has(name))
  return [...present, ...present.map((name) => tags.get(name)!)].join('|')
}
