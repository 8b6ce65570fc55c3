import type { ResultSeries, Value } from '../result.ts'
import { jsonString, type JsonWriter } from './json-writer.ts'
import { inUnits, TimeText, type Epoch } from './time-text.ts'

const quote = 0x22

/** Writes the rows of an answer, and remembers what it wrote of times before. */
export class JsonValues {
  readonly #writer: JsonWriter
  readonly #epoch: Epoch
  readonly #times = new TimeText()

  constructor(writer: JsonWriter, epoch: Epoch) {
    this.#writer = writer
    this.#epoch = epoch
  }

  /** The rows as members of the array that is open. */
  addRows(series: ResultSeries): void {
    const writer = this.#writer
    for (const row of series.rows) {
      writer.item()
      writer.open('[')
      for (let i = 0; i < row.length; i++) {
        writer.item()
        if (i === 0 && series.timed) this.#time(row[i] as bigint, series)
        else this.#value(row[i]!)
      }
      writer.close(']')
    }
  }

  #time(ns: bigint, { zone }: ResultSeries): void {
    const { bytes } = this.#writer
    if (this.#epoch !== null) return bytes.text(inUnits(ns, this.#epoch).toString())
    bytes.byte(quote)
    bytes.text(this.#times.of(ns, zone))
    bytes.byte(quote)
  }

  /** Floats as ECMAScript writes them, which Go does, too, but for the sign of zero. JSON has no infinity. */
  #value(value: Value): void {
    const { bytes } = this.#writer
    if (typeof value === 'number') {
      if (Number.isFinite(value)) bytes.number(value)
      else bytes.text('null')
    } else if (typeof value === 'string') bytes.text(jsonString(value))
    else bytes.text(String(value))
  }
}
