import type { FieldType } from '../engine/reader.ts'

/** What a line without a timestamp is truncated to, and the unit of a line's timestamp. */
export type Precision = 'n' | 'ns' | 'u' | 'us' | 'ms' | 's' | 'm' | 'h'

export interface LineError {
  /** 1 for the first line of the body. */
  readonly line: number
  /** The line as it came, without its line end; of a long one the beginning. */
  readonly text: string
  readonly message: string
}

/** Points that are well-formed lines, yet never stored. */
export interface Rejection {
  readonly message: string
  readonly dropped: number
}

export interface BatchSeries {
  /** As `seriesKey` makes it. */
  readonly key: string
}

/** The values of one field; index = row of the table. Where `present` is 0 the value means nothing. */
export type FieldValues =
  | { readonly type: 'float'; readonly values: Float64Array }
  | { readonly type: 'integer'; readonly values: BigInt64Array }
  | { readonly type: 'unsigned'; readonly values: BigUint64Array }
  | { readonly type: 'boolean'; readonly values: Uint8Array }
  | { readonly type: 'string'; readonly values: readonly string[] }

/** A field name stands twice when lines of one body disagree about its type. */
export type BatchColumn = FieldValues & { readonly name: string; readonly present: Uint8Array | null }

/** The points of one measurement, in the order of their lines. */
export interface BatchTable {
  readonly measurement: string
  readonly rowCount: number
  readonly series: readonly BatchSeries[]
  /** Index into `series` for each row. */
  readonly seriesOfRow: Uint32Array
  /** Nanoseconds since the epoch for each row. */
  readonly times: BigInt64Array
  readonly columns: readonly BatchColumn[]
}

export interface ParsedBatch {
  readonly tables: readonly BatchTable[]
  readonly pointCount: number
  /** In the order of lines; at most `maxReportedErrors`. */
  readonly errors: readonly LineError[]
  /** Bad lines, also those beyond the reported ones. */
  readonly errorCount: number
  readonly rejections: readonly Rejection[]
}

export const maxReportedErrors = 1000

export type { FieldType }
