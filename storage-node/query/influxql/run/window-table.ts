import type { SeriesWindows, StoredValue } from '../../../aggregation/series-windows.ts'
import type { Column, FieldType } from '../../../engine/reader.ts'
import { Table } from '../../table.ts'
import type { Fill } from '../ast.ts'
import { castTo, Unsigned } from '../scalar.ts'
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
  /** The starts of the first and the last window; null where each group begins with its own first one. */
  readonly firstNs: bigint | null
  readonly lastNs: bigint
  readonly durationNs: bigint
  readonly fill: Exclude<Fill, { readonly kind: 'linear' }>
  readonly ascending: boolean
}

/** Makes tables of the windows of groups, each the same as `joinRows` of filled windows. */
export class WindowTables {
  readonly #options: WindowTableOptions
  /** The starts of all windows, where these are the same for all groups. */
  readonly #times: BigInt64Array | null

  constructor(options: WindowTableOptions) {
    this.#options = options
    const { firstNs, fill } = options
    this.#times = firstNs === null || fill.kind === 'none' ? null : this.#timesFrom(firstNs)
  }

  /** @returns null for a group without values */
  of(group: readonly SeriesWindows[]): Table | null {
    const { ascending, calls, columns } = this.#options
    const times = this.#times ?? this.#timesOf(group)
    if (times === null) return null
    const rows = group.map(({ startsNs }) => this.#rowsOf(startsNs, times))
    const merged: Parts[] = []
    let isEmpty = true
    const made = calls.map((call) => {
      const { name, field, stored } = call
      if (!group.some(({ fields }) => fields[field]!.counts.some((count) => count > 0)))
        return this.#absent(call, times.length)
      isEmpty = false
      if (group.length === 1) {
        const results = resultsAlone(name, group[0]!.fields[field]!, rows[0]!, stored, times.length)
        return this.#filled(call, results)
      }
      const parts = (merged[field] ??= partsOf(group, field, rows, ascending))
      return this.#filled(call, mergeParts(name, parts, stored, times.length))
    })
    if (isEmpty) return null
    return new Table(
      times,
      columns.map((column) => made[column]!),
    )
  }

  #timesFrom(firstNs: bigint): BigInt64Array {
    const { lastNs, durationNs, ascending } = this.#options
    const times = new BigInt64Array(Math.max(0, Number((lastNs - firstNs) / durationNs) + 1))
    let timeNs = ascending ? firstNs : lastNs
    const stepNs = ascending ? durationNs : -durationNs
    for (let row = 0; row < times.length; row++, timeNs += stepNs) times[row] = timeNs
    return times
  }

  /** From the first window with a value on, or those with a value alone. */
  #timesOf(group: readonly SeriesWindows[]): BigInt64Array | null {
    const { fill, ascending } = this.#options
    const starts = group.flatMap((one) => one.startsNs.filter((_, window) => hasValue(one, window)))
    if (starts.length === 0) return null
    const times = BigInt64Array.from(group.length === 1 ? starts : new Set(starts))
    if (group.length > 1) times.sort()
    if (fill.kind !== 'none') return this.#timesFrom(times[0]!)
    return ascending ? times : times.reverse()
  }

  /** Windows without values may have any row. */
  #rowsOf(startsNs: readonly bigint[], times: BigInt64Array): Int32Array {
    const { fill, durationNs, ascending } = this.#options
    const last = times.length - 1
    const rows = new Int32Array(startsNs.length)
    if (fill.kind === 'none') {
      let row = 0
      for (const [window, startNs] of startsNs.entries()) {
        while (row <= last && times[ascending ? row : last - row]! < startNs) row++
        rows[window] = ascending ? row : last - row
      }
      return rows
    }
    const firstNs = ascending ? times[0]! : times[last]!
    const step = Number(durationNs)
    for (let window = 0; window < rows.length; window++) {
      const row = Math.round(Number(startsNs[window]! - firstNs) / step)
      rows[window] = ascending ? row : last - row
    }
    return rows
  }

  #filled({ name, type }: WindowCall, { values, present }: Results): Column {
    if (present === null) return columnOf(type, values, null)
    const isCounted = this.#options.fill.kind === 'null' && name === 'count'
    const fill = isCounted ? 0n : this.#fillValue(type)
    if (fill !== null) return columnOf(type, fillWith(values, present, fill), null)
    if (this.#options.fill.kind === 'previous') fillPrevious(values, present)
    return columnOf(type, values, present.includes(0) ? present : null)
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
