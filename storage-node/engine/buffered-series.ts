import { pickColumn, type Run } from '../buffer/merge.ts'
import { SortedRows, type RowSelection } from '../buffer/sorted-rows.ts'
import type { TableBuffer } from '../buffer/table-buffer.ts'
import type { Column, FieldType } from './reader.ts'

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
  readonly #columns: readonly (readonly (Column | null)[])[]
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
  run(seriesId: number): Run {
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
    return {
      times: times.subarray(0, target + 1),
      columns: this.#fields.map(({ type }, index) => pickColumn(type, this.#columns[index]!, picking)),
    }
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
