import { markRows, type BufferColumn } from './buffer-column.ts'
import { compareTimes, inTimeOrder, timeWords } from './time-order.ts'
import type { TableBuffer } from './table-buffer.ts'
import { zonesWithin, type Zone } from './time-zones.ts'

export interface RowSelection {
  /** Sorted or not; null for all series. */
  readonly seriesIds: readonly number[] | null
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
  /** A row counts if it has one of these fields; null for all rows. */
  readonly fields: readonly number[] | null
}

/** What follows the work on so many rows is a turn for others. */
const rowsPerTurn = 16_384

/** Rows of one buffer grouped by series; rows of a series in the order of time, then of arrival. */
export class SortedRows {
  readonly #rows: Int32Array
  /** Where the rows of a series begin and end in `#rows`, by ascending series. */
  readonly #ranges: ReadonlyMap<number, readonly [from: number, end: number]>

  private constructor(rows: Int32Array, ranges: ReadonlyMap<number, readonly [number, number]>) {
    this.#rows = rows
    this.#ranges = ranges
  }

  static of(table: TableBuffer, selection: RowSelection): SortedRows {
    const sorting = SortedRows.inTurns(table, selection)
    for (;;) {
      const step = sorting.next()
      if (step.done) return step.value
    }
  }

  /** The same in steps of some milliseconds, so that a large buffer need not hold up everything else. */
  static *inTurns(table: TableBuffer, selection: RowSelection): Generator<undefined, SortedRows> {
    // The buffer may grow meanwhile and move elsewhere; the rows that it has now do not change.
    const { series, times } = table
    const picked = yield* selectRows(table, selection)
    const counts = new Map<number, number>()
    for (let k = 0; k < picked.length; k++) {
      const id = series[picked[k]!]!
      counts.set(id, (counts.get(id) ?? 0) + 1)
      if ((k + 1) % rowsPerTurn === 0) yield
    }
    const rows = new Int32Array(picked.length)
    const ranges = rangesOf(counts)
    yield* distribute(picked, series, ranges, rows)
    if (!(yield* areSorted(rows, ranges, times))) {
      const ordered = yield* inTimeOrder(picked, times)
      yield* distribute(ordered, series, ranges, rows)
    }
    return new SortedRows(rows, ranges)
  }

  /** Ascending. */
  get seriesIds(): Iterable<number> {
    return this.#ranges.keys()
  }

  rowsOf(seriesId: number): Int32Array {
    const range = this.#ranges.get(seriesId)
    return range ? this.#rows.subarray(range[0], range[1]) : new Int32Array(0)
  }
}

type Ranges = Map<number, [from: number, end: number]>

function rangesOf(counts: ReadonlyMap<number, number>): Ranges {
  const ranges: Ranges = new Map()
  let from = 0
  for (const id of Uint32Array.from(counts.keys()).sort()) {
    const end = from + counts.get(id)!
    ranges.set(id, [from, end])
    from = end
  }
  return ranges
}

/** Puts rows into the ranges of their series, in the order in which they come. */
function* distribute(
  from: Int32Array,
  series: Uint32Array,
  ranges: Ranges,
  to: Int32Array,
): Generator<undefined> {
  for (const range of ranges.values()) range[1] = range[0]
  for (let k = 0; k < from.length; k++) {
    const row = from[k]!
    to[ranges.get(series[row]!)![1]++] = row
    if ((k + 1) % rowsPerTurn === 0) yield
  }
}

/** Points mostly come in the order of time, so that is looked for first. */
function* areSorted(rows: Int32Array, ranges: Ranges, times: BigInt64Array): Generator<undefined, boolean> {
  const words = timeWords(times)
  let sinceTurn = 0
  for (const [from, end] of ranges.values()) {
    for (let k = from + 1; k < end; k++) if (compareTimes(words, rows[k - 1]!, rows[k]!) > 0) return false
    sinceTurn += end - from
    if (sinceTurn < rowsPerTurn) continue
    sinceTurn = 0
    yield
  }
  return true
}

function* selectRows(table: TableBuffer, selection: RowSelection): Generator<undefined, Int32Array> {
  const { series, times, rowCount } = table
  const { minTimeNs, maxTimeNs } = selection
  const wanted = selection.seriesIds && new Set(selection.seriesIds)
  const columns = selection.fields?.map((field) => table.column(field)).filter((column) => column !== null)
  const picked = new Int32Array(rowCount)
  let count = 0
  let sinceTurn = 0
  for (const zone of zonesWithin(table, minTimeNs, maxTimeNs)) {
    const marks = columns && markedRows(columns, zone)
    const anyTime = minTimeNs <= zone.minTimeNs && maxTimeNs >= zone.maxTimeNs
    for (let row = zone.from; row < zone.end; row++) {
      if (wanted && !wanted.has(series[row]!)) continue
      if (!anyTime && (times[row]! < minTimeNs || times[row]! > maxTimeNs)) continue
      if (marks && marks[row - zone.from] === 0) continue
      picked[count++] = row
    }
    sinceTurn += zone.end - zone.from
    if (sinceTurn < rowsPerTurn) continue
    sinceTurn = 0
    yield
  }
  return picked.subarray(0, count)
}

/** 1 for each row of the zone that has a value in one of the columns. */
function markedRows(columns: readonly BufferColumn[], { from, end }: Zone): Uint8Array {
  const marks = new Uint8Array(end - from)
  let left = marks.length
  for (const column of columns) {
    left -= markRows(column, marks, from, end)
    if (left === 0) break
  }
  return marks
}
