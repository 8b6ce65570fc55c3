import { AppError } from '../../../../common/errors.ts'
import type { QueryLimits } from '../context.ts'
import type { Reader } from '../../../engine/reader.ts'

/** What one statement runs with; counts what it reads. */
export class Environment {
  readonly reader: Reader
  readonly nowNs: bigint
  readonly maxSeries: number
  readonly maxBuckets: number
  readonly signal: AbortSignal
  readonly #maxPoints: number
  #points = 0

  constructor(options: {
    readonly reader: Reader
    readonly nowNs: bigint
    readonly limits: QueryLimits
    readonly signal: AbortSignal
  }) {
    this.reader = options.reader
    this.nowNs = options.nowNs
    this.maxSeries = options.limits.maxSeries
    this.maxBuckets = options.limits.maxBuckets
    this.signal = options.signal
    this.#maxPoints = options.limits.maxPoints
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
