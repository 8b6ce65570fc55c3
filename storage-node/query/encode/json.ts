import type { ResultMessage, ResultSeries, StatementResult } from '../result.ts'
import { JsonValues } from './json-values.ts'
import { JsonWriter, jsonString, type JsonMark } from './json-writer.ts'
import { slicesOf } from './slices.ts'
import type { Epoch } from './time-text.ts'

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
      for await (const slice of slicesOf(result, endTurn)) {
        document.add(slice)
        yield* document.takeLong()
      }
      yield* document.end()
    }
    return
  }
  const document = new Document(options)
  for await (const result of results) {
    for await (const slice of slicesOf(result, endTurn)) {
      document.add(slice)
      yield* document.takeLong()
    }
  }
  yield* document.end()
}

/** An error before or instead of all results: `{"error":"…"}`. */
export function encodeJsonError(error: string, pretty: boolean): Uint8Array {
  const writer = new JsonWriter(pretty)
  writer.open('{')
  writer.key('error')
  writer.raw(jsonString(error))
  writer.close('}')
  writer.raw('\n')
  return Buffer.concat(writer.take())
}

/** One `{"results":[…]}`; parts of a statement are joined. */
class Document {
  readonly #writer: JsonWriter
  readonly #values: JsonValues
  #statement: StatementText | null = null
  #any = false

  constructor({ pretty, epoch }: JsonOptions) {
    this.#writer = new JsonWriter(pretty)
    this.#values = new JsonValues(this.#writer, epoch)
    this.#writer.open('{')
  }

  add(result: StatementResult): void {
    if (this.#statement?.id !== result.statementId) {
      this.#statement?.end()
      if (!this.#any) {
        this.#writer.key('results')
        this.#writer.open('[')
        this.#any = true
      }
      this.#writer.item()
      this.#statement = new StatementText(result.statementId, this.#writer, this.#values)
    }
    this.#statement.add(result)
  }

  /** What can leave, if it is much. */
  takeLong(): readonly Buffer[] {
    return this.#statement?.release() ? this.#writer.take() : []
  }

  end(): readonly Buffer[] {
    this.#statement?.end()
    if (this.#any) this.#writer.close(']')
    this.#writer.close('}')
    this.#writer.raw('\n')
    return this.#writer.take()
  }
}

/** One statement's object, of all its parts. */
class StatementText {
  readonly id: number
  readonly #writer: JsonWriter
  readonly #values: JsonValues
  /** Where its error would take the place of what it answered; null when some of that has left. */
  #replaceable: JsonMark | null
  #series: ResultSeries | null = null
  #anySeries = false
  #anyRows = false
  #messages: readonly ResultMessage[] = []
  #partial = false
  #error: string | null = null

  constructor(id: number, writer: JsonWriter, values: JsonValues) {
    this.id = id
    this.#writer = writer
    this.#values = values
    writer.open('{')
    writer.key('statement_id')
    writer.raw(String(id))
    this.#replaceable = writer.mark()
  }

  add({ series, messages, partial, error }: StatementResult): void {
    if (error !== null) {
      this.#forget()
      this.#error = error
      return
    }
    for (const one of series) this.#addSeries(one)
    this.#messages = [...this.#messages, ...messages]
    this.#partial = partial
  }

  /** Whether much is there, which may go now; from then on an error is added, not put in its place. */
  release(): boolean {
    const { length } = this.#writer
    if (this.#replaceable === null) return length > flushLength
    if (length - this.#replaceable.length <= replaceableLength) return false
    this.#replaceable = null
    return true
  }

  end(): void {
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
  }

  #forget(): void {
    if (this.#replaceable === null) return
    this.#writer.rewind(this.#replaceable)
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
    if (series.rows.length === 0) return
    if (!this.#anyRows) {
      this.#writer.key('values')
      this.#writer.open('[')
      this.#anyRows = true
    }
    this.#values.addRows(series)
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
      writer.open('[')
      for (const column of columns) {
        writer.item()
        writer.raw(jsonString(column))
      }
      writer.close(']')
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
}

/** Two parts of one series of the answer: the same name and tags. */
export function isSame(a: ResultSeries, b: ResultSeries): boolean {
  if (a.name === b.name && a.tags === b.tags) return true
  if (a.name !== b.name || (a.tags?.size ?? 0) !== (b.tags?.size ?? 0)) return false
  return [...(a.tags ?? [])].every(([key, value]) => b.tags?.get(key) === value)
}
