import type { ParsedBatch } from '../line-protocol/batch.ts'

export interface WriteRequest {
  readonly databaseId: string
  /** null is the database's default policy. */
  readonly retentionPolicy: string | null
  readonly batch: ParsedBatch
}

export type WriteProblemKind = 'invalid' | 'type-conflict' | 'outside-retention' | 'limit'

/** Points of a write that were not stored; `message` is worded as InfluxDB 1.8 words it. */
export interface WriteProblem {
  readonly kind: WriteProblemKind
  readonly message: string
  readonly dropped: number
}

export interface WriteOutcome {
  /** Points stored: durable, and visible to reads. */
  readonly accepted: number
  /** In the order in which they were met, one for each message, at most `maxProblems`. */
  readonly problems: readonly WriteProblem[]
}

export const maxProblems = 100
