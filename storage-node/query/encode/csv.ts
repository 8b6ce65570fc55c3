import type { ResultSeries, StatementResult, Value } from '../result.ts'
import { plainDecimal } from '../influxql/parameters.ts'
import { inUnits, type Epoch } from './time-text.ts'

export interface CsvOptions {
  readonly epoch: Epoch
}

const flushLength = 65_536

/**
 * What InfluxDB 1.8 answers with, `Content-Type: text/csv`: one table a statement, a blank line before each but the
 * first and where columns change. Statements that fail or answer with nothing leave no trace, as in InfluxDB 1.8.
 */
export async function* encodeCsv(
  results: AsyncIterable<StatementResult>,
  options: CsvOptions,
): AsyncGenerator<Uint8Array> {
  let text = ''
  let statementId: number | null = null
  let columns: readonly string[] = []
  for await (const result of results) {
    for (const series of result.series) {
      if (statementId !== result.statementId || !isEqual(columns, series.columns)) {
        text += (statementId === null ? '' : '\n') + csvLine(['name', 'tags', ...series.columns])
        statementId = result.statementId
        columns = series.columns
      }
      for (const row of series.rows) text += rowLine(row, series, options.epoch)
      if (text.length < flushLength) continue
      yield Buffer.from(text)
      text = ''
    }
  }
  if (text !== '') yield Buffer.from(text)
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
