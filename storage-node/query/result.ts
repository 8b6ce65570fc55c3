import type { Table } from './table.ts'
import type { Zone } from './zone.ts'

/**
 * What a query answers with, in the terms of InfluxDB 1.x. A statement answers with one or more parts, in order; all
 * parts of one statement carry its number, and `partial` says that more parts follow. Encoders turn parts into bytes.
 */

/** float: number; integer and unsigned: bigint. Where a series has times, the first of each row is a bigint of nanoseconds. */
export type Value = number | bigint | string | boolean | null

export interface ResultSeries {
  /** Empty where the answer has no name, as in SHOW DIAGNOSTICS; then the key is left out. */
  readonly name: string
  /** Sorted by key; null where the answer is not grouped. */
  readonly tags: ReadonlyMap<string, string> | null
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Value[])[] | Table
  /** The first value of each row is a time. */
  readonly timed: boolean
  /** The zone in which times are written; null for UTC. */
  readonly zone: Zone | null
  /** The series was cut at the chunk size and goes on in the next part. */
  readonly partial: boolean
}

export interface ResultMessage {
  readonly level: string
  readonly text: string
}

export interface StatementResult {
  readonly statementId: number
  readonly series: readonly ResultSeries[]
  readonly messages: readonly ResultMessage[]
  readonly partial: boolean
  readonly error: string | null
}
