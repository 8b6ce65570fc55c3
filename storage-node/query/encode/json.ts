import type { StatementResult } from '../result.ts'

/** Unit of times in the answer; null writes RFC 3339 with nanoseconds. */
export type Epoch = 'ns' | 'u' | 'ms' | 's' | 'm' | 'h' | null

export interface JsonOptions {
  readonly epoch: Epoch
  readonly pretty: boolean
  /** One document a part, each with a newline; otherwise one document for the whole answer. */
  readonly chunked: boolean
}

/** Bytes for bytes what InfluxDB 1.8 answers with, `Content-Type: application/json`. */
export async function* encodeJson(
  _results: AsyncIterable<StatementResult>,
  _options: JsonOptions,
): AsyncGenerator<Uint8Array> {}
