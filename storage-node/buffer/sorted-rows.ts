import type { TableBuffer } from './table-buffer.ts'

export interface RowSelection {
  /** Sorted or not; null for all series. */
  readonly seriesIds: readonly number[] | null
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
  /** A row counts if it has one of these fields; null for all rows. */
  readonly fields: readonly number[] | null
}

/** Rows of one buffer grouped by series; rows of a series in the order of time, then of arrival. */
export class SortedRows {
  readonly table: TableBuffer
  readonly #rows: Int32Array
  /** Where the rows of a series begin and end in `#rows`. */
  readonly #ranges: ReadonlyMap<number, readonly [from: number, end: number]>

  constructor(table: TableBuffer, selection: RowSelection) {
    this.table = table
    const picked = selectRows(table, selection)
    const series = table.series
    const ranges = new Map<number, [number, number]>()
    for (const row of picked) {
      const range = ranges.get(series[row]!)
      if (range) range[1]++
      else ranges.set(series[row]!, [0, 1])
    }
    let start = 0
    for (const id of [...ranges.keys()].sort((a, b) => a - b)) {
      const range = ranges.get(id)!
      const count = range[1]
      range[0] = start
      range[1] = start
      start += count
    }
    this.#rows = new Int32Array(picked.length)
    for (const row of picked) this.#rows[ranges.get(series[row]!)![1]++] = row
    for (const [from, end] of ranges.values()) sortByTime(this.#rows.subarray(from, end), table.times)
    this.#ranges = ranges
  }

  /** Ascending. */
  get seriesIds(): readonly number[] {
    return [...this.#ranges.keys()].sort((a, b) => a - b)
  }

  rowsOf(seriesId: number): Int32Array {
    const range = this.#ranges.get(seriesId)
    return range ? this.#rows.subarray(range[0], range[1]) : new Int32Array(0)
  }
}

function selectRows(table: TableBuffer, selection: RowSelection): Int32Array {
  const { series, times, rowCount } = table
  const { minTimeNs, maxTimeNs } = selection
  const wanted = selection.seriesIds && new Set(selection.seriesIds)
  const columns = selection.fields?.map((field) => table.column(field)).filter((column) => column !== null)
  const picked = new Int32Array(rowCount)
  let count = 0
  for (let row = 0; row < rowCount; row++) {
    if (wanted && !wanted.has(series[row]!)) continue
    if (times[row]! < minTimeNs || times[row]! > maxTimeNs) continue
    if (columns && !columns.some(({ present }) => present === null || present[row] === 1)) continue
    picked[count++] = row
  }
  return picked.subarray(0, count)
}

/** Points mostly come in the order of time, so that is looked for first. */
function sortByTime(rows: Int32Array, times: BigInt64Array): void {
  let sorted = true
  for (let k = 1; k < rows.length && sorted; k++) sorted = times[rows[k - 1]!]! <= times[rows[k]!]!
  if (sorted) return
  rows.sort((a, b) => (times[a]! < times[b]! ? -1 : times[a]! > times[b]! ? 1 : a - b))
}
