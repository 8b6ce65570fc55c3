import { AppError } from '../../../../common/errors.ts'
import type { HeldBytes } from '../../held-bytes.ts'
import type { QueryContext, QueryLimits } from '../context.ts'
import type { MeasurementSchema, Reader } from '../../../engine/reader.ts'
import type { Expr } from '../ast.ts'
import type { RunOptions } from './options.ts'
import { batchSize, rowsFor, type Holder } from './stream.ts'
import { seriesBytes } from '../series-filter.ts'
import { tagSetsOf, type TagSet } from './tag-sets.ts'

/** What the series that are read depend on. */
type TagSetsOf = readonly (string | MeasurementSchema | Expr | null | readonly string[] | boolean | number)[]

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
  #tagSets: { readonly of: TagSetsOf; readonly sets: readonly TagSet[] } | null = null
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
   * The series of a measurement that a SELECT reads, which it asks for again with each step towards its first rows.
   * @throws AppError too-large
   */
  tagSets(databaseId: string, schema: MeasurementSchema, options: RunOptions): readonly TagSet[] {
    const { condition, dimensions, ascending, seriesLimit, seriesOffset } = options
    const of: TagSetsOf = [databaseId, schema, condition, dimensions, ascending, seriesLimit, seriesOffset]
    const known = this.#tagSets
    if (known?.of.every((part, i) => part === of[i])) return known.sets
    const all = this.reader.series(databaseId, schema.name)
    // Each counts as it comes: of a million of them there would be no memory to count them afterwards.
    let matching = 0
    const hold = () => {
      this.hold(seriesBytes)
      matching++
    }
    const sets = tagSetsOf(all, schema, { ...options, maxSeries: this.maxSeries, hold })
    this.release((matching - sets.reduce((sum, { series }) => sum + series.length, 0)) * seriesBytes)
    this.#tagSets = { of, sets }
    return sets
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
