import type { ResultSeries, StatementResult, Value } from '../result.ts'
import { plainDecimal } from '../influxql/parameters.ts'
import { rowsOf } from '../table.ts'
import { slicesOf } from './slices.ts'
import { inUnits, type Epoch } from './time-text.ts'

export interface CsvOptions {
  readonly epoch: Epoch
}

const flushLength = 65_536

/**
 * What InfluxDB 1.8 answers with, `Content-Type: text/csv`: one table a statement, a blank line before each but the
 * first and where columns change. Statements that fail or answer with nothing leave no trace, as in InfluxDB 1.8.
 * @param endTurn called between steps of some milliseconds
 */
export async function* encodeCsv(
  results: AsyncIterable<StatementResult>,
  options: CsvOptions,
  endTurn: () => Promise<void> | null,
): AsyncGenerator<Uint8Array> {
  const table = new Table(options.epoch)
  for await (const result of results) {
    for await (const slice of slicesOf(result, endTurn)) {
      table.add(slice)
      if (table.isLong) yield Buffer.from(table.take())
    }
  }
  const rest = table.take()
  if (rest !== '') yield Buffer.from(rest)
}

class Table {
  readonly #epoch: Epoch
  #text = ''
  #statementId: number | null = null
  #columns: readonly string[] = []

  constructor(epoch: Epoch) {
    this.#epoch = epoch
  }

  get isLong(): boolean {
    return this.#text.length >= flushLength
  }

  take(): string {
    const text = this.#text
    this.#text = ''
    return text
  }

  add({ statementId, series: all }: StatementResult): void {
    for (const series of all) {
      if (this.#statementId !== statementId || !isEqual(this.#columns, series.columns)) {
        this.#text += (this.#statementId === null ? '' : '\n') + csvLine(['name', 'tags', ...series.columns])
        this.#statementId = statementId
        this.#columns = series.columns
      }
      for (const row of rowsOf(series)) this.#text += rowLine(row, series, this.#epoch)
    }
  }
}

/** An error before or instead of all results. */
export function encodeCsvError(error: string): Uint8Array {
  return Buffer.from(`error\n${csvLine([error])}`)
}

const isEqual = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((column, i) => column === b[i])

function rowLine(row: readonly Value[], series: ResultSeries, epoch: Epoch): string {
  const values = row.map((value, i) =>
    i === 0 && series.timed ? inUnits(value as bigint, epoch ?? 'ns').toString() : valueText(value),
  )
  return csvLine([series.name, tagsText(series), ...values])
}

const escapeTag = (text: string): string => text.replaceAll(/[,= ]/g, '\\$&')

function tagsText({ tags }: ResultSeries): string {
  return [...(tags ?? [])]
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${escapeTag(key)}=${escapeTag(value)}`)
    .join(',')
}

function valueText(value: Value): string {
  if (value === null) return ''
  if (typeof value !== 'number') return String(value)
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return Object.is(value, -0) ? '-0' : plainDecimal(value)
}

/** Quotes where Go's encoding/csv does. */
function csvLine(fields: readonly string[]): string {
  const quoted = fields.map((field) =>
    field === String.raw`\.` || /[",\r\n]|^\s/u.test(field) ? `"${field.replaceAll('"', '""')}"` : field,
  )
  return `${quoted.join(',')}\n`
}
