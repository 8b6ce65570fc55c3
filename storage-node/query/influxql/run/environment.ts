import { AppError } from '../../../../common/errors.ts'
import type { HeldBytes } from '../../held-bytes.ts'
import type { QueryContext, QueryLimits } from '../context.ts'
import type { Reader } from '../../../engine/reader.ts'

/** What one statement runs with; counts what it reads. */
export class Environment {
  readonly reader: Reader
  readonly nowNs: bigint
  readonly maxSeries: number
  readonly maxBuckets: number
  readonly signal: AbortSignal
  readonly #maxPoints: number
  readonly #endTurn: QueryContext['endTurn']
  readonly #held: HeldBytes
  #heldBytes = 0
  #points = 0

  constructor(options: {
    readonly reader: Reader
    readonly nowNs: bigint
    readonly limits: QueryLimits
    readonly endTurn: QueryContext['endTurn']
    readonly held: HeldBytes
    readonly signal: AbortSignal
  }) {
    this.reader = options.reader
    this.nowNs = options.nowNs
    this.maxSeries = options.limits.maxSeries
    this.maxBuckets = options.limits.maxBuckets
    this.signal = options.signal
    this.#endTurn = options.endTurn
    this.#held = options.held
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
