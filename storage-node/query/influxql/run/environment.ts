import { AppError, assert } from '../../../../common/errors.ts'
import type { HeldBytes } from '../../held-bytes.ts'
import type { QueryContext, QueryLimits } from '../context.ts'
import type { MeasurementSchema, Reader } from '../../../engine/reader.ts'
import { inSteps } from '../in-turns.ts'
import type { ResolvedSelect } from '../resolve.ts'
import { refsOf } from '../walk.ts'
import { optionsOf, optionsOfSubquery, type RunOptions } from './options.ts'
import { batchSize, rowsFor, type Holder } from './stream.ts'
import { seriesBytes } from '../series-filter.ts'
import { matcherOf, tagSetsOf, type TagSet } from './tag-sets.ts'

/** Series of a measurement, and what decides which they are and how they are put together. */
interface Found {
  readonly of: ReturnType<typeof keyOf>
  sets: readonly TagSet[]
}

const keyOf = (
  databaseId: string,
  { condition, dimensions, ascending, seriesLimit, seriesOffset }: RunOptions,
) => [databaseId, condition, dimensions, ascending, seriesLimit, seriesOffset] as const

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
  readonly #found = new Map<MeasurementSchema, Found[]>()
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
   * Looks for the series that a SELECT and those inside it read, in turns: `tagSets` gives them. Of a database that was
   * deleted meanwhile there are none, though another one may have come in its place.
   * @throws AppError too-large; the signal's reason
   */
  async findSeries(select: ResolvedSelect): Promise<void> {
    const generations = new Map<string, symbol | null>()
    await this.#findIn(select, optionsOf(select), generations)
    const isThere = ([id, generation]: readonly [string, symbol | null]) =>
      this.reader.generation(id) === generation
    if ([...generations].every(isThere)) return
    for (const found of this.#found.values()) for (const one of found) one.sets = []
  }

  async #findIn(
    select: ResolvedSelect,
    options: RunOptions,
    generations: Map<string, symbol | null>,
  ): Promise<void> {
    for (const source of select.sources) {
      if (source.kind === 'subquery') {
        await this.#findIn(source.select, optionsOfSubquery(source.select, options, this.nowNs), generations)
        continue
      }
      const { databaseId, schemas } = source
      if (!generations.has(databaseId)) generations.set(databaseId, this.reader.generation(databaseId))
      for (const schema of schemas)
        if (readsFields(select, schema) && !this.#foundIn(databaseId, schema, options))
          await this.#find(databaseId, schema, options)
    }
  }

  async #find(databaseId: string, schema: MeasurementSchema, options: RunOptions): Promise<void> {
    let count = 0
    const hold = () => {
      count++
      // Each as it comes: of a million of them there would be no memory to count them afterwards.
      this.hold(seriesBytes)
    }
    const matches = matcherOf(schema, { condition: options.condition, maxSeries: this.maxSeries, hold })
    const giveTurn = () => this.giveTurn()
    const steps = inSteps(this.reader.series(databaseId, schema.name), giveTurn)
    const sets = await tagSetsOf(steps, matches, options, giveTurn)
    this.release((count - sets.reduce((sum, { series }) => sum + series.length, 0)) * seriesBytes)
    const found = this.#found.get(schema) ?? []
    this.#found.set(schema, found)
    found.push({ of: keyOf(databaseId, options), sets })
  }

  #foundIn(databaseId: string, schema: MeasurementSchema, options: RunOptions): Found | undefined {
    const key = keyOf(databaseId, options)
    return this.#found.get(schema)?.find(({ of }) => of.every((part, i) => part === key[i]))
  }

  /** The series of a measurement that a SELECT reads. They have been looked for: here nobody could have a turn. */
  tagSets(databaseId: string, schema: MeasurementSchema, options: RunOptions): readonly TagSet[] {
    const found = this.#foundIn(databaseId, schema, options)
    assert(found !== undefined, 'series are looked for before they are read')
    return found.sets
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

/** Whether a measurement can have points for a SELECT: it has one of the fields that are named. */
export function readsFields({ fields }: ResolvedSelect, schema: MeasurementSchema): boolean {
  return fields.some(({ expr }) => refsOf(expr).some(({ name }) => schema.fields.has(name)))
}
