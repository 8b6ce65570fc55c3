import { unreachable } from '../../../common/errors.ts'
import type { ResultSeries, Value } from '../result.ts'
import { rowsOf, Table, type FixedColumns, type TableColumn } from '../table.ts'
import { jsonString, type JsonWriter } from './json-writer.ts'
import { inUnits, TimeText, type Epoch } from './time-text.ts'
import type { Utf8Buffer } from './utf8-buffer.ts'

const quote = 0x22
const comma = 0x2c
const close = 0x5d

/** Writes the rows of an answer, and remembers what it wrote of times and origins before. */
export class JsonValues {
  readonly #writer: JsonWriter
  readonly #epoch: Epoch
  readonly #times = new TimeText()
  /** The values of each origin, by the cells that they come from. */
  readonly #fixed = new Map<FixedColumns['cells'], Buffer[]>()

  constructor(writer: JsonWriter, epoch: Epoch) {
    this.#writer = writer
    this.#epoch = epoch
  }

  /** The rows as members of the array that is open. */
  addRows(series: ResultSeries): void {
    if (series.rows instanceof Table && !this.#writer.pretty) this.#addTable(series, series.rows)
    else for (const row of rowsOf(series)) this.#addRow(row, series)
  }

  #addRow(row: readonly Value[], series: ResultSeries): void {
    const writer = this.#writer
    writer.item()
    writer.open('[')
    for (let i = 0; i < row.length; i++) {
      writer.item()
      if (i === 0 && series.timed) this.#time(row[i] as bigint, series)
      else writeValue(writer.bytes, row[i]!)
    }
    writer.close(']')
  }

  #addTable(series: ResultSeries, { times, columns, from, to }: Table): void {
    const writer = this.#writer
    const { bytes } = writer
    for (let row = from; row < to; row++) {
      writer.item()
      writer.open('[')
      this.#time(times[row]!, series)
      for (const column of columns) {
        bytes.byte(comma)
        if (column?.type === 'fixed') bytes.bytes(this.#fixedOf(column, row))
        else writeCell(bytes, column, row)
      }
      bytes.byte(close)
      writer.closed()
    }
  }

  #fixedOf({ cells, origins }: FixedColumns, row: number): Buffer {
    let known = this.#fixed.get(cells)
    if (known === undefined) this.#fixed.set(cells, (known = []))
    const origin = origins[row]!
    return (known[origin] ??= Buffer.from(cells[origin]!.map(valueText).join(',')))
  }

  #time(ns: bigint, { zone }: ResultSeries): void {
    const { bytes } = this.#writer
    if (this.#epoch !== null) return bytes.text(inUnits(ns, this.#epoch).toString())
    bytes.byte(quote)
    bytes.text(this.#times.of(ns, zone))
    bytes.byte(quote)
  }
}

/** Floats as ECMAScript writes them, which Go does, too, but for the sign of zero. JSON has no infinity. */
function writeValue(bytes: Utf8Buffer, value: Value): void {
  if (typeof value === 'number' && Number.isFinite(value)) bytes.number(value)
  else bytes.text(valueText(value))
}

function valueText(value: Value): string {
  if (typeof value === 'string') return jsonString(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return 'null'
  return Object.is(value, -0) ? '-0' : String(value)
}

function writeCell(bytes: Utf8Buffer, column: Exclude<TableColumn, FixedColumns>, row: number): void {
  if (column === null || (column.present !== null && column.present[row] === 0)) return bytes.text('null')
  switch (column.type) {
    case 'float': {
      const value = column.values[row]!
      return Number.isFinite(value) ? bytes.number(value) : bytes.text('null')
    }
    case 'integer':
    case 'unsigned': {
      const value = column.values[row]!
      const near = Number(value)
      return Number.isSafeInteger(near) ? bytes.number(near) : bytes.text(String(value))
    }
    case 'boolean':
      return bytes.text(column.values[row] === 1 ? 'true' : 'false')
    case 'string':
      return bytes.text(jsonString(column.values[row]!))
    default:
      return unreachable(column)
  }
}
