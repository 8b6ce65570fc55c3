import { AppError } from '../../../../common/errors.ts'
import { maxTimeNs, minTimeNs } from '../../time.ts'
import type { DataType, Fill } from '../ast.ts'
import { castTo, floatToInteger, floatToUnsigned, toFloat, typeOfScalar, type Scalar } from '../scalar.ts'
import { noAux, sameGroup, type Point } from './point.ts'
import { PointReader, type Points } from './stream.ts'
import { windowOf, type WindowOptions } from './window.ts'
import { zeroOf } from './reducers.ts'

export interface FillOptions extends WindowOptions {
  readonly ascending: boolean
  readonly fill: Fill
  /** Of the values. */
  readonly type: DataType
  readonly auxCount: number
  readonly batchSize: number
  /** Windows of one series. */
  readonly maxBuckets: number
  /** Points of one series that are of any use: no others are made, and what else comes of the series is passed over. */
  readonly most: number
}

/** The windows that a series lacks, from the start of the range to its end, with values as `fill` says. */
export async function* fillWindows(input: Points, options: FillOptions): Points {
  const reader = new PointReader(input)
  try {
    let batch: Point[] = []
    while (reader.current !== undefined || (await reader.fill())) {
      const series = new SeriesFill(reader.current!, options)
      for (;;) {
        const has = reader.current !== undefined || (await reader.fill())
        if (series.isFull) {
          if (!has || !series.owns(reader.current!)) break
          reader.advance()
          continue
        }
        const point = series.next(has ? reader.current! : null)
        if (point === null) break
        if (point === reader.current) reader.advance()
        batch.push(point)
        if (batch.length < options.batchSize) continue
        yield batch
        batch = []
      }
    }
    if (batch.length > 0) yield batch
  } finally {
    await reader.close()
  }
}

/** @returns the error of a series with too many windows */
export function tooManyBuckets(buckets: bigint, limit: number): AppError {
  return new AppError(
    'too-large',
    'ERR_QUERY_BUCKET_LIMIT',
    `max-select-buckets limit exceeded: (${buckets}/${limit})`,
  )
}

/** Goes over the windows of one series. */
class SeriesFill {
  readonly #options: FillOptions
  readonly #first: Point
  /** The last window that is filled; null where the range has no end: a series then ends with its own last window. */
  readonly #endNs: bigint | null
  readonly #aux: readonly Scalar[]
  #timeNs: bigint
  #zoneNs: bigint
  #previous: Point | null = null
  #count = 0

  constructor(first: Point, options: FillOptions) {
    const { ascending, startNs, endNs } = options
    this.#first = first
    this.#options = options
    this.#aux = options.auxCount === 0 ? noAux : Array.from<Scalar>({ length: options.auxCount }).fill(null)
    const lowestNs = startNs > minTimeNs ? windowOf(options, startNs).startNs : minTimeNs
    const highestNs = windowOf(options, endNs).startNs
    const bounded = lowestNs !== minTimeNs
    this.#endNs = ascending ? highestNs : bounded ? lowestNs : null
    if (ascending) this.#timeNs = bounded ? lowestNs : windowOf(options, first.timeNs).startNs
    else this.#timeNs = highestNs
    this.#zoneNs = options.zone?.offsetNs(this.#timeNs) ?? 0n
  }

  get isFull(): boolean {
    return this.#count >= this.#options.most
  }

  owns(point: Point): boolean {
    return sameGroup(point, this.#first)
  }

  /** The point of the next window: `peeked`, if it is this one's, or a new one; null behind the last. */
  next(peeked: Point | null): Point | null {
    const { ascending } = this.#options
    const own = peeked !== null && this.owns(peeked) ? peeked : null
    const missing = own === null || (ascending ? own.timeNs > this.#timeNs : own.timeNs < this.#timeNs)
    if (own === null && this.#isBehindEnd()) return null
    const { maxBuckets } = this.#options
    if (++this.#count > maxBuckets) throw tooManyBuckets(BigInt(this.#count), maxBuckets)
    const point = missing ? this.#made(own) : own
    if (!missing) this.#previous = own
    this.#advance()
    return point
  }

  #isBehindEnd(): boolean {
    if (this.#endNs === null) return true
    if (this.#options.ascending) return this.#timeNs > this.#endNs || this.#timeNs > maxTimeNs
    return this.#timeNs < this.#endNs
  }

  #made(next: Point | null): Point {
    const { name, tags } = this.#first
    return { name, tags, timeNs: this.#timeNs, value: this.#value(next), aux: this.#aux, aggregated: 0 }
  }

  #value(next: Point | null): Scalar {
    const { fill, type } = this.#options
    switch (fill.kind) {
      case 'number': {
        const value = castTo(fill.value, type)
        return typeOfScalar(value) === type ? value : zeroOf(type)
      }
      case 'previous':
        return this.#previous?.value ?? null
      case 'linear':
        return this.#linear(next)
      default:
        return null
    }
  }

  #linear(next: Point | null): Scalar {
    const { type, interval } = this.#options
    const from = toFloat(this.#previous?.value)
    const to = toFloat(next?.value)
    if (from === null || to === null) return null
    // Times count in windows, and whole ones, as in InfluxDB 1.x.
    const step = interval.durationNs
    const x0 = Number(this.#previous!.timeNs / step)
    const slope = (to - from) / (Number(next!.timeNs / step) - x0)
    const value = slope * (Number(this.#timeNs / step) - x0) + from
    if (type === 'integer') return floatToInteger(value)
    return type === 'unsigned' ? floatToUnsigned(value) : value
  }

  /** Steps to the next window, over a change of clocks, too. */
  #advance(): void {
    const { ascending, interval, zone } = this.#options
    this.#timeNs += ascending ? interval.durationNs : -interval.durationNs
    if (zone === null) return
    const zoneNs = zone.offsetNs(this.#timeNs - 1n)
    if (zoneNs === this.#zoneNs) return
    const shiftNs = this.#zoneNs - zoneNs
    if ((shiftNs < 0n ? -shiftNs : shiftNs) < interval.durationNs) this.#timeNs += shiftNs
    this.#zoneNs = zoneNs
  }
}
