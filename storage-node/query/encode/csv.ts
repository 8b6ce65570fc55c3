import type { StatementResult } from '../result.ts'
import type { Epoch } from './json.ts'

export interface CsvOptions {
  readonly epoch: Epoch
}

/** Bytes for bytes what InfluxDB 1.8 answers with, `Content-Type: text/csv`. */
export async function* encodeCsv(
  _results: AsyncIterable<StatementResult>,
  _options: CsvOptions,
): AsyncGenerator<Uint8Array> {}
