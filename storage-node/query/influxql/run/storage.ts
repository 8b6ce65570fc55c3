import type { Block, MeasurementSchema } from '../../../engine/reader.ts'
import type { DataType, VarRef } from '../ast.ts'
import type { BoundMeasurement } from '../schema.ts'
import { BlockFeed } from './block-feed.ts'
import { comparisonsIn } from './comparisons.ts'
import type { Environment } from './environment.ts'
import { mergeSorted, mergeWindows } from './merge.ts'
import { carriedTags, type RunOptions } from './options.ts'
import { FieldList, planSeries, pointsOf, typeOfField, type SeriesPlan } from './scan.ts'
import { limitPoints, takePoints } from './shape.ts'
import { batchSize, concatenate, gather, type Points, type Stream } from './stream.ts'
import { tagSetsOf, type TagSet } from './tag-sets.ts'

/** The points of one series of a measurement, made of what is read of it. */
export type SeriesPoints = () => Points

/** A measurement's series that a query reads, in the order of the answer. */
export interface MeasurementRead {
  readonly type: DataType
  /** The points are those of a function's windows, not the stored ones. */
  readonly reduced: boolean
  readonly sets: readonly { readonly set: TagSet; readonly series: readonly SeriesPoints[] }[]
  close(): Promise<void>
}

/**
 * Prepares to read a field, or with null all fields that come along.
 * @param series the direction in which series are read and ordered, which selectors choose for themselves
 * @returns null when the measurement has no such field or no series can match
 */
export function readMeasurement(
  environment: Environment,
  source: BoundMeasurement,
  schema: MeasurementSchema,
  ref: VarRef | null,
  options: RunOptions,
  ascendingSeries = options.ascending,
): MeasurementRead | null {
  const type = ref === null ? 'float' : typeOfField(schema, ref)
  if (type === null || ref?.type === 'tag') return null
  const all = environment.reader.series(source.databaseId, schema.name)
  const sets = tagSetsOf(all, schema, { ...options, maxSeries: environment.maxSeries })
  if (sets.length === 0) return null
  const fields = new FieldList(schema)
  const main = ref === null ? null : fields.field(ref)
  const ordered =
    ascendingSeries === options.ascending
      ? sets
      : sets.map((set) => ({ ...set, series: set.series.toReversed() }))
  const plans = ordered.map((set) =>
    set.series.map((one) => planSeries(one, fields, main, options.aux, carriedTags(options))),
  )
  const feed = new BlockFeed(environment, {
    databaseId: source.databaseId,
    retentionPolicy: source.retentionPolicy,
    measurement: schema.name,
    seriesIds: ordered.flatMap((set) => set.series.map((one) => one.series.id)),
    fields: fields.names,
    matching: comparisonsIn(options.condition, schema),
    ...rangeOf(options),
  })
  return {
    type,
    reduced: false,
    sets: ordered.map((set, s) => ({
      set,
      series: set.series.map(
        (one, i): SeriesPoints =>
          () =>
            seriesPoints(feed, one.series.id, plans[s]![i]!, ascendingSeries),
      ),
    })),
    close: () => feed.close(),
  }
}

/** What is asked of storage. */
export function rangeOf({ startNs, endNs, storageMinNs, storageMaxNs }: RunOptions): {
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
} {
  return {
    minTimeNs: startNs > storageMinNs ? startNs : storageMinNs,
    maxTimeNs: endNs < storageMaxNs ? endNs : storageMaxNs,
  }
}

async function* seriesPoints(feed: BlockFeed, id: number, plan: SeriesPlan, ascending: boolean): Points {
  if (ascending) {
    for await (const block of feed.blocksOf(id)) yield* batchOf(block, plan, true)
    return
  }
  const blocks: Block[] = []
  for await (const block of feed.blocksOf(id)) blocks.push(block)
  for (const block of blocks.reverse()) yield* batchOf(block, plan, false)
}

function* batchOf(
  block: Block,
  plan: SeriesPlan,
  ascending: boolean,
): Generator<ReturnType<typeof pointsOf>> {
  const { length } = block.times
  for (let from = 0; from < length; from += batchSize) {
    const points = pointsOf(block, plan, ascending, from, Math.min(from + batchSize, length))
    if (points.length > 0) yield points
  }
}

/** Stored points, by group and time or by window, of one source. */
export function streamStored(
  environment: Environment,
  source: BoundMeasurement,
  ref: VarRef | null,
  options: RunOptions,
): Stream | null {
  const reads = readAll(source, options, (schema) =>
    readMeasurement(environment, source, schema, ref, options),
  )
  if (reads.length === 0) return null
  return {
    type: reads[0]!.type,
    points: concatenate(
      reads.map(
        (read) => () =>
          closing(
            read,
            concatenate(
              read.sets.map(
                ({ series }) =>
                  () =>
                    streamSet(series, options),
              ),
            ),
          ),
      ),
    ),
  }
}

/** Names are distinct and sorted, so one measurement comes behind another. */
export function readAll(
  source: BoundMeasurement,
  options: RunOptions,
  read: (schema: MeasurementSchema) => MeasurementRead | null,
): readonly MeasurementRead[] {
  const schemas = options.ascending ? source.schemas : source.schemas.toReversed()
  return schemas.map(read).filter((one) => one !== null)
}

export async function* closing(read: { close(): Promise<void> }, points: Points): Points {
  try {
    yield* points
  } finally {
    await points.return()
    await read.close()
  }
}

/** Merges the series of a set. Their blocks are held until the set is done, since they come one after another. */
export async function* streamSet(series: readonly SeriesPoints[], options: RunOptions): Points {
  const { limit, offset } = options
  const limited = limit > 0 || offset > 0
  const onePerSeries = options.dimensions.length === options.groupBy.length
  // One more than asked for; of an offset alone one point is left, as in InfluxDB 1.x.
  const most = limit + offset + 1
  const inputs: Points[] = []
  for (const open of series) {
    const points = limited ? takePoints(open(), most) : open()
    inputs.push(series.length === 1 ? points : await gather(points))
  }
  const merged = options.ordered ? mergeSorted(inputs, options) : mergeWindows(inputs, options)
  if (!limited) yield* merged
  else if (onePerSeries) yield* takePoints(merged, most)
  else yield* limitPoints(merged, limit, offset)
}
