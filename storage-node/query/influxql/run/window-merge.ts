import type { FieldWindows, SeriesWindows, StoredValue } from '../../../aggregation/series-windows.ts'
import type { FieldType } from '../../../engine/reader.ts'
import { compareText } from '../scalar.ts'
import { Heap } from './heap.ts'

/** The functions that a reader's windows have all for. */
export type WindowFunctionName = 'count' | 'sum' | 'mean' | 'min' | 'max' | 'first' | 'last'

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
export function partsOf(
  group: readonly SeriesWindows[],
  field: number,
  rows: readonly Int32Array[],
  ascending: boolean,
): Parts {
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
  }
  return { ...parts, length }
}

/** One value of each row, and which rows have one. */
export interface Results {
  readonly values: StoredValue[]
  readonly present: Uint8Array
}

/** What a function makes of each row's parts, as `reduceWindows` does of a window's points. */
export function mergeParts(
  name: WindowFunctionName,
  parts: Parts,
  stored: FieldType,
  rowCount: number,
): Results {
  switch (name) {
    case 'count':
      return counts(parts, rowCount)
    case 'sum':
      return sums(parts, stored, rowCount)
    case 'mean':
      return means(parts, rowCount)
    default:
      return selected(name, parts, stored, rowCount)
  }
}

function counts({ length, fields, origins, windows, rows }: Parts, rowCount: number): Results {
  const totals = new Float64Array(rowCount)
  const present = new Uint8Array(rowCount)
  for (let i = 0; i < length; i++) {
    const row = rows[i]!
    totals[row]! += fields[origins[i]!]!.counts[windows[i]!]!
    present[row] = 1
  }
  return { values: Array.from(totals, BigInt), present }
}

function sums(parts: Parts, stored: FieldType, rowCount: number): Results {
  const { length, fields, origins, windows, rows } = parts
  const values = Array.from<StoredValue>({ length: rowCount }).fill(stored === 'float' ? 0 : 0n)
  const present = new Uint8Array(rowCount)
  for (let i = 0; i < length; i++) {
    const row = rows[i]!
    const sum = fields[origins[i]!]!.sums![windows[i]!]!
    const before = values[row]!
    values[row] =
      stored === 'float'
        ? (before as number) + (sum as number)
        : wrapped(before as bigint, sum as bigint, stored)
    present[row] = 1
  }
  return { values, present }
}

const wrapped = (a: bigint, b: bigint, stored: FieldType): bigint =>
  stored === 'integer' ? BigInt.asIntN(64, a + b) : BigInt.asUintN(64, a + b)

/** Means of means weigh by the values in them; each further level rounds again. */
function means({ length, fields, origins, windows, rows }: Parts, rowCount: number): Results {
  const totals = new Float64Array(rowCount)
  const weights = new Float64Array(rowCount)
  for (let i = 0; i < length; i++) {
    const row = rows[i]!
    const one = fields[origins[i]!]!
    const weight = one.counts[windows[i]!]!
    const mean = Number(one.sums![windows[i]!]!) / weight
    totals[row]! += weight >= 2 ? mean * weight : mean
    weights[row]! += weight
  }
  const values = Array.from(totals, (total, row) => {
    const weight = weights[row]!
    const mean = total / weight
    return weight < 2 ? mean : (((mean * weight) / weight) * weight) / weight
  })
  return { values, present: Uint8Array.from(weights, (weight) => (weight > 0 ? 1 : 0)) }
}

function selected(
  name: 'min' | 'max' | 'first' | 'last',
  { length, fields, origins, windows, rows }: Parts,
  stored: FieldType,
  rowCount: number,
): Results {
  const all = fields.map((field) => field[name]!)
  const best = new Int32Array(rowCount).fill(-1)
  for (let i = 0; i < length; i++) {
    const row = rows[i]!
    const known = best[row]!
    if (known >= 0) {
      const a = all[origins[i]!]!
      const b = all[origins[known]!]!
      const at = windows[i]!
      const to = windows[known]!
      if (!beats(name, stored, a.values[at]!, a.timesNs[at]!, b.values[to]!, b.timesNs[to]!)) continue
    }
    best[row] = i
  }
  const present = new Uint8Array(rowCount)
  const zero = stored === 'string' ? '' : stored === 'integer' || stored === 'unsigned' ? 0n : 0
  const values = Array.from(best, (part, row): StoredValue => {
    if (part < 0) return zero
    present[row] = 1
    return all[origins[part]!]!.values[windows[part]!]!
  })
  return { values, present }
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
