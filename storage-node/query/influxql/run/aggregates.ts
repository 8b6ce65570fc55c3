import {
  textLength,
  type FieldWindows,
  type Measure,
  type SeriesWindows,
  type Statistic,
  type StoredValue,
} from '../../../aggregation/series-windows.ts'
import type { FieldType, MeasurementSchema, Reader, Series } from '../../../engine/reader.ts'
import type { Call, VarRef } from '../ast.ts'
import type { BoundMeasurement } from '../schema.ts'
import { toFloat, Unsigned, type Scalar } from '../scalar.ts'
import type { Environment } from './environment.ts'
import { carriedTags, type RunOptions } from './options.ts'
import { noAux, Tags, type Point } from './point.ts'
import { typeOfField } from './scan.ts'
import { SharedFeed, type Consumer } from './shared-feed.ts'
import { rangeOf, type MeasurementRead, type SeriesRead } from './storage.ts'
import { emptyPoints, type Holder, type Points } from './stream.ts'
import type { TagSet } from './tag-sets.ts'

/** What a function needs of a window besides the number of its values. */
export const statistics: Readonly<Record<string, Statistic | null>> = {
  count: null,
  sum: 'sum',
  mean: 'sum',
  min: 'min',
  max: 'max',
  first: 'first',
  last: 'last',
}

/** All windows of a series are in memory at one time; a SELECT with more of them goes point by point. */
export const maxWindowsOfSeries = 100_000

interface Shared {
  readonly sets: readonly TagSet[]
  readonly measures: Map<string, Set<Statistic>>
  readonly feed: SharedFeed<SeriesWindows>
  /** By the names of the tags that points carry, those of each series. */
  readonly tags: Map<string, ReadonlyMap<number, Tags>>
}

function tagsOf({ sets, tags }: Shared, options: RunOptions): ReadonlyMap<number, Tags> {
  const names = carriedTags(options)
  const key = names.join('\0')
  let known = tags.get(key)
  if (known === undefined) {
    const all = sets.flatMap(({ series }) => series)
    known = new Map(all.map(({ series }) => [series.id, Tags.of(series.tags, names)]))
    tags.set(key, known)
  }
  return known
}

/** The functions of one SELECT that the reader works out series by series, in one read for all of them. */
export class Aggregates {
  readonly #environment: Environment
  readonly #shared = new Map<string, Shared>()

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /**
   * Prepares to read the windows of a function, as points that `reduceWindows` would give of each series.
   * @returns null when points must be looked at one by one
   */
  read(
    source: BoundMeasurement,
    schema: MeasurementSchema,
    call: Call,
    ref: VarRef,
    options: RunOptions,
  ): MeasurementRead | null {
    const { name } = call
    const type = typeOfField(schema, ref)
    if (!this.#environment.reader.aggregate || type === null || ref.type === 'tag') return null
    if (!Object.hasOwn(statistics, name) || options.aux.length > 0 || options.zone !== null) return null
    if (type !== schema.fields.get(ref.name)) return null
    // Backwards, floats are added up in another order.
    if (statistics[name] === 'sum' && type === 'float' && !options.ascending) return null
    const shared = this.#sharedOf(source, schema, options)
    if (shared === null) return null
    const statistic = statistics[name]!
    const wanted = shared.measures.get(ref.name) ?? new Set<Statistic>()
    shared.measures.set(ref.name, wanted)
    if (statistic !== null) wanted.add(statistic)
    const field = [...shared.measures.keys()].indexOf(ref.name)
    const consumer = shared.feed.consumer()
    const form: PointForm = { call: name, type, schema, options, tags: tagsOf(shared, options) }
    return {
      type,
      reduced: true,
      sets: shared.sets.map((set) => ({
        set,
        series: set.series.map(
          ({ series }) => new SeriesOfWindows(this.#environment, consumer, series, field, form),
        ),
      })),
      close: () => consumer.close(),
    }
  }

  /** The same, where each group is of one series only: of several, equal times decide by more than one point of each. */
  readAlone(...request: Parameters<Aggregates['read']>): MeasurementRead | null {
    const [source, schema, , ref, options] = request
    if (typeOfField(schema, ref) === null) return null
    const shared = this.#sharedOf(source, schema, options)
    return shared?.sets.every(({ series }) => series.length === 1) ? this.read(...request) : null
  }

  /** @returns null when no series can match or points have to be filtered */
  #sharedOf(source: BoundMeasurement, schema: MeasurementSchema, options: RunOptions): Shared | null {
    const { databaseId, retentionPolicy } = source
    const { interval, startNs, endNs } = options
    const key = [databaseId, retentionPolicy, schema.name, interval.durationNs, startNs, endNs].join('\0')
    const known = this.#shared.get(key)
    if (known && !known.feed.isOpen) return known
    const { reader, signal } = this.#environment
    if (windowsOfSeries(reader, source, schema.name, options) > maxWindowsOfSeries) return null
    const sets = this.#environment.tagSets(databaseId, schema, options)
    const series = sets.flatMap((set) => set.series)
    if (series.length === 0 || series.some(({ filter }) => filter !== null)) return null
    const seriesIds = series.map((one) => one.series.id)
    const measures: Shared['measures'] = new Map()
    const shared: Shared = {
      sets,
      measures,
      tags: new Map(),
      feed: new SharedFeed(seriesIds, () =>
        reader.aggregate!({
          databaseId,
          retentionPolicy,
          measurement: schema.name,
          seriesIds,
          ...rangeOf(options),
          windowing: interval,
          measures: [...measures].map(([field, wanted]): Measure => ({ field, statistics: [...wanted] })),
          countPoints: (count) => this.#environment.countPoints(count),
          signal,
        }),
      ),
    }
    this.#shared.set(key, shared)
    return shared
  }
}

interface PointForm {
  readonly call: string
  readonly type: FieldType
  readonly schema: MeasurementSchema
  readonly options: RunOptions
  readonly tags: ReadonlyMap<number, Tags>
}

/** About what a window takes in memory, and each field's statistics of it. */
const windowBytes = 32
const fieldBytes = 64

export const windowsBytes = (windows: SeriesWindows): number =>
  windows.startsNs.length * (windowBytes + fieldBytes * windows.fields.length) + 2 * textLength(windows)

class SeriesOfWindows implements SeriesRead {
  readonly #holder: Holder
  readonly #consumer: Consumer<SeriesWindows>
  readonly #series: Series
  readonly #field: number
  readonly #form: PointForm

  constructor(
    holder: Holder,
    consumer: Consumer<SeriesWindows>,
    series: Series,
    field: number,
    form: PointForm,
  ) {
    this.#holder = holder
    this.#consumer = consumer
    this.#series = series
    this.#field = field
    this.#form = form
  }

  async *points(): Points {
    const windows = await this.#consumer.take(this.#series.id)
    if (windows !== null) yield* this.#pointsOf(windows)
  }

  async held(): Promise<Points> {
    const windows = await this.#consumer.take(this.#series.id)
    if (windows === null) return emptyPoints()
    const bytes = windowsBytes(windows)
    this.#holder.hold(bytes)
    return this.#released(windows, bytes)
  }

  async *#released(windows: SeriesWindows, bytes: number): Points {
    for (const batch of this.#pointsOf(windows)) {
      yield batch
      await this.#holder.giveTurn()
    }
    this.#holder.release(bytes)
  }

  *#pointsOf(windows: SeriesWindows): Generator<readonly Point[]> {
    const { options, schema } = this.#form
    const tags = this.#form.tags.get(this.#series.id)!
    const values = windows.fields[this.#field]!
    const count = windows.startsNs.length
    let batch: Point[] = []
    for (let k = 0; k < count; k++) {
      const window = options.ascending ? k : count - 1 - k
      const aggregated = values.counts[window]!
      if (aggregated === 0) continue
      const startNs = options.interval.durationNs === 0n ? options.startNs : windows.startsNs[window]!
      const { timeNs, value } = resultOf(this.#form, values, window)
      batch.push({ name: schema.name, tags, timeNs: timeNs ?? startNs, value, aux: noAux, aggregated })
      if (batch.length < this.#holder.batchSize) continue
      yield batch
      batch = []
    }
    if (batch.length > 0) yield batch
  }
}

function resultOf(
  { call, type }: PointForm,
  values: FieldWindows,
  window: number,
): { readonly timeNs: bigint | null; readonly value: Scalar } {
  switch (call) {
    case 'count':
      return { timeNs: null, value: BigInt(values.counts[window]!) }
    case 'sum':
      return { timeNs: null, value: scalarOf(values.sums![window]!, type) }
    case 'mean': {
      const total = toFloat(scalarOf(values.sums![window]!, type)) ?? 0
      return { timeNs: null, value: total / values.counts[window]! }
    }
    default: {
      const selected = values[call as 'min' | 'max' | 'first' | 'last']!
      return { timeNs: selected.timesNs[window]!, value: scalarOf(selected.values[window]!, type) }
    }
  }
}

function scalarOf(value: StoredValue, type: FieldType): Scalar {
  if (type === 'boolean') return value === 1
  return type === 'unsigned' ? new Unsigned(value as bigint) : value
}

/** How many windows a series has at most, in the time for which anything is stored. */
function windowsOfSeries(
  reader: Reader,
  { databaseId, retentionPolicy }: BoundMeasurement,
  measurement: string,
  options: RunOptions,
): number {
  const { durationNs } = options.interval
  if (durationNs === 0n) return 1
  const stored = reader.timeRange?.(databaseId, retentionPolicy, measurement) ?? null
  const { minTimeNs, maxTimeNs } = rangeOf(options)
  const fromNs = stored && stored.minTimeNs > minTimeNs ? stored.minTimeNs : minTimeNs
  const untilNs = stored && stored.maxTimeNs < maxTimeNs ? stored.maxTimeNs : maxTimeNs
  return Number((untilNs - fromNs) / durationNs) + 2
}
