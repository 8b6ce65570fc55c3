import type { BufferColumn } from '../buffer/buffer-column.ts'
import { pickColumn, type Picking, type Run } from '../buffer/merge.ts'
import { SortedRows, type RowSelection } from '../buffer/sorted-rows.ts'
import type { TableBuffer } from '../buffer/table-buffer.ts'
import type { FieldType } from './reader.ts'

/** A field as the engine knows it: its number in the measurement's schema. */
export interface WantedField {
  readonly number: number
  readonly type: FieldType
}

/** The buffered points of a read, taken when it begins: what is written later does not appear. */
export class BufferedSeries {
  readonly #fields: readonly WantedField[]
  readonly #sorted: readonly SortedRows[]
  /** The columns as they were, for each field one for each buffer. */
  readonly #columns: readonly (readonly (BufferColumn | null)[])[]
  readonly #times: readonly BigInt64Array[]

  /** @param tables older first */
  constructor(
    tables: readonly TableBuffer[],
    fields: readonly WantedField[],
    selection: Omit<RowSelection, 'fields'>,
  ) {
    this.#fields = fields
    const numbers = fields.map(({ number }) => number)
    this.#sorted = tables.map((table) => SortedRows.of(table, { ...selection, fields: numbers }))
    this.#columns = fields.map(({ number }) => tables.map((table) => table.column(number)))
    this.#times = tables.map(({ times }) => times)
  }

  /** All buffered points of a series that have one of the fields; no times if there is none. */
  run(seriesId: number): BufferedRun {
    const perSource = this.#sorted.map((sorted) => sorted.rowsOf(seriesId))
    const total = perSource.reduce((sum, { length }) => sum + length, 0)
    const rows = new Int32Array(total)
    const sources = new Uint8Array(total)
    const targets = new Int32Array(total)
    const times = new BigInt64Array(total)
    const next = perSource.map(() => 0)
    let target = -1
    for (let k = 0; k < total; k++) {
      const source = this.#earliest(perSource, next)
      const row = perSource[source]![next[source]!++]!
      const timeNs = this.#times[source]![row]!
      if (target < 0 || times[target] !== timeNs) times[++target] = timeNs
      rows[k] = row
      sources[k] = source
      targets[k] = target
    }
    const picking = { rows, sources, targets, targetCount: target + 1 }
    return new BufferedRun(times.subarray(0, target + 1), picking, (part) =>
      this.#fields.map(({ type }, index) => pickColumn(type, this.#columns[index]!, part)),
    )
  }

  /** The source whose next row has the earliest time; of equal ones the older source. */
  #earliest(perSource: readonly Int32Array[], next: readonly number[]): number {
    let best = -1
    for (let source = 0; source < perSource.length; source++) {
      const row = perSource[source]![next[source]!]
      if (row === undefined) continue
      if (best < 0) best = source
      else if (this.#times[source]![row]! < this.#times[best]![perSource[best]![next[best]!]!]!) best = source
    }
    return best
  }
}

/**
 * The buffered points of one series, in the order of time. Their columns are made for some points at a time: all of
 * many fields at once, of which most have few values, would take far more than the buffer does.
 */
export class BufferedRun {
  readonly times: BigInt64Array
  readonly #picking: Picking
  readonly #columnsOf: (picking: Picking) => Run['columns']

  constructor(times: BigInt64Array, picking: Picking, columnsOf: (picking: Picking) => Run['columns']) {
    this.times = times
    this.#picking = picking
    this.#columnsOf = columnsOf
  }

  /** The points from `from` to `end`. */
  part(from: number, end: number): Run {
    const times = this.times.subarray(from, end)
    const { rows, sources, targets } = this.#picking
    if (times.length === this.times.length) return { times, columns: this.#columnsOf(this.#picking) }
    const [first, last] = [firstNotBelow(targets, from), firstNotBelow(targets, end)]
    const part = {
      rows: rows.subarray(first, last),
      sources: sources.subarray(first, last),
      targets: targets.subarray(first, last).map((target) => target - from),
      targetCount: times.length,
    }
    return { times, columns: this.#columnsOf(part) }
  }
}

/** @param targets never fall */
function firstNotBelow(targets: Int32Array, target: number): number {
  let low = 0
  let high = targets.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (targets[middle]! < target) low = middle + 1
    else high = middle
  }
  return low
}
