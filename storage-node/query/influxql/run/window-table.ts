import type { SeriesWindows, StoredValue } from '../../../aggregation/series-windows.ts'
import type { Column, FieldType } from '../../../engine/reader.ts'
import { Table } from '../../table.ts'
import type { Fill } from '../ast.ts'
import { castTo, Unsigned } from '../scalar.ts'
import { mergeParts, partsOf, type Parts, type Results, type WindowFunctionName } from './window-merge.ts'

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
    const known: Parts[] = []
    const made = calls.map((call) => {
      const parts = (known[call.field] ??= partsOf(group, call.field, rows, ascending))
      return parts.length === 0 ? this.#absent(call, times.length) : this.#column(call, parts, times.length)
    })
    if (known.every(({ length }) => length === 0)) return null
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

  #column({ name, stored, type }: WindowCall, parts: Parts, length: number): Column {
    const results = mergeParts(name, parts, stored, length)
    const fill = this.#options.fill.kind === 'null' && name === 'count' ? 0n : this.#fillValue(type)
    if (fill !== null) fillWith(results, fill)
    else if (this.#options.fill.kind === 'previous') fillPrevious(results)
    return columnOf(type, results)
  }

  /** Of a field that no series of the group has. */
  #absent({ type }: WindowCall, length: number): Column | null {
    const value = this.#fillValue(type)
    if (value === null) return null
    const values = Array.from<StoredValue>({ length }).fill(value)
    return columnOf(type, { values, present: new Uint8Array(length).fill(1) })
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

function fillWith({ values, present }: Results, value: StoredValue): void {
  for (let row = 0; row < present.length; row++) if (present[row] === 0) values[row] = value
  present.fill(1)
}

function fillPrevious({ values, present }: Results): void {
  for (let row = 1; row < present.length; row++) {
    if (present[row] === 1 || present[row - 1] === 0) continue
    values[row] = values[row - 1]!
    present[row] = 1
  }
}

function columnOf(type: FieldType, { values, present: some }: Results): Column {
  const present = some.includes(0) ? some : null
  switch (type) {
    case 'float':
      return { type, present, values: Float64Array.from(values as number[]) }
    case 'integer':
      return { type, present, values: BigInt64Array.from(values as bigint[]) }
    case 'unsigned':
      return { type, present, values: BigUint64Array.from(values as bigint[]) }
    case 'boolean':
      return { type, present, values: Uint8Array.from(values as number[]) }
    default:
      return { type, present, values: values as string[] }
  }
}
