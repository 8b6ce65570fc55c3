import type { DataType } from '../ast.ts'
import { compareScalars, scalarKey, toFloat, Unsigned, type Scalar } from '../scalar.ts'
import { Heap } from './heap.ts'
import { noAux, type Point } from './point.ts'

/** What a reducer gives: without a time, the window's start is meant. */
export interface Reduced {
  readonly timeNs: bigint | null
  readonly value: Scalar
  readonly aux: readonly Scalar[]
  readonly aggregated: number
  /** Whose tags the point keeps where a function keeps them. */
  readonly source?: Point
}

/** Makes values of the points of one group in one window. */
export interface Reducer {
  add(point: Point): void
  emit(): readonly Reduced[]
}

const single = (value: Scalar, aggregated: number): readonly Reduced[] => [
  { timeNs: null, value, aux: noAux, aggregated },
]
const selected = (point: Point, aggregated: number): Reduced => ({
  timeNs: point.timeNs,
  value: point.value,
  aux: point.aux,
  aggregated,
  source: point,
})

export function count(): Reducer {
  let n = 0n
  return { add: () => void n++, emit: () => single(n, Number(n)) }
}

/** Sums of one kind of number; integers wrap as int64 and uint64 do. */
export function addNumbers(a: Scalar, b: Scalar): Scalar {
  if (typeof a === 'number') return a + (b as number)
  if (typeof a === 'bigint') return BigInt.asIntN(64, a + (b as bigint))
  return new Unsigned((a as Unsigned).value + (b as Unsigned).value)
}

export function subtractNumbers(a: Scalar, b: Scalar): Scalar {
  if (typeof a === 'number') return a - (b as number)
  if (typeof a === 'bigint') return BigInt.asIntN(64, a - (b as bigint))
  return new Unsigned((a as Unsigned).value - (b as Unsigned).value)
}

export function zeroOf(type: DataType): Scalar {
  if (type === 'float') return 0
  return type === 'integer' ? 0n : type === 'unsigned' ? new Unsigned(0n) : type === 'string' ? '' : false
}

export function sum(type: DataType): Reducer {
  let total = zeroOf(type)
  let n = 0
  return {
    add: (point) => {
      total = addNumbers(total, point.value)
      n += Math.max(point.aggregated, 1)
    },
    emit: () => single(total, n),
  }
}

/** Means of means weigh by the points in them. */
export function mean(type: DataType): Reducer {
  let total = zeroOf(type)
  let n = 0
  return {
    add: (point) => {
      const weight = point.aggregated
      const weighted = weight >= 2 ? (point.value as number) * weight : point.value
      total = addNumbers(total, weighted)
      n += Math.max(weight, 1)
    },
    emit: () => single((toFloat(total) ?? 0) / n, n),
  }
}

/** Keeps the point that beats all others. */
function select(beats: (candidate: Point, best: Point) => boolean): Reducer {
  let best: Point | null = null
  let n = 0
  return {
    add: (point) => {
      n += Math.max(point.aggregated, 1)
      if (best === null || beats(point, best)) best = point
    },
    emit: () => (best === null ? [] : [selected(best, n)]),
  }
}

const earlierTie = (order: number, a: Point, b: Point): boolean => order === 0 && a.timeNs < b.timeNs

export const min = (): Reducer =>
  select((p, best) => {
    const order = compareScalars(p.value, best.value)
    return order < 0 || earlierTie(order, p, best)
  })
export const max = (): Reducer =>
  select((p, best) => {
    const order = compareScalars(p.value, best.value)
    return order > 0 || earlierTie(order, p, best)
  })

/** At one time the larger value is first; of booleans, false. */
export const first = (): Reducer =>
  select((p, best) => p.timeNs < best.timeNs || (p.timeNs === best.timeNs && firstTie(p, best)))
const firstTie = (p: Point, best: Point): boolean => {
  const order = compareScalars(p.value, best.value)
  return typeof p.value === 'boolean' ? order < 0 : order > 0
}

/** At one time the larger value is last. */
export const last = (): Reducer =>
  select(
    (p, best) =>
      p.timeNs > best.timeNs || (p.timeNs === best.timeNs && compareScalars(p.value, best.value) > 0),
  )

export function spread(type: DataType): Reducer {
  let low: Scalar = null
  let high: Scalar = null
  let n = 0
  return {
    add: ({ value }) => {
      n++
      if (type === 'float') {
        low = Math.min((low ?? Infinity) as number, value as number)
        high = Math.max((high ?? -Infinity) as number, value as number)
        return
      }
      if (low === null || compareScalars(value, low) < 0) low = value
      if (high === null || compareScalars(value, high) > 0) high = value
    },
    emit: () => single(subtractNumbers(high, low), n),
  }
}

/** Collects all points of the window for `reduce`. */
function collect(reduce: (points: Point[]) => readonly Reduced[]): Reducer {
  const points: Point[] = []
  return { add: (point) => void points.push(point), emit: () => reduce(points) }
}

const byValue = (a: Point, b: Point): number => compareScalars(a.value, b.value)

export const median = (): Reducer =>
  collect((points) => {
    const middle = points.length / 2
    if (points.length === 1) {
      const [only] = points
      // The one float of a window keeps its time; other numbers take that of the window.
      return [
        {
          ...selected(only!, 1),
          timeNs: typeof only!.value === 'number' ? only!.timeNs : null,
          value: toFloat(only!.value),
        },
      ]
    }
    points.sort(byValue)
    if (points.length % 2 === 1) return single(toFloat(points[Math.floor(middle)]!.value), points.length)
    const low = points[middle - 1]!.value
    const gap = toFloat(subtractNumbers(points[middle]!.value, low)) ?? 0
    return single((toFloat(low) ?? 0) + gap / 2, points.length)
  })

/** The most frequent value; among equals the one seen earliest. Of booleans, true. */
export const mode = (type: DataType): Reducer =>
  collect((points) => {
    if (points.length === 1) return [selected(points[0]!, 1)]
    if (type === 'boolean') {
      const yes = points.filter((point) => point.value === true).length
      return single(yes >= points.length - yes, points.length)
    }
    return single(modeOf(points.sort(byValue)), points.length)
  })

function modeOf(sorted: readonly Point[]): Scalar {
  let current = sorted[0]!
  let best = sorted[0]!
  let frequency = 0
  let bestFrequency = 0
  let bestNs = best.timeNs
  for (const point of sorted) {
    if (compareScalars(point.value, current.value) !== 0) {
      frequency = 1
      current = point
      continue
    }
    frequency++
    if (bestFrequency > frequency || (bestFrequency === frequency && current.timeNs > bestNs)) continue
    bestFrequency = frequency
    best = point
    bestNs = point.timeNs
  }
  return best.value
}

/** Of the sample; one point has none. */
export const stddev = (): Reducer =>
  collect((points) => {
    if (points.length < 2) return single(Number.NaN, points.length)
    const values = points
      .map((point) => toFloat(point.value) ?? Number.NaN)
      .filter((value) => !Number.isNaN(value))
    let average = 0
    for (const [i, value] of values.entries()) average += (value - average) / (i + 1)
    let variance = 0
    for (const value of values) variance += (value - average) ** 2
    return single(Math.sqrt(variance / (values.length - 1)), points.length)
  })

/** The value at the nearest rank. */
export const percentile = (rank: number): Reducer =>
  collect((points) => {
    const index = Math.floor((points.length * rank) / 100 + 0.5) - 1
    if (index < 0 || index >= points.length) return []
    return [selected(points.sort(byValue)[index]!, 0)]
  })

/** Every value once, at the time at which it was seen first. */
export function distinct(): Reducer {
  const seen = new Map<unknown, Point>()
  return {
    add: (point) => {
      const key = scalarKey(point.value)
      if (!seen.has(key)) seen.set(key, point)
    },
    emit: () =>
      [...seen.values()]
        .sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : byValue(a, b)))
        .map((point) => ({ ...selected(point, 0), aux: noAux })),
  }
}

/** The `size` points that come last in the order `worse`, from the best on. */
function best(size: number, worse: (a: Point, b: Point) => boolean): Reducer {
  const heap = new Heap<Point>([], worse)
  return {
    add: (point) => {
      if (heap.size < size) heap.push(point)
      else if (worse(heap.items[0]!, point)) heap.replaceFirst(point)
    },
    emit: () =>
      [...heap.items]
        .sort((a, b) => (worse(b, a) ? -1 : worse(a, b) ? 1 : 0))
        .map((point) => selected(point, 0)),
  }
}

const laterTie = (order: number, a: Point, b: Point): boolean => order === 0 && a.timeNs > b.timeNs
export const top = (size: number): Reducer =>
  best(size, (a, b) => {
    const order = byValue(a, b)
    return order < 0 || laterTie(order, a, b)
  })
export const bottom = (size: number): Reducer =>
  best(size, (a, b) => {
    const order = byValue(b, a)
    return order < 0 || laterTie(order, a, b)
  })

/** A random part of the points, each as likely as any other. @param random gives numbers from 0 up to 1 */
export function sample(size: number, random: () => number): Reducer {
  const kept: Point[] = []
  let n = 0
  return {
    add: (point) => {
      n++
      const index = kept.length < size ? kept.length : Math.floor(random() * n)
      if (index < size) kept[index] = point
    },
    emit: () => kept.sort((a, b) => (a.timeNs < b.timeNs ? -1 : 1)).map((point) => selected(point, 0)),
  }
}
