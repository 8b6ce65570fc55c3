import type { ResultMessage, ResultSeries, StatementResult, Value } from '../result.ts'
import { JsonWriter, jsonString } from './json-writer.ts'
import { slicesOf } from './slices.ts'
import { inUnits, timeText, type Epoch } from './time-text.ts'

export type { Epoch }

export interface JsonOptions {
  readonly epoch: Epoch
  readonly pretty: boolean
  /** One document a part, each with a newline; otherwise one document for the whole answer. */
  readonly chunked: boolean
}

/** Text of a statement that may still be replaced by its error. */
const replaceableLength = 1_048_576
const flushLength = 65_536

/**
 * Byte for byte what InfluxDB 1.8 answers with, `Content-Type: application/json`. An error that comes after more than
 * a mebibyte of a statement's answer stands behind it instead of replacing it, since that has left already.
 * @param endTurn called between steps of some milliseconds
 */
export async function* encodeJson(
  results: AsyncIterable<StatementResult>,
  options: JsonOptions,
  endTurn: () => Promise<void> | null,
): AsyncGenerator<Uint8Array> {
  if (options.chunked) {
    for await (const result of results) {
      const document = new Document(options)
      let text = ''
      for await (const slice of slicesOf(result, endTurn)) text += document.add(slice)
      yield Buffer.from(text + document.end())
    }
    return
  }
  const document = new Document(options)
  for await (const result of results) {
    for await (const slice of slicesOf(result, endTurn)) {
      const text = document.add(slice)
      if (text !== '') yield Buffer.from(text)
    }
  }
  yield Buffer.from(document.end())
}

/** An error before or instead of all results: `{"error":"…"}`. */
export function encodeJsonError(error: string, pretty: boolean): Uint8Array {
  const writer = new JsonWriter(pretty)
  writer.open('{')
  writer.key('error')
  writer.raw(jsonString(error))
  writer.close('}')
  return Buffer.from(`${writer.take()}\n`)
}

/** One `{"results":[…]}`; parts of a statement are joined. */
class Document {
  readonly #options: JsonOptions
  readonly #writer: JsonWriter
  #statement: StatementText | null = null
  #any = false

  constructor(options: JsonOptions) {
    this.#options = options
    this.#writer = new JsonWriter(options.pretty)
    this.#writer.open('{')
  }

  /** @returns text that can leave */
  add(result: StatementResult): string {
    if (this.#statement?.id !== result.statementId) {
      this.#closeStatement()
      if (!this.#any) {
        this.#writer.key('results')
        this.#writer.open('[')
        this.#any = true
      }
      this.#writer.item()
      this.#statement = new StatementText(result.statementId, this.#options)
    }
    this.#statement.add(result)
    if (!this.#statement.isLong) return ''
    this.#writer.raw(this.#statement.release())
    return this.#writer.take()
  }

  end(): string {
    this.#closeStatement()
    if (this.#any) this.#writer.close(']')
    this.#writer.close('}')
    return `${this.#writer.take()}\n`
  }

  #closeStatement(): void {
    if (this.#statement !== null) this.#writer.raw(this.#statement.end())
    this.#statement = null
  }
}

/** One statement's object, of all its parts. */
class StatementText {
  readonly id: number
  readonly #options: JsonOptions
  #writer: JsonWriter
  #released = false
  #series: ResultSeries | null = null
  #anySeries = false
  #anyRows = false
  #messages: readonly ResultMessage[] = []
  #partial = false
  #error: string | null = null

  constructor(id: number, options: JsonOptions) {
    this.id = id
    this.#options = options
    this.#writer = this.#begin()
  }

  get isLong(): boolean {
    return this.#writer.length > (this.#released ? flushLength : replaceableLength)
  }

  add({ series, messages, partial, error }: StatementResult): void {
    if (error !== null) {
      if (!this.#released) this.#forget()
      this.#error = error
      return
    }
    for (const one of series) this.#addSeries(one)
    this.#messages = [...this.#messages, ...messages]
    this.#partial = partial
  }

  /** Takes what is there; from now on an error is added, not put in its place. */
  release(): string {
    this.#released = true
    return this.#writer.take()
  }

  end(): string {
    this.#closeSeries()
    const writer = this.#writer
    if (this.#anySeries) writer.close(']')
    if (this.#messages.length > 0) this.#writeMessages()
    if (this.#partial) {
      writer.key('partial')
      writer.raw('true')
    }
    if (this.#error !== null) {
      writer.key('error')
      writer.raw(jsonString(this.#error))
    }
    writer.close('}')
    return writer.take()
  }

  #begin(): JsonWriter {
    const writer = new JsonWriter(this.#options.pretty, 2)
    writer.open('{')
    writer.key('statement_id')
    writer.raw(String(this.id))
    return writer
  }

  #forget(): void {
    this.#writer = this.#begin()
    this.#series = null
    this.#anySeries = false
    this.#messages = []
    this.#partial = false
  }

  #writeMessages(): void {
    const writer = this.#writer
    writer.key('messages')
    writer.open('[')
    for (const { level, text } of this.#messages) {
      writer.item()
      writer.open('{')
      writer.key('level')
      writer.raw(jsonString(level))
      writer.key('text')
      writer.raw(jsonString(text))
      writer.close('}')
    }
    writer.close(']')
  }

  #addSeries(series: ResultSeries): void {
    if (this.#series === null || !isSame(this.#series, series)) {
      this.#closeSeries()
      this.#openSeries(series)
    }
    this.#series = series
    for (const row of series.rows) this.#writeRow(row, series)
  }

  #openSeries({ name, tags, columns }: ResultSeries): void {
    const writer = this.#writer
    if (!this.#anySeries) {
      writer.key('series')
      writer.open('[')
      this.#anySeries = true
    }
    writer.item()
    writer.open('{')
    if (name !== '') {
      writer.key('name')
      writer.raw(jsonString(name))
    }
    if (tags !== null && tags.size > 0) {
      writer.key('tags')
      writer.open('{')
      for (const [key, value] of tags) {
        writer.item()
        writer.raw(`${jsonString(key)}:${writer.pretty ? ' ' : ''}${jsonString(value)}`)
      }
      writer.close('}')
    }
    if (columns.length > 0) {
      writer.key('columns')
      this.#writeArray(columns.map(jsonString))
    }
    this.#anyRows = false
  }

  #closeSeries(): void {
    if (this.#series === null) return
    if (this.#anyRows) this.#writer.close(']')
    if (this.#series.partial) {
      this.#writer.key('partial')
      this.#writer.raw('true')
    }
    this.#writer.close('}')
    this.#series = null
  }

  #writeRow(row: readonly Value[], series: ResultSeries): void {
    if (!this.#anyRows) {
      this.#writer.key('values')
      this.#writer.open('[')
      this.#anyRows = true
    }
    this.#writer.item()
    const { epoch } = this.#options
    this.#writeArray(
      row.map((value, i) =>
        i === 0 && series.timed ? timeJson(value as bigint, series, epoch) : valueJson(value),
      ),
    )
  }

  #writeArray(items: readonly string[]): void {
    if (!this.#writer.pretty) return this.#writer.raw(`[${items.join(',')}]`)
    this.#writer.open('[')
    for (const item of items) {
      this.#writer.item()
      this.#writer.raw(item)
    }
    this.#writer.close(']')
  }
}

function timeJson(ns: bigint, series: ResultSeries, epoch: Epoch): string {
  return epoch === null ? `"${timeText(ns, series)}"` : inUnits(ns, epoch).toString()
}

/** Floats as ECMAScript writes them, which Go does, too, but for the sign of zero. JSON has no infinity. */
function valueJson(value: Value): string {
  if (typeof value === 'string') return jsonString(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return 'null'
  return Object.is(value, -0) ? '-0' : String(value)
}

/** Two parts of one series of the answer: the same name and tags. */
export function isSame(a: ResultSeries, b: ResultSeries): boolean {
  if (a.name !== b.name || (a.tags?.size ?? 0) !== (b.tags?.size ?? 0)) return false
  return [...(a.tags ?? [])].every(([key, value]) => b.tags?.get(key) === value)
}
