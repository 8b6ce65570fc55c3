import type { Block, Column, FieldType, MeasurementSchema } from '../../../engine/reader.ts'
import type { DataType, VarRef } from '../ast.ts'
import type { BoundMeasurement } from '../schema.ts'
import { BlockFeed } from './block-feed.ts'
import { comparisonsIn } from './comparisons.ts'
import type { Environment } from './environment.ts'
import { mergeSorted, mergeWindows } from './merge.ts'
import { carriedTags, type RunOptions } from './options.ts'
import { FieldList, planSeries, pointsOf, typeOfField, type SeriesPlan } from './scan.ts'
import type { Point } from './point.ts'
import { limitPoints, skipOfShards, takeOfShards, takePoints } from './shape.ts'
import { concatenate, gather, type Holder, type Points, type Stream } from './stream.ts'
import type { TagSet } from './tag-sets.ts'

/** One series of a measurement. */
export interface SeriesRead {
  /** Its points, made of what is read as it comes. */
  points(): Points
  /** Reads all of it now, for points that are looked at later. */
  held(): Promise<Points>
}

/** A measurement's series that a query reads, in the order of the answer. */
export interface MeasurementRead {
  readonly type: DataType
  /** The points are those of a function's windows, not the stored ones. */
  readonly reduced: boolean
  readonly sets: readonly { readonly set: TagSet; readonly series: readonly SeriesRead[] }[]
  close(): Promise<void>
}

/** The same before it is made into points. */
export interface PreparedRead {
  readonly type: FieldType
  readonly sets: readonly TagSet[]
  /** In the order of the sets and their series. */
  readonly plans: readonly (readonly SeriesPlan[])[]
  /** The names of the blocks' columns. */
  readonly fields: readonly string[]
  readonly feed: BlockFeed
}

/**
 * Prepares to read a field, or with null all fields that come along.
 * @param series the direction in which series are read and ordered, which selectors choose for themselves
 * @returns null when the measurement has no such field or no series can match
 */
export function prepareRead(
  environment: Environment,
  source: BoundMeasurement,
  schema: MeasurementSchema,
  ref: VarRef | null,
  options: RunOptions,
  ascendingSeries = options.ascending,
): PreparedRead | null {
  const isField = (one: VarRef) => one.type !== 'tag' && typeOfField(schema, one) !== null
  if (!(ref === null ? options.aux.some(isField) : isField(ref))) return null
  const type = ref === null ? 'float' : typeOfField(schema, ref)!
  const inOrder = environment.tagSets(source.databaseId, schema, options)
  if (inOrder.length === 0) return null
  const fields = new FieldList(schema)
  const main = ref === null ? null : fields.field(ref)
  const sets =
    ascendingSeries === options.ascending
      ? inOrder
      : inOrder.map((set) => ({ ...set, series: set.series.toReversed() }))
  const plans = sets.map((set) =>
    set.series.map((one) => planSeries(one, fields, main, options.aux, carriedTags(options))),
  )
  const feed = new BlockFeed(environment, {
    databaseId: source.databaseId,
    retentionPolicy: source.retentionPolicy,
    measurement: schema.name,
    seriesIds: sets.flatMap((set) => set.series.map((one) => one.series.id)),
    fields: fields.names,
    matching: comparisonsIn(options.condition, schema),
    ...rangeOf(options),
  })
  return { type, sets, plans, fields: fields.names, feed }
}

/** The same as `prepareRead`, made into points. */
export function readMeasurement(
  environment: Environment,
  source: BoundMeasurement,
  schema: MeasurementSchema,
  ref: VarRef | null,
  options: RunOptions,
  ascendingSeries = options.ascending,
): MeasurementRead | null {
  const read = prepareRead(environment, source, schema, ref, options, ascendingSeries)
  if (read === null) return null
  const { type, sets, plans, feed } = read
  return {
    type,
    reduced: false,
    sets: sets.map((set, s) => ({
      set,
      series: set.series.map(
        (one, i) => new StoredSeries(environment, feed, one.series.id, plans[s]![i]!, ascendingSeries),
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

class StoredSeries implements SeriesRead {
  readonly #holder: Holder
  readonly #feed: BlockFeed
  readonly #id: number
  readonly #plan: SeriesPlan
  readonly #ascending: boolean

  constructor(holder: Holder, feed: BlockFeed, id: number, plan: SeriesPlan, ascending: boolean) {
    this.#holder = holder
    this.#feed = feed
    this.#id = id
    this.#plan = plan
    this.#ascending = ascending
  }

  async *points(): Points {
    if (this.#ascending)
      for await (const block of this.#feed.blocksOf(this.#id)) yield* this.#batchesOf(block)
    else yield* await this.held()
  }

  /** As blocks, which take a tenth of what their points do. */
  async held(): Promise<Points> {
    const blocks: Block[] = []
    for await (const block of this.#feed.blocksOf(this.#id)) {
      this.#holder.hold(blockBytes(block))
      blocks.push(block)
    }
    if (this.#ascending) blocks.reverse()
    return this.#replay(blocks)
  }

  /** From the last to the first; what has been looked at is let go at once. */
  async *#replay(blocks: Block[]): Points {
    for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
      yield* this.#batchesOf(block)
      this.#holder.release(blockBytes(block))
      await this.#holder.giveTurn()
    }
  }

  *#batchesOf(block: Block): Generator<readonly Point[]> {
    const { length } = block.times
    const { batchSize } = this.#holder
    for (let from = 0; from < length; from += batchSize) {
      const until = Math.min(from + batchSize, length)
      const points = pointsOf(block, this.#plan, this.#ascending, from, until)
      if (points.length > 0) yield points
    }
  }
}

/** What a string takes besides its characters. */
const stringBytes = 40

export function blockBytes({ times, columns }: Block): number {
  return columns.reduce((bytes, column) => bytes + columnBytes(column), times.byteLength)
}

function columnBytes(column: Column | null): number {
  if (column === null) return 0
  const { values, present } = column
  const bytes =
    column.type === 'string'
      ? column.values.reduce((sum, text) => sum + 2 * text.length, values.length * stringBytes)
      : column.values.byteLength
  return bytes + (present?.byteLength ?? 0)
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
                    streamSet(environment, series, options, source.shardDurationNs),
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

/**
 * Merges the series of a set. Their blocks are held until the set is done, since they come one after another.
 * @param shardNs how long a shard of the source is
 */
export async function* streamSet(
  holder: Holder,
  series: readonly SeriesRead[],
  options: RunOptions,
  shardNs: bigint,
): Points {
  const { limit, offset } = options
  const limited = limit > 0 || offset > 0
  const onePerSeries = options.dimensions.length === options.groupBy.length
  // One more than asked for; of an offset alone as many are left of each shard, as in InfluxDB 1.x.
  const most = limit + offset + 1
  const take = (points: Points): Points =>
    limit > 0 ? takePoints(points, most) : takeOfShards(points, most, shardNs)
  const inputs: Points[] = []
  for (const one of series) {
    await holder.giveTurn()
    if (!limited) inputs.push(series.length === 1 ? one.points() : await one.held())
    else {
      const points = take(one.points())
      inputs.push(series.length === 1 ? points : await gather(points, holder))
    }
  }
  const merged = options.ordered ? mergeSorted(inputs, options) : mergeWindows(inputs, options)
  if (!limited) yield* merged
  else if (onePerSeries) yield* take(merged)
  else if (limit > 0) yield* limitPoints(merged, limit, offset)
  else yield* skipOfShards(merged, offset, shardNs)
}
