import { minTimeNs } from '../../time.ts'
import type { Call, Expr, VarRef } from '../ast.ts'
import type { ResolvedSource } from '../resolve.ts'
import type { BoundMeasurement } from '../schema.ts'
import { Aggregates } from './aggregates.ts'
import type { Environment } from './environment.ts'
import { fillWindows } from './fill.ts'
import { numberOf, takesNumbers, windowFunction } from './functions.ts'
import { mergeWindows } from './merge.ts'
import { carriedTags, type RunOptions } from './options.ts'
import type { Point } from './point.ts'
import { reduceWindows, transform } from './reduce-stream.ts'
import { atWindowStart } from './shape.ts'
import {
  closing,
  readAll,
  readMeasurement,
  streamSet,
  streamStored,
  type MeasurementRead,
  type SeriesRead,
} from './storage.ts'
import { concatenate, emptyPoints, gather, mapPoints, type Points, type Stream } from './stream.ts'
import * as transformers from './transformers.ts'
import type { Transformer } from './transformers.ts'

/** Opens a subquery as the points of one of its columns; null when it has no such column. */
export type OpenSubquery = (
  source: ResolvedSource & { readonly kind: 'subquery' },
  ref: VarRef,
  options: RunOptions,
) => Stream | null

/** Builds the streams of a SELECT's functions, as InfluxDB 1.x nests its iterators. */
export class CallBuilder {
  readonly #environment: Environment
  readonly #sources: readonly ResolvedSource[]
  readonly #openSubquery: OpenSubquery
  /** The only function is a selector, so points may keep their times. */
  readonly #selector: boolean
  readonly #aggregates: Aggregates

  constructor(
    environment: Environment,
    sources: readonly ResolvedSource[],
    selector: boolean,
    openSubquery: OpenSubquery,
  ) {
    this.#environment = environment
    this.#sources = sources
    this.#selector = selector
    this.#openSubquery = openSubquery
    this.#aggregates = new Aggregates(environment)
  }

  build(call: Call, given: RunOptions): Stream {
    const options = { ...given, limit: 0, offset: 0 }
    const most = given.limit > 0 ? given.limit + given.offset : Infinity
    switch (call.name) {
      case 'distinct': {
        const input = this.#arg(call, { ...options, ordered: true })
        const stream = this.#reduce(call, input, { ...options, ordered: true })
        return { ...stream, points: atWindowStart(stream.points, options) }
      }
      case 'sample':
        return this.#reduce(call, this.#arg(call, { ...options, ordered: true }), {
          ...options,
          ordered: true,
        })
      case 'top':
      case 'bottom':
        return this.#top(call, options)
      case 'integral': {
        const input = this.#arg(call, { ...options, ordered: true })
        takesNumbers('integral', input.type)
        const unitNs = unitOf(call, 1_000_000_000n)
        return this.#transform(input, options, 'float', () => transformers.integral(unitNs, options))
      }
      case 'count':
      case 'min':
      case 'max':
      case 'sum':
      case 'first':
      case 'last':
      case 'mean':
        return this.#shape(call, this.#aggregate(call, options), options, most)
      case 'median':
      case 'mode':
      case 'stddev':
      case 'spread':
      case 'percentile': {
        const ordered = options.ordered || call.name === 'median' || call.name === 'percentile'
        const inner = { ...options, ordered }
        return this.#shape(call, this.#reduce(call, this.#arg(call, inner), inner), inner, most)
      }
      default:
        return this.#transformation(call, options)
    }
  }

  #aggregate(call: Call, options: RunOptions): Stream {
    const [arg] = call.args
    if (arg?.kind === 'call') return this.#reduce(call, this.build(arg, options), options)
    return this.#stored(call, options)
  }

  /**
   * Windows with their starts as times, and those that are missing.
   * @param most windows of each series that the answer has
   */
  #shape(call: Call, stream: Stream, options: RunOptions, most: number): Stream {
    const grouped = options.interval.durationNs !== 0n
    if (this.#selector && !grouped) return stream
    const points = stream.atStarts ? stream.points : atWindowStart(stream.points, options)
    if (!grouped || options.fill.kind === 'none') return { ...stream, points }
    const fill =
      call.name === 'count' && options.fill.kind === 'null'
        ? ({ kind: 'number', value: 0n } as const)
        : options.fill
    return {
      ...stream,
      points: fillWindows(points, {
        ...options,
        fill,
        type: stream.type,
        auxCount: options.aux.length,
        batchSize: this.#environment.batchSize,
        maxBuckets: this.#environment.maxBuckets,
        most,
      }),
    }
  }

  #transformation(call: Call, options: RunOptions): Stream {
    const { durationNs } = options.interval
    const early = durationNs !== 0n && call.name !== 'cumulative_sum' ? durationNs : 0n
    const input = this.#arg(call, {
      ...options,
      ordered: true,
      startNs: options.ascending ? options.startNs - early : options.startNs,
      endNs: options.ascending ? options.endNs : options.endNs + early,
    })
    const { type } = input
    switch (call.name) {
      case 'derivative':
      case 'non_negative_derivative': {
        takesNumbers('derivative', type)
        const unitNs = unitOf(call, durationNs > 0n ? durationNs : 1_000_000_000n)
        const nonNegative = call.name !== 'derivative'
        return this.#transform(input, options, 'float', () =>
          transformers.derivative(unitNs, nonNegative, options.ascending),
        )
      }
      case 'difference':
      case 'non_negative_difference':
        takesNumbers('difference', type)
        return this.#transform(input, options, type, () =>
          transformers.difference(call.name !== 'difference'),
        )
      case 'elapsed': {
        const unitNs = unitOf(call, 1n)
        return this.#transform(input, options, 'integer', () => transformers.elapsed(unitNs))
      }
      case 'moving_average': {
        takesNumbers('moving average', type)
        const size = numberOf(call, 1)
        return this.#transform(input, options, 'float', () => transformers.movingAverage(type, size))
      }
      default:
        takesNumbers('cumulative sum', type)
        return this.#transform(input, options, type, () => transformers.cumulativeSum(type))
    }
  }

  #transform(input: Stream, options: RunOptions, type: Stream['type'], create: () => Transformer): Stream {
    return {
      type,
      points: transform(
        input.points,
        { dimensions: options.dimensions, groupBy: carriedTags(options) },
        create,
      ),
    }
  }

  #top(call: Call, options: RunOptions): Stream {
    const [field, ...others] = call.args
    const refs = others.filter((arg): arg is VarRef => arg.kind === 'ref')
    if (refs.length === 0) return this.#reduce(call, this.#ref(field as VarRef, options), options)
    // The best of each combination of tags, then the best of those.
    const extreme: Call = { kind: 'call', name: call.name === 'top' ? 'max' : 'min', args: [field as Expr] }
    const groupBy = [...new Set([...refs.map((ref) => ref.name), ...options.groupBy])]
    return this.#reduce(call, this.#stored(extreme, { ...options, groupBy, fill: { kind: 'none' } }), options)
  }

  #reduce(call: Call, input: Stream, options: RunOptions): Stream {
    const { type, create } = windowFunction(call, input.type)
    return {
      type,
      points: reduceWindows(
        input.points,
        { ...options, groupBy: carriedTags(options) },
        create,
        this.#environment,
      ),
    }
  }

  /** The points that a function works on: those of a field, or what another function makes. */
  #arg(call: Call, options: RunOptions): Stream {
    const [arg] = call.args
    return arg?.kind === 'call' ? this.build(arg, options) : this.#ref(arg as VarRef, options)
  }

  /** The points of a field or of a subquery's column. */
  #ref(ref: VarRef, options: RunOptions): Stream {
    const streams = this.#sources
      .map((source) =>
        source.kind === 'measurement'
          ? streamStored(this.#environment, source, ref, options)
          : this.#openSubquery(source, ref, options),
      )
      .filter((stream) => stream !== null)
    return {
      type: streams[0]?.type ?? 'float',
      points: mergeWindows(
        streams.map(({ points }) => points),
        options,
      ),
    }
  }

  /** A function that is worked out series by series, and then of the series' results. */
  #stored(call: Call, options: RunOptions): Stream {
    const streams: Stream[] = []
    for (const source of this.#sources) {
      const stream =
        source.kind === 'measurement'
          ? this.#storedIn(source, call, options)
          : this.#ofSubquery(source, call, options)
      if (stream !== null) streams.push(stream)
    }
    const [first] = streams
    if (first === undefined) return { type: 'float', points: emptyPoints() }
    const merged = {
      type: first.type,
      points: mergeWindows(
        streams.map(({ points }) => points),
        options,
      ),
    }
    const onlyStored = streams.length === 1 && this.#sources.every((source) => source.kind === 'measurement')
    return onlyStored
      ? { ...first, points: again(call, merged.points) }
      : this.#reduce(resultsOf(call), merged, options)
  }

  #ofSubquery(
    source: ResolvedSource & { readonly kind: 'subquery' },
    call: Call,
    options: RunOptions,
  ): Stream | null {
    const input = this.#openSubquery(source, call.args[0] as VarRef, { ...options, ordered: false })
    return input === null ? null : this.#reduce(call, input, { ...options, ordered: false })
  }

  #storedIn(source: BoundMeasurement, call: Call, options: RunOptions): Stream | null {
    const ref = call.args[0] as VarRef
    const isEnd = call.name === 'first' || call.name === 'last'
    if (isEnd && options.interval.durationNs === 0n) return this.#endOf(source, call, ref, options)
    const reads = readAll(
      source,
      options,
      (schema) =>
        this.#aggregates.read(source, schema, call, ref, options) ??
        readMeasurement(this.#environment, source, schema, ref, options),
    )
    const [first] = reads
    if (first === undefined) return null
    const perSeries = windowFunction(call, first.type)
    const results = resultsOf(call)
    const perSet = windowFunction(results, perSeries.type)
    const reducing = { ...options, groupBy: carriedTags(options) }
    const alone = reads.every(isAlone)
    const ofRead = (read: MeasurementRead): Points => {
      if (alone) return closing(read, resultsAlone(call, read))
      const sets = read.sets.map(
        ({ series }) =>
          (): Points =>
            this.#partials(series, reducing, read.reduced ? null : perSeries.create),
      )
      return closing(read, reduceWindows(concatenate(sets), reducing, perSet.create, this.#environment))
    }
    const points = concatenate(reads.map((read) => (): Points => again(call, ofRead(read))))
    const atStarts = alone && !selectors.has(call.name) && startsAreSet(options)
    return { type: perSet.type, points: source.byRegex ? again(call, points) : points, atStarts }
  }

  /** The windows of each series of a set, merged. @param create null when they are reduced already */
  async *#partials(
    series: readonly SeriesRead[],
    options: RunOptions,
    create: Parameters<typeof reduceWindows>[2] | null,
  ): Points {
    const inputs: Points[] = []
    for (const one of series) {
      await this.#environment.giveTurn()
      if (create === null) inputs.push(series.length === 1 ? one.points() : await one.held())
      else {
        const reduced = reduceWindows(one.points(), options, create, this.#environment)
        inputs.push(series.length === 1 ? reduced : await gather(reduced, this.#environment))
      }
    }
    yield* mergeWindows(inputs, options)
  }

  /** first() and last() of all time read each set from the end that they want, and only two points of it. */
  #endOf(source: BoundMeasurement, call: Call, ref: VarRef, options: RunOptions): Stream | null {
    const ascending = call.name === 'first'
    const reads = readAll(
      source,
      options,
      (schema) =>
        this.#aggregates.readAlone(source, schema, call, ref, options) ??
        readMeasurement(this.#environment, source, schema, ref, options, ascending),
    )
    const [first] = reads
    if (first === undefined) return null
    const { type, create } = windowFunction(call, first.type)
    const reading = { ...options, ascending, ordered: true, limit: 1, offset: 0 }
    const points = concatenate(
      reads.map(
        (read) => (): Points =>
          closing(
            read,
            concatenate(
              read.sets.map(
                ({ series }) =>
                  (): Points =>
                    streamSet(this.#environment, series, reading, source.shardDurationNs),
              ),
            ),
          ),
      ),
    )
    return {
      type,
      points: reduceWindows(points, { ...options, groupBy: carriedTags(options) }, create, this.#environment),
    }
  }
}

/** The windows of each group are those of one series, worked out by the reader. */
const isAlone = ({ reduced, sets }: MeasurementRead): boolean =>
  reduced && sets.every(({ series }) => series.length === 1)

/** What `reduceWindows` makes of windows that have one point each. */
function resultsAlone(call: Call, { sets }: MeasurementRead): Points {
  const points = concatenate(
    sets.map(
      ({ series }) =>
        () =>
          series[0]!.points(),
    ),
  )
  return call.name === 'mean' ? mapPoints(points, (point) => withMean(point, 0)) : points
}

const selectors = new Set(['min', 'max', 'first', 'last'])

/** Windows of all times, and those at the lowest time, show another time than that of their start. */
const startsAreSet = ({ interval, startNs }: RunOptions): boolean =>
  interval.durationNs > 0n && startNs - interval.durationNs > minTimeNs

/** Counts of counts are summed. */
function resultsOf(call: Call): Call {
  return call.name === 'count' ? { ...call, name: 'sum' } : call
}

/** A mean of one mean: the same but for rounding. */
function again(call: Call, points: Points): Points {
  if (call.name !== 'mean') return points
  return mapPoints(points, (point) => (point.aggregated >= 2 ? withMean(point, -0) : point))
}

/** @param zero what is added to: the sign of a zero is lost unless this one has it, too */
function withMean({ name, tags, timeNs, value, aux, aggregated }: Point, zero: number): Point {
  const weight = Math.max(aggregated, 1)
  return { name, tags, timeNs, value: (zero + (value as number) * weight) / weight, aux, aggregated }
}

function unitOf(call: Call, otherwise: bigint): bigint {
  const unit = call.args[1]
  return unit?.kind === 'duration' ? unit.ns : otherwise
}
