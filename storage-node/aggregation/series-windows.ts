import { firstNotBefore, timeWords } from '../buffer/time-order.ts'
import type { Column, FieldType } from '../engine/reader.ts'
import { WindowFinder, type Windowing } from './windows.ts'

export type Statistic = 'sum' | 'min' | 'max' | 'first' | 'last'

/** What is wanted of one field; values are counted in any case. */
export interface Measure {
  readonly field: string
  readonly statistics: readonly Statistic[]
}

/** A value as columns hold it: booleans are 0 or 1. */
export type StoredValue = number | bigint | string

/** One value for each window, with its time. A window without values has any. */
export interface Selected {
  readonly values: StoredValue[]
  readonly timesNs: bigint[]
}

/** One field's statistics, one of each window; null for those that are not wanted. */
export interface FieldWindows {
  readonly counts: number[]
  /** Added up in the order of time; integers wrap as int64 and uint64 do. */
  readonly sums: StoredValue[] | null
  /** The earliest of equal values. */
  readonly min: Selected | null
  readonly max: Selected | null
  readonly first: Selected | null
  readonly last: Selected | null
}

/** The windows of one series in which it has points, by time: plain data, which can be sent and added to. */
export interface SeriesWindows {
  readonly seriesId: number
  readonly startsNs: bigint[]
  /** In the order of the measures. */
  readonly fields: readonly FieldWindows[]
}

export interface Aggregation {
  readonly windowing: Windowing
  readonly types: readonly FieldType[]
  readonly measures: readonly Measure[]
}

/** Points of one series in the order of time; columns in the order of the measures. */
export interface Points {
  readonly times: BigInt64Array
  readonly columns: readonly (Column | null)[]
}

/** Makes windows of points. */
export class Aggregator {
  readonly #aggregation: Aggregation
  readonly #finder: WindowFinder

  constructor(aggregation: Aggregation) {
    this.#aggregation = aggregation
    this.#finder = new WindowFinder(aggregation.windowing)
  }

  empty(seriesId: number): SeriesWindows {
    const selected = (measure: Measure, statistic: Statistic): Selected | null =>
      measure.statistics.includes(statistic) ? { values: [], timesNs: [] } : null
    return {
      seriesId,
      startsNs: [],
      fields: this.#aggregation.measures.map((measure) => ({
        counts: [],
        sums: measure.statistics.includes('sum') ? [] : null,
        min: selected(measure, 'min'),
        max: selected(measure, 'max'),
        first: selected(measure, 'first'),
        last: selected(measure, 'last'),
      })),
    }
  }

  /** Adds points that are all later than those before. */
  add(windows: SeriesWindows, { times, columns }: Points): void {
    const words = timeWords(times)
    // Most windows of a series have as many points as the one before.
    let count = 0
    for (let row = 0; row < times.length;) {
      const { startNs, end } = this.#finder.of(times, words, row)
      const to = firstNotBefore(words, row + 1, times.length, end, row + count)
      if (windows.startsNs.at(-1) !== startNs) this.#open(windows, startNs)
      for (let field = 0; field < columns.length; field++) {
        const column = columns[field]
        if (column) addColumn(windows.fields[field]!, times, column, row, to)
      }
      count = to - row
      row = to
    }
  }

  #open(windows: SeriesWindows, startNs: bigint): void {
    windows.startsNs.push(startNs)
    for (let index = 0; index < windows.fields.length; index++) {
      const zero = zeroOf(this.#aggregation.types[index]!)
      const { counts, sums, min, max, first, last } = windows.fields[index]!
      counts.push(0)
      sums?.push(zero)
      if (min) openSelected(min, zero)
      if (max) openSelected(max, zero)
      if (first) openSelected(first, zero)
      if (last) openSelected(last, zero)
    }
  }
}

function openSelected({ values, timesNs }: Selected, zero: StoredValue): void {
  values.push(zero)
  timesNs.push(0n)
}

const zeroOf = (type: FieldType): StoredValue =>
  type === 'string' ? '' : type === 'integer' || type === 'unsigned' ? 0n : 0

/** Adds rows of one window, the last one. */
function addColumn(
  field: FieldWindows,
  times: BigInt64Array,
  column: Column,
  from: number,
  to: number,
): void {
  const { present } = column
  const first = nextPresent(present, from, to)
  if (first === to) return
  const window = field.counts.length - 1
  const isFirst = field.counts[window] === 0
  field.counts[window]! += countPresent(present, first, to)
  if (field.sums) field.sums[window] = sumOf(column, first, to, field.sums[window]!)
  if (field.min) selectExtreme(field.min, isFirst, times, column, first, to, isLess)
  if (field.max) selectExtreme(field.max, isFirst, times, column, first, to, isMore)
  if (field.first && isFirst) take(field.first, times, column, first)
  if (field.last) take(field.last, times, column, lastPresent(present, to))
}

function nextPresent(present: Uint8Array | null, from: number, to: number): number {
  if (present === null) return from
  let row = from
  while (row < to && present[row] === 0) row++
  return row
}

function lastPresent(present: Uint8Array | null, to: number): number {
  let row = to - 1
  if (present !== null) while (present[row] === 0) row--
  return row
}

function countPresent(present: Uint8Array | null, from: number, to: number): number {
  if (present === null) return to - from
  let count = 0
  for (let row = from; row < to; row++) count += present[row]!
  return count
}

function sumOf(column: Column, from: number, to: number, before: StoredValue): StoredValue {
  switch (column.type) {
    case 'float':
      return sumFloats(column.values, column.present, from, to, before as number)
    case 'integer':
      return BigInt.asIntN(64, sumIntegers(column.values, column.present, from, to, before as bigint))
    case 'unsigned':
      return BigInt.asUintN(64, sumIntegers(column.values, column.present, from, to, before as bigint))
    default:
      return before
  }
}

/** One after another, in the order of time: floats added up in another order would differ in their last bits. */
function sumFloats(
  values: Float64Array,
  present: Uint8Array | null,
  from: number,
  to: number,
  before: number,
): number {
  let total = before
  if (present === null) for (let row = from; row < to; row++) total += values[row]!
  else for (let row = from; row < to; row++) if (present[row] === 1) total += values[row]!
  return total
}

function sumIntegers(
  values: BigInt64Array | BigUint64Array,
  present: Uint8Array | null,
  from: number,
  to: number,
  before: bigint,
): bigint {
  let total = before
  for (let row = from; row < to; row++) if (present === null || present[row] === 1) total += values[row]!
  return total
}

type Beats = (candidate: StoredValue, best: StoredValue) => boolean

const isLess: Beats = (a, b) => a < b
const isMore: Beats = (a, b) => a > b

/** Only a value that is better than all before it takes their place: of equal ones the earliest stays. */
function selectExtreme(
  selected: Selected,
  isFirst: boolean,
  times: BigInt64Array,
  column: Column,
  first: number,
  to: number,
  beats: Beats,
): void {
  const best =
    column.type === 'float'
      ? extremeFloat(column.values, column.present, first, to, beats === isLess)
      : extremeOf(column, first, to, beats)
  if (isFirst || beats(column.values[best]!, selected.values.at(-1)!)) take(selected, times, column, best)
}

function extremeFloat(
  values: Float64Array,
  present: Uint8Array | null,
  first: number,
  to: number,
  least: boolean,
): number {
  let best = first
  let bestValue = values[first]!
  for (let row = first + 1; row < to; row++) {
    const value = values[row]!
    if (least ? value >= bestValue : value <= bestValue) continue
    if (present !== null && present[row] === 0) continue
    best = row
    bestValue = value
  }
  return best
}

function extremeOf({ values, present }: Column, first: number, to: number, beats: Beats): number {
  let best = first
  for (let row = first + 1; row < to; row++)
    if ((present === null || present[row] === 1) && beats(values[row]!, values[best]!)) best = row
  return best
}

function take(selected: Selected, times: BigInt64Array, column: Column, row: number): void {
  const window = selected.values.length - 1
  selected.values[window] = column.values[row]!
  selected.timesNs[window] = times[row]!
}

/** Characters of all texts, of which only the first and the last of a window are ever wanted. */
export function textLength({ fields }: SeriesWindows): number {
  let length = 0
  for (const { first, last } of fields)
    for (const selected of [first, last])
      if (typeof selected?.values[0] === 'string')
        for (const value of selected.values) length += String(value).length
  return length
}
