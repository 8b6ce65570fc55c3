import type { SeriesWindows, StoredValue } from '../../../aggregation/series-windows.ts'
import type { Column, FieldType } from '../../../engine/reader.ts'
import { copyOfColumn, part } from '../../../buffer/vector.ts'
import { Table } from '../../table.ts'
import type { Fill } from '../ast.ts'
import { castTo, floatToInteger, floatToUnsigned, Unsigned } from '../scalar.ts'
import {
  mergeParts,
  partsOf,
  resultsAlone,
  type Parts,
  type Results,
  type WindowFunctionName,
} from './window-merge.ts'

/** A function of a stored field. */
export interface WindowCall {
  readonly name: WindowFunctionName
  /** Among the fields of the windows. */
  readonly field: number
  readonly stored: FieldType
  /** Of the function's values. */
  readonly type: FieldType
}

export interface WindowTableOptions {
  readonly calls: readonly WindowCall[]
  /** Of each column, which of the calls it is. */
  readonly columns: readonly number[]
  /** The starts of the first and the last window. */
  readonly firstNs: bigint
  readonly lastNs: bigint
  readonly durationNs: bigint
  /** Each group begins with its own first window. */
  readonly ownStart: boolean
  readonly fill: Fill
  readonly ascending: boolean
  /** Rows that each group's table leaves out at its beginning, and those that it has at most; 0 for all. */
  readonly offset: number
  readonly limit: number
}

/** What follows the work on so many windows is a turn for others. */
const windowsPerTurn = 4_096

/** The rows of a group, in the direction of the answer. */
interface GroupRows {
  readonly times: BigInt64Array
  /** Of each series, which row each of its windows is. Windows without values may have any. */
  readonly rows: readonly Int32Array[]
}

/** Makes tables of the windows of groups, each the same as `joinRows` of filled windows. */
export class WindowTables {
  readonly #options: WindowTableOptions
  /** The starts of all windows, in the direction of the answer. */
  readonly #times: BigInt64Array

  constructor(options: WindowTableOptions) {
    this.#options = options
    const { firstNs, lastNs, durationNs, ascending } = options
    this.#times = new BigInt64Array(Number((lastNs - firstNs) / durationNs) + 1)
    let timeNs = ascending ? firstNs : lastNs
    const stepNs = ascending ? durationNs : -durationNs
    for (let row = 0; row < this.#times.length; row++, timeNs += stepNs) this.#times[row] = timeNs
  }

  /** In steps of some milliseconds (`yield`). @returns null for a group without values */
  *of(group: readonly SeriesWindows[]): Generator<undefined, Table | null> {
    const { calls, columns, limit, offset } = this.#options
    const found = yield* this.#rowsOf(group)
    if (found === null) return null
    const { times } = found
    const end = limit > 0 ? Math.min(offset + limit, times.length) : times.length
    const isWhole = offset === 0 && end === times.length
    const merged: Parts[] = []
    const made: (Column | null)[] = []
    for (const call of calls) {
      const column = yield* this.#columnOf(call, group, found, merged)
      // Tables may wait for each other: none holds on to the rows that are left out.
      made.push(column && !isWhole ? copyOfColumn(part(column, offset, end)) : column)
      yield
    }
    return new Table(
      isWhole ? times : times.slice(offset, end),
      columns.map((column) => made[column]!),
    )
  }

  /** @param merged of each field, what is known of it already */
  *#columnOf(
    call: WindowCall,
    group: readonly SeriesWindows[],
    { times, rows }: GroupRows,
    merged: Parts[],
  ): Generator<undefined, Column | null> {
    const { name, field, stored } = call
    const hasAny = group.some(({ fields }) => fields[field]!.counts.some((count) => count > 0))
    if (!hasAny) return this.#absent(call, times.length)
    if (group.length === 1) {
      const results = resultsAlone(name, group[0]!.fields[field]!, rows[0]!, stored, times.length)
      return this.#filled(call, results, times)
    }
    const parts = (merged[field] ??= yield* partsOf(group, field, rows, this.#options.ascending))
    return this.#filled(call, yield* mergeParts(name, parts, stored, times.length), times)
  }

  *#rowsOf(group: readonly SeriesWindows[]): Generator<undefined, GroupRows | null> {
    const { fill, ownStart, ascending } = this.#options
    const places: Int32Array[] = []
    const marks = new Uint8Array(this.#times.length)
    let sinceTurn = 0
    for (const one of group) {
      const own = this.#placesOf(one.startsNs)
      for (let window = 0; window < own.length; window++) if (hasValue(one, window)) marks[own[window]!] = 1
      places.push(own)
      sinceTurn += own.length
      if (sinceTurn < windowsPerTurn) continue
      sinceTurn = 0
      yield
    }
    const first = marks.indexOf(1)
    if (first < 0) return null
    if (fill.kind === 'none') return rowsWithValues(this.#times, marks, places)
    if (!ownStart) return { times: this.#times, rows: places }
    if (!ascending) return { times: this.#times.subarray(0, marks.lastIndexOf(1) + 1), rows: places }
    return {
      times: this.#times.subarray(first),
      rows: places.map((own) => own.map((place) => place - first)),
    }
  }

  /** Where windows are among all of them. */
  #placesOf(startsNs: readonly bigint[]): Int32Array {
    const { firstNs, durationNs, ascending } = this.#options
    const last = this.#times.length - 1
    const step = Number(durationNs)
    const places = new Int32Array(startsNs.length)
    for (let window = 0; window < places.length; window++) {
      const place = Math.round(Number(startsNs[window]! - firstNs) / step)
      places[window] = ascending ? place : last - place
    }
    return places
  }

  #filled({ name, type }: WindowCall, { values, present }: Results, times: BigInt64Array): Column {
    if (present === null) return columnOf(type, values, null)
    const isCounted = this.#options.fill.kind === 'null' && name === 'count'
    const fill = isCounted ? 0n : this.#fillValue(type)
    if (fill !== null) return columnOf(type, fillWith(values, present, fill), null)
    if (this.#options.fill.kind === 'previous') fillPrevious(values, present)
    if (this.#options.fill.kind === 'linear')
      fillLinear(type, values, present, (row) => this.#numberOf(times[row]!))
    return columnOf(type, values, present.includes(0) ? present : null)
  }

  /** Times count in windows, and whole ones, as in InfluxDB 1.x. */
  #numberOf(timeNs: bigint): number {
    return Number(timeNs / this.#options.durationNs)
  }

  /** Of a field that no series of the group has. */
  #absent({ type }: WindowCall, length: number): Column | null {
    const value = this.#fillValue(type)
    if (value === null) return null
    return columnOf(type, Array<StoredValue>(length).fill(value), null)
  }

  #fillValue(type: FieldType): StoredValue | null {
    const { fill } = this.#options
    if (fill.kind !== 'number') return null
    const value = castTo(fill.value, type)
    return value instanceof Unsigned ? value.value : (value as StoredValue)
  }
}

const hasValue = ({ fields }: SeriesWindows, window: number): boolean =>
  fields.some(({ counts }) => counts[window]! > 0)

function rowsWithValues(all: BigInt64Array, marks: Uint8Array, places: readonly Int32Array[]): GroupRows {
  const rowOf = new Int32Array(all.length)
  const times = new BigInt64Array(all.length)
  let count = 0
  for (let place = 0; place < all.length; place++) {
    rowOf[place] = count
    if (marks[place] === 1) times[count++] = all[place]!
  }
  return { times: times.slice(0, count), rows: places.map((own) => own.map((place) => rowOf[place]!)) }
}

type Values = Results['values']

function fillWith(values: Values, present: Uint8Array, value: StoredValue): Values {
  for (let row = 0; row < present.length; row++) if (present[row] === 0) values[row] = value
  return values
}

function fillPrevious(values: Values, present: Uint8Array): void {
  for (let row = 1; row < present.length; row++) {
    if (present[row] === 1 || present[row - 1] === 0) continue
    values[row] = values[row - 1]!
    present[row] = 1
  }
}

/** The same as `fillWindows` between two rows that have values. @param place of a row */
function fillLinear(
  type: FieldType,
  values: Values,
  present: Uint8Array,
  place: (row: number) => number,
): void {
  if (type === 'string' || type === 'boolean') return
  let previous = -1
  for (let row = 0; row < present.length; row++) {
    if (present[row] === 0) continue
    if (previous >= 0) {
      const from = Number(values[previous])
      const x0 = place(previous)
      const slope = (Number(values[row]) - from) / (place(row) - x0)
      for (let between = previous + 1; between < row; between++) {
        values[between] = storedAs(type, slope * (place(between) - x0) + from)
        present[between] = 1
      }
    }
    previous = row
  }
}

function storedAs(type: FieldType, value: number): StoredValue {
  if (type === 'integer') return floatToInteger(value)
  return type === 'unsigned' ? floatToUnsigned(value).value : value
}

function columnOf(type: FieldType, values: Values, present: Uint8Array | null): Column {
  switch (type) {
    case 'float':
      return {
        type,
        present,
        values: values instanceof Float64Array ? values : new Float64Array(values as number[]),
      }
    case 'integer':
      return { type, present, values: new BigInt64Array(values as bigint[]) }
    case 'unsigned':
      return { type, present, values: new BigUint64Array(values as bigint[]) }
    case 'boolean':
      return { type, present, values: new Uint8Array(values as number[]) }
    default:
      return { type, present, values: values as string[] }
  }
}
