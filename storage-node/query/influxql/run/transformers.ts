import type { DataType } from '../ast.ts'
import { compareScalars, toFloat, typeOfScalar, Unsigned, type Scalar } from '../scalar.ts'
import type { Point } from './point.ts'
import { addNumbers, subtractNumbers, zeroOf } from './reducers.ts'
import { windowOf, type Window, type WindowOptions } from './window.ts'

/** A value at a time. */
export interface Output {
  readonly timeNs: bigint
  readonly value: Scalar
}

/** Makes values of a group's points one after another. */
export interface Transformer {
  /** @returns what the point completes, or null */
  add(point: Point): Output | null
  /** What is left at the end. */
  finish?(): Output | null
}

/** Pairs of neighbours; of several points at one time only the first counts. */
function pairwise(make: (previous: Point, current: Point) => Scalar): Transformer {
  let previous: Point | null = null
  let current: Point | null = null
  return {
    add: (point) => {
      if (current === null || current.timeNs !== point.timeNs) {
        previous = current
        current = point
      }
      if (previous === null) return null
      const value = make(previous, current)
      previous = null
      return value === null ? null : { timeNs: current.timeNs, value }
    },
  }
}

/** A fall of unsigned numbers, which they cannot say themselves, as a negative float; null for all else. */
function fallBelow(previous: Point, current: Point): number | null {
  if (!(current.value instanceof Unsigned) || compareScalars(current.value, previous.value) >= 0) return null
  return -(toFloat(subtractNumbers(previous.value, current.value)) ?? 0)
}

/** Change over time, per `unitNs`. */
export function derivative(unitNs: bigint, nonNegative: boolean, ascending: boolean): Transformer {
  return pairwise((previous, current) => {
    const diff = toFloat(fallBelow(previous, current) ?? subtractNumbers(current.value, previous.value)) ?? 0
    const elapsedNs = current.timeNs - previous.timeNs
    if (nonNegative && diff < 0) return null
    return diff / (Number(ascending ? elapsedNs : -elapsedNs) / Number(unitNs))
  })
}

export function difference(nonNegative: boolean): Transformer {
  return pairwise((previous, current) => {
    const diff = subtractNumbers(current.value, previous.value)
    const falls =
      fallBelow(previous, current) !== null || compareScalars(diff, zeroOf(typeOfScalar(diff))) < 0
    return nonNegative && falls ? null : diff
  })
}

export function elapsed(unitNs: bigint): Transformer {
  let previousNs: bigint | null = null
  return {
    add: ({ timeNs }) => {
      const value = previousNs === null ? null : (timeNs - previousNs) / unitNs
      previousNs = timeNs
      return value === null ? null : { timeNs, value }
    },
  }
}

export function cumulativeSum(type: DataType): Transformer {
  let total = zeroOf(type)
  return {
    add: ({ timeNs, value }) => {
      total = addNumbers(total, value)
      return { timeNs, value: total }
    },
  }
}

export function movingAverage(type: DataType, size: number): Transformer {
  const values: Scalar[] = []
  let total = zeroOf(type)
  let at = 0
  return {
    add: ({ timeNs, value }) => {
      if (values.length === size) total = subtractNumbers(total, values[at])
      values[at] = value
      total = addNumbers(total, value)
      at = (at + 1) % size
      return values.length === size ? { timeNs, value: (toFloat(total) ?? 0) / size } : null
    },
  }
}

const linear = (atNs: bigint, fromNs: bigint, toNs: bigint, from: number, to: number): number => {
  const slope = (to - from) / Number(toNs - fromNs)
  return slope * Number(atNs - fromNs) + from
}

/** The area under the line through the points, per `unitNs`; windows share the line across their edges. */
export function integral(
  unitNs: bigint,
  options: WindowOptions & { readonly ascending: boolean },
): Transformer {
  const { ascending } = options
  const windowed = options.interval.durationNs !== 0n
  let previous: { timeNs: bigint; value: number } | null = null
  let window: Window = { startNs: 0n, endNs: 0n }
  let area = 0
  const open = (timeNs: bigint): void => {
    const { startNs, endNs } = windowOf(options, timeNs)
    window = ascending ? { startNs, endNs } : { startNs: endNs, endNs: startNs }
  }
  const addArea = (toNs: bigint, value: number): void => {
    area += 0.5 * (value + previous!.value) * (Number(toNs - previous!.timeNs) / Number(unitNs))
  }
  return {
    add: (point) => {
      const value = toFloat(point.value) ?? 0
      const { timeNs } = point
      let output: Output | null = null
      if (previous === null) {
        if (windowed) open(timeNs)
      } else if (previous.timeNs !== timeNs) {
        if (windowed && (ascending ? timeNs >= window.endNs : timeNs <= window.endNs)) {
          if (previous.timeNs !== window.endNs) {
            const edge = linear(window.endNs, previous.timeNs, timeNs, previous.value, value)
            addArea(window.endNs, edge)
            previous = { timeNs: window.endNs, value: edge }
          }
          output = { timeNs: window.startNs, value: area }
          open(timeNs)
          area = 0
        }
        addArea(timeNs, value)
      }
      previous = { timeNs, value }
      return output
    },
    finish: () =>
      previous === null || previous.timeNs === window.startNs
        ? null
        : { timeNs: window.startNs, value: area },
  }
}
