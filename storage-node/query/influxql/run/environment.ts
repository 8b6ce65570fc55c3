import { AppError } from '../../../../common/errors.ts'
import type { HeldBytes } from '../../held-bytes.ts'
import type { QueryContext, QueryLimits } from '../context.ts'
import type { MeasurementSchema, Reader, Series } from '../../../engine/reader.ts'
import type { Expr } from '../ast.ts'
import { inSteps } from '../in-turns.ts'
import type { ResolvedSelect } from '../resolve.ts'
import { refsOf } from '../walk.ts'
import type { RunOptions } from './options.ts'
import { batchSize, rowsFor, type Holder } from './stream.ts'
import { seriesBytes } from '../series-filter.ts'
import { matcherOf, tagSetsOf, type ReadSeries, type TagSet } from './tag-sets.ts'

/** What the series that are read depend on. */
type TagSetsOf = readonly (string | Expr | null | readonly string[] | boolean | number)[]

/** Points that all streams of a statement make at one time, each a batch. */
const maxBatchPoints = 50_000

/** What one statement runs with; counts what it reads. */
export class Environment implements Holder {
  readonly reader: Reader
  readonly nowNs: bigint
  readonly maxSeries: number
  readonly maxBuckets: number
  readonly signal: AbortSignal
  readonly batchSize: number
  readonly #maxPoints: number
  readonly #endTurn: QueryContext['endTurn']
  readonly #held: HeldBytes
  #heldBytes = 0
  readonly #tagSets = new Map<
    MeasurementSchema,
    { readonly of: TagSetsOf; readonly sets: readonly TagSet[] }
  >()
  /** What was looked for and has not been asked for yet. */
  readonly #found = new Map<
    MeasurementSchema,
    { readonly condition: Expr | null; readonly matching: readonly ReadSeries[] }
  >()
  #points = 0

  /** @param reads how many streams of points there may be at one time */
  constructor(
    options: {
      readonly reader: Reader
      readonly nowNs: bigint
      readonly limits: QueryLimits
      readonly endTurn: QueryContext['endTurn']
      readonly held: HeldBytes
      readonly signal: AbortSignal
    },
    reads: number,
  ) {
    this.reader = options.reader
    this.nowNs = options.nowNs
    this.maxSeries = options.limits.maxSeries
    this.maxBuckets = options.limits.maxBuckets
    this.signal = options.signal
    this.#endTurn = options.endTurn
    this.#held = options.held
    this.batchSize = Math.min(batchSize, rowsFor(reads, maxBatchPoints))
    this.#maxPoints = options.limits.maxPoints
  }

  /**
   * Lets other work of the process run now and then: data that is in memory would otherwise never give it a turn.
   * @throws the signal's reason
   */
  async giveTurn(): Promise<void> {
    const turn = this.#endTurn()
    if (!turn) return
    await turn
    this.signal.throwIfAborted()
  }

  /**
   * Looks for the series that a SELECT reads, in turns: `tagSets` finds them here.
   * @throws AppError too-large; the signal's reason
   */
  async findSeries({ sources, fields, condition }: ResolvedSelect): Promise<void> {
    const names = new Set(fields.flatMap(({ expr }) => refsOf(expr)).map(({ name }) => name))
    for (const source of sources) {
      if (source.kind === 'subquery') await this.findSeries(source.select)
      else
        for (const schema of source.schemas)
          // Functions never ask for those of other measurements.
          if ([...names].some((name) => schema.fields.has(name)))
            await this.#findIn(source.databaseId, schema, condition)
    }
  }

  async #findIn(databaseId: string, schema: MeasurementSchema, condition: Expr | null): Promise<void> {
    const matches = this.#matcherOf(schema, condition)
    const matching: ReadSeries[] = []
    const all = this.reader.series(databaseId, schema.name)
    for await (const some of inSteps(all, () => this.giveTurn()))
      for (const series of some) addTo(matching, matches(series))
    this.#found.set(schema, { condition, matching })
  }

  /** Each counts as it comes: of a million of them there would be no memory to count them afterwards. */
  #matcherOf(schema: MeasurementSchema, condition: Expr | null): (series: Series) => ReadSeries | null {
    const hold = () => this.hold(seriesBytes)
    return matcherOf(schema, { condition, maxSeries: this.maxSeries, hold })
  }

  /**
   * The series of a measurement that a SELECT reads, which it asks for again with each step towards its first rows.
   * @throws AppError too-large
   */
  tagSets(databaseId: string, schema: MeasurementSchema, options: RunOptions): readonly TagSet[] {
    const { condition, dimensions, ascending, seriesLimit, seriesOffset } = options
    const of: TagSetsOf = [databaseId, condition, dimensions, ascending, seriesLimit, seriesOffset]
    const known = this.#tagSets.get(schema)
    if (known?.of.every((part, i) => part === of[i])) return known.sets
    const matching = this.#matching(databaseId, schema, condition)
    const sets = tagSetsOf(matching, options)
    this.release((matching.length - sets.reduce((sum, { series }) => sum + series.length, 0)) * seriesBytes)
    this.#tagSets.set(schema, { of, sets })
    return sets
  }

  #matching(databaseId: string, schema: MeasurementSchema, condition: Expr | null): readonly ReadSeries[] {
    const found = this.#found.get(schema)
    this.#found.delete(schema)
    if (found?.condition === condition) return found.matching
    const matches = this.#matcherOf(schema, condition)
    const matching: ReadSeries[] = []
    for (const series of this.reader.series(databaseId, schema.name)) addTo(matching, matches(series))
    return matching
  }

  /** @throws AppError too-large, when the queries that run hold too much */
  hold(bytes: number): void {
    this.#held.take(bytes)
    this.#heldBytes += bytes
  }

  release(bytes: number): void {
    this.#held.give(bytes)
    this.#heldBytes -= bytes
  }

  /** Gives back what a statement that ended early still holds. */
  close(): void {
    this.release(this.#heldBytes)
  }

  /** What has been read so far was a guess, and is read again: each point counts once. */
  forgetPoints(): void {
    this.#points = 0
  }

  /** @throws AppError too-large; the signal's reason */
  countPoints(count: number): void {
    this.signal.throwIfAborted()
    this.#points += count
    if (this.#points <= this.#maxPoints) return
    throw new AppError(
      'too-large',
      'ERR_QUERY_POINT_LIMIT',
      `max-select-point limit exceeded: (${this.#points}/${this.#maxPoints})`,
    )
  }
}

function addTo(all: ReadSeries[], one: ReadSeries | null): void {
  if (one !== null) all.push(one)
}
