import type { DataType } from '../ast.ts'
import { compareScalars, scalarKey, toFloat, Unsigned, type Scalar } from '../scalar.ts'
import { Heap } from './heap.ts'
import { noAux, type Point } from './point.ts'
import { bytesInList, PointList, textBytes } from './point-list.ts'

/** What a reducer gives: without a time, the window's start is meant. */
export interface Reduced {
  readonly timeNs: bigint | null
  readonly value: Scalar
  readonly aux: readonly Scalar[]
  readonly aggregated: number
}

/** Makes values of the points of one group in one window. */
export interface Reducer {
  /** @returns about how many bytes it keeps of it until it has given its values */
  add(point: Point): number
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
})

export function count(): Reducer {
  let n = 0n
  return {
    add: () => {
      n++
      return 0
    },
    emit: () => single(n, Number(n)),
  }
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
      return 0
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
      return 0
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
      return 0
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
        return 0
      }
      if (low === null || compareScalars(value, low) < 0) low = value
      if (high === null || compareScalars(value, high) > 0) high = value
      return 0
    },
    emit: () => single(subtractNumbers(high, low), n),
  }
}

/** Collects all points of the window for `reduce`. */
function collect(reduce: (points: PointList) => readonly Reduced[]): Reducer {
  const points = new PointList()
  return {
    add: (point) => {
      points.add(point)
      return bytesInList(point)
    },
    emit: () => reduce(points),
  }
}

/** About what a point takes that is kept as it is, and what is made of it to go out. */
const keptBytes = 250
const bytesOf = ({ value, aux }: Point): number =>
  aux.reduce<number>((sum, one) => sum + 24 + textBytes(one), keptBytes + textBytes(value))

const selectedAt = (points: PointList, index: number, aggregated: number): Reduced => ({
  timeNs: points.timeNs(index),
  value: points.value(index),
  aux: points.aux(index),
  aggregated,
})

const byValue = (a: Point, b: Point): number => compareScalars(a.value, b.value)

export const median = (): Reducer =>
  collect((points) => {
    const middle = points.length / 2
    if (points.length === 1) {
      const only = points.value(0)
      // The one float of a window keeps its time; other numbers take that of the window.
      const timeNs = typeof only === 'number' ? points.timeNs(0) : null
      return [{ ...selectedAt(points, 0, 1), timeNs, value: toFloat(only) }]
    }
    const order = points.byValue()
    if (points.length % 2 === 1)
      return single(toFloat(points.value(order[Math.floor(middle)]!)), points.length)
    const low = points.value(order[middle - 1]!)
    const gap = toFloat(subtractNumbers(points.value(order[middle]!), low)) ?? 0
    return single((toFloat(low) ?? 0) + gap / 2, points.length)
  })

/** The most frequent value; among equals the one seen earliest. Of booleans, true. */
export const mode = (type: DataType): Reducer =>
  collect((points) => {
    if (points.length === 1) return [selectedAt(points, 0, 1)]
    if (type === 'boolean') {
      let yes = 0
      for (let index = 0; index < points.length; index++) if (points.value(index) === true) yes++
      return single(yes >= points.length - yes, points.length)
    }
    return single(modeOf(points), points.length)
  })

function modeOf(points: PointList): Scalar {
  const sorted = points.byValue()
  let current = sorted[0]!
  let best = current
  let frequency = 0
  let bestFrequency = 0
  for (const index of sorted) {
    if (compareScalars(points.value(index), points.value(current)) !== 0) {
      frequency = 1
      current = index
      continue
    }
    frequency++
    const isLater = points.timeNs(current) > points.timeNs(best)
    if (bestFrequency > frequency || (bestFrequency === frequency && isLater)) continue
    bestFrequency = frequency
    best = index
  }
  return points.value(best)
}

/** Of the sample; one point has none. */
export const stddev = (): Reducer =>
  collect((points) => {
    if (points.length < 2) return single(Number.NaN, points.length)
    const all = Float64Array.from(
      { length: points.length },
      (_, index) => toFloat(points.value(index)) ?? NaN,
    )
    const values = all.filter((value) => !Number.isNaN(value))
    let average = 0
    for (let i = 0; i < values.length; i++) average += (values[i]! - average) / (i + 1)
    let variance = 0
    for (const value of values) variance += (value - average) ** 2
    return single(Math.sqrt(variance / (values.length - 1)), points.length)
  })

/** The value at the nearest rank. */
export const percentile = (rank: number): Reducer =>
  collect((points) => {
    const index = Math.floor((points.length * rank) / 100 + 0.5) - 1
    if (index < 0 || index >= points.length) return []
    return [selectedAt(points, points.byValue()[index]!, 0)]
  })

/** Every value once, at the time at which it was seen first. */
export function distinct(): Reducer {
  const seen = new Map<unknown, Point>()
  return {
    add: (point) => {
      const key = scalarKey(point.value)
      if (seen.has(key)) return 0
      seen.set(key, point)
      return bytesOf(point)
    },
    emit: () =>
      [...seen.values()]
        .sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : byValue(a, b)))
        .map(({ timeNs, value }) => ({ timeNs, value, aux: noAux, aggregated: 0 })),
  }
}

/** The `size` points that come last in the order `worse`, from the best on. */
function best(size: number, worse: (a: Point, b: Point) => boolean): Reducer {
  const heap = new Heap<Point>([], worse)
  return {
    add: (point) => {
      if (heap.size < size) {
        heap.push(point)
        return bytesOf(point)
      }
      if (worse(heap.items[0]!, point)) heap.replaceFirst(point)
      return 0
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
      const isMore = index === kept.length
      if (index < size) kept[index] = point
      return isMore && index < size ? bytesOf(point) : 0
    },
    emit: () => kept.sort((a, b) => (a.timeNs < b.timeNs ? -1 : 1)).map((point) => selected(point, 0)),
  }
}
