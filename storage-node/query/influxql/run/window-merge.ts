import type { FieldWindows, SeriesWindows, StoredValue } from '../../../aggregation/series-windows.ts'
import type { FieldType } from '../../../engine/reader.ts'
import { compareText } from '../scalar.ts'
import { Heap } from './heap.ts'

/** The functions that a reader's windows have all for. */
export type WindowFunctionName = 'count' | 'sum' | 'mean' | 'min' | 'max' | 'first' | 'last'

/** What follows the work on so many parts is a turn for others (`yield`). */
const partsPerTurn = 4_096

/** The windows of one field that have values, of all series of a group, in the order in which they are merged. */
export interface Parts {
  readonly length: number
  readonly fields: readonly FieldWindows[]
  /** Of each part, whose it is among `fields`, which of its windows, and the row of the answer. */
  readonly origins: Int32Array
  readonly windows: Int32Array
  readonly rows: Int32Array
}

interface Place {
  readonly origin: number
  /** Among the series' windows, in the direction of the answer. */
  at: number
  row: number
}

/** @param rows of each series, which row of the answer each of its windows is; they rise in the answer's direction */
export function* partsOf(
  group: readonly SeriesWindows[],
  field: number,
  rows: readonly Int32Array[],
  ascending: boolean,
): Generator<undefined, Parts> {
  const fields = group.map((one) => one.fields[field]!)
  const size = group.reduce((sum, { startsNs }) => sum + startsNs.length, 0)
  const parts = {
    fields,
    origins: new Int32Array(size),
    windows: new Int32Array(size),
    rows: new Int32Array(size),
  }
  const step = ascending ? 1 : -1
  const enter = (place: Place): boolean => {
    const { counts } = fields[place.origin]!
    while (place.at >= 0 && place.at < counts.length && counts[place.at] === 0) place.at += step
    if (place.at < 0 || place.at >= counts.length) return false
    place.row = rows[place.origin]![place.at]!
    return true
  }
  const places = fields
    .map(({ counts }, origin): Place => ({ origin, at: ascending ? 0 : counts.length - 1, row: 0 }))
    .filter(enter)
  // Equal rows come in the order in which the heap of `mergeWindows` gives them, since floats are added up in it.
  const heap = new Heap(places, (a, b) => a.row < b.row)
  let length = 0
  for (let place = heap.pop(); place !== undefined; place = heap.pop()) {
    parts.origins[length] = place.origin
    parts.windows[length] = place.at
    parts.rows[length++] = place.row
    place.at += step
    if (enter(place)) heap.push(place)
    if (length % partsPerTurn === 0) yield
  }
  return { ...parts, length }
}

/** One value of each row, and which rows have one; null for all of them. */
export interface Results {
  readonly values: StoredValue[] | Float64Array
  readonly present: Uint8Array | null
}

/** What a function makes of the windows of one series alone. @param rows the row of each window */
export function resultsAlone(
  name: WindowFunctionName,
  windows: FieldWindows,
  rows: Int32Array,
  stored: FieldType,
  rowCount: number,
): Results {
  const values = emptyValues(name, stored, rowCount)
  const { counts } = windows
  let present: Uint8Array | null = null
  if (counts.length < rowCount || counts.includes(0)) {
    present = new Uint8Array(rowCount)
    for (let i = 0; i < counts.length; i++) if (counts[i]! > 0) present[rows[i]!] = 1
  }
  if (name === 'mean') {
    for (let i = 0; i < counts.length; i++) {
      const count = counts[i]!
      if (count > 0) values[rows[i]!] = meanOf(0 + (Number(windows.sums![i]!) / count) * count, count)
    }
    return { values, present }
  }
  const own = name === 'count' || name === 'sum' ? windows.sums : windows[name]!.values
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!
    if (count > 0) values[rows[i]!] = name === 'count' ? BigInt(count) : own![i]!
  }
  return { values, present }
}

/** What a function makes of each row's parts, as `reduceWindows` does of a window's points. */
export function* mergeParts(
  name: WindowFunctionName,
  parts: Parts,
  stored: FieldType,
  rowCount: number,
): Generator<undefined, Results> {
  const values = emptyValues(name, stored, rowCount)
  const present = new Uint8Array(rowCount)
  const weights = new Float64Array(rowCount)
  const best = new Int32Array(rowCount).fill(-1)
  for (let from = 0; from < parts.length; from += partsPerTurn) {
    const some = { ...parts, from, end: Math.min(from + partsPerTurn, parts.length) }
    for (let i = some.from; i < some.end; i++) present[parts.rows[i]!] = 1
    if (name === 'count') addCounts(some, values)
    else if (name === 'sum') addSums(some, stored, values)
    else if (name === 'mean') addMeans(some, values, weights)
    else select(name, some, stored, values, best)
    yield
  }
  if (name === 'mean')
    for (let row = 0; row < rowCount; row++)
      if (present[row] === 1) values[row] = meanOf(values[row] as number, weights[row]!)
  return { values, present }
}

/** Parts from one on to another, which have their turn at a time. */
interface SomeParts extends Parts {
  readonly from: number
  readonly end: number
}

/** Zeros, since sums of floats begin with one. */
function emptyValues(name: WindowFunctionName, stored: FieldType, rowCount: number): Results['values'] {
  if (name === 'mean' || (stored === 'float' && name !== 'count')) return new Float64Array(rowCount)
  const isWhole = name === 'count' || stored === 'integer' || stored === 'unsigned'
  return Array<StoredValue>(rowCount).fill(isWhole ? 0n : stored === 'string' ? '' : 0)
}

function addCounts(
  { from, end, fields, origins, windows, rows }: SomeParts,
  values: Results['values'],
): void {
  for (let i = from; i < end; i++) {
    const row = rows[i]!
    values[row] = (values[row] as bigint) + BigInt(fields[origins[i]!]!.counts[windows[i]!]!)
  }
}

function addSums(parts: SomeParts, stored: FieldType, values: Results['values']): void {
  const { from, end, fields, origins, windows, rows } = parts
  for (let i = from; i < end; i++) {
    const row = rows[i]!
    const sum = fields[origins[i]!]!.sums![windows[i]!]!
    const before = values[row]!
    values[row] =
      stored === 'float'
        ? (before as number) + (sum as number)
        : wrapped((before as bigint) + (sum as bigint), stored)
  }
}

const wrapped = (sum: bigint, stored: FieldType): bigint =>
  stored === 'integer' ? BigInt.asIntN(64, sum) : BigInt.asUintN(64, sum)

/** Means of means weigh by the values in them. */
function addMeans(
  { from, end, fields, origins, windows, rows }: SomeParts,
  totals: Results['values'],
  weights: Float64Array,
): void {
  for (let i = from; i < end; i++) {
    const row = rows[i]!
    const one = fields[origins[i]!]!
    const weight = one.counts[windows[i]!]!
    const mean = Number(one.sums![windows[i]!]!) / weight
    totals[row] = (totals[row] as number) + mean * weight
    weights[row]! += weight
  }
}

/** Each further level of means of means rounds again. */
function meanOf(total: number, weight: number): number {
  const mean = total / weight
  return weight < 2 ? mean : (((mean * weight) / weight) * weight) / weight
}

function select(
  name: 'min' | 'max' | 'first' | 'last',
  { from, end, fields, origins, windows, rows }: SomeParts,
  stored: FieldType,
  values: Results['values'],
  best: Int32Array,
): void {
  const all = fields.map((field) => field[name]!)
  for (let i = from; i < end; i++) {
    const row = rows[i]!
    const known = best[row]!
    const a = all[origins[i]!]!
    const at = windows[i]!
    if (known >= 0) {
      const b = all[origins[known]!]!
      const to = windows[known]!
      if (!beats(name, stored, a.values[at]!, a.timesNs[at]!, b.values[to]!, b.timesNs[to]!)) continue
    }
    best[row] = i
    values[row] = a.values[at]!
  }
}

/** As the reducers decide between two points. */
function beats(
  name: 'min' | 'max' | 'first' | 'last',
  stored: FieldType,
  value: StoredValue,
  timeNs: bigint,
  best: StoredValue,
  bestNs: bigint,
): boolean {
  switch (name) {
    case 'min':
      return value < best || (value === best && timeNs < bestNs)
    case 'max':
      return value > best || (value === best && timeNs < bestNs)
    case 'first':
      if (timeNs !== bestNs) return timeNs < bestNs
      return stored === 'boolean' ? value < best : isMore(value, best)
    default:
      return timeNs === bestNs ? isMore(value, best) : timeNs > bestNs
  }
}

const isMore = (a: StoredValue, b: StoredValue): boolean =>
  typeof a === 'string' && typeof b === 'string' ? compareText(a, b) > 0 : a > b
