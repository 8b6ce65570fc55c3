import type { Aggregation, SeriesWindows } from '../aggregation/series-windows.ts'
import type { Matching } from '../engine/matching.ts'
import type { Column, FieldType } from '../engine/reader.ts'
import type { DeletedArea } from '../engine/tombstones.ts'
import type { SentRows } from './sent-rows.ts'

/** What the engine and the query process say to each other over the IPC channel. */

/** A column of rows in transit; index = row. Where `present` is 0 the value means nothing. */
export type RowColumn =
  | { readonly type: 'series'; readonly values: Uint32Array; readonly present: null }
  | { readonly type: 'float'; readonly values: Float64Array; readonly present: Uint8Array | null }
  | { readonly type: 'integer'; readonly values: BigInt64Array; readonly present: Uint8Array | null }
  | { readonly type: 'unsigned'; readonly values: BigUint64Array; readonly present: Uint8Array | null }
  | { readonly type: 'boolean'; readonly values: Uint8Array; readonly present: Uint8Array | null }
  | { readonly type: 'string'; readonly values: readonly string[]; readonly present: Uint8Array | null }

export type ColumnType = RowColumn['type']

export interface Rows {
  readonly rowCount: number
  readonly columns: readonly RowColumn[]
}

/** Points that were read: each once, in the order of the series asked for and of time. */
export interface FoundRows {
  /** Of each row; so are the times, in nanoseconds. */
  readonly series: Uint32Array
  readonly times: BigInt64Array
  /** In the order of the fields wanted; null for one that no row has. */
  readonly columns: readonly (Column | null)[]
}

export interface NamedColumn {
  readonly name: string
  readonly type: ColumnType
}

export interface SourceFile {
  readonly path: string
  /** 32 bytes. */
  readonly key: Uint8Array
  /** Of two values for one series, time and field the one from the file with the higher order counts. */
  readonly order: number
  /** Between which its times lie, inclusive, nanoseconds. */
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
  /** Of all its strings, as UTF-8. */
  readonly stringBytes: number
  /** Columns that the file has; a requested one that it lacks is absent from all its rows. */
  readonly columns: readonly string[]
  /** Rows in these areas are deleted. */
  readonly deleted: readonly DeletedArea[]
}

export interface ReadJob {
  readonly files: readonly SourceFile[]
  readonly seriesIds: readonly number[]
  /** The fields wanted: at least one. */
  readonly columns: readonly { readonly name: string; readonly type: FieldType }[]
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
  /** Points that do not match are left out of a read; an aggregation has all. */
  readonly matching: Matching
}

export interface AggregateJob {
  readonly read: ReadJob
  /** One measure for each column of the read. */
  readonly aggregation: Aggregation
}

export type Request =
  | { readonly kind: 'write-begin'; readonly job: number; readonly columns: readonly NamedColumn[] }
  | { readonly kind: 'write-rows'; readonly job: number; readonly rows: SentRows }
  | { readonly kind: 'write-finish'; readonly job: number; readonly path: string; readonly key: Uint8Array }
  | { readonly kind: 'read'; readonly job: number; readonly read: ReadJob }
  | { readonly kind: 'aggregate'; readonly job: number; readonly aggregate: AggregateJob }
  /** Another batch of a read may be sent. */
  | { readonly kind: 'more'; readonly job: number }
  | { readonly kind: 'cancel'; readonly job: number }

export type Response =
  | { readonly kind: 'done'; readonly job: number }
  | { readonly kind: 'rows'; readonly job: number; readonly rows: FoundRows }
  /** Some of the series that have points, and how many rows their windows are made of. */
  | {
      readonly kind: 'windows'
      readonly job: number
      readonly windows: readonly SeriesWindows[]
      readonly rowCount: number
    }
  | { readonly kind: 'failed'; readonly job: number; readonly message: string }

/** Batches of a read that may be on their way at once. */
export const readWindow = 4

/** How the engine configures the process: JSON in this environment variable. */
export const settingsVariable = 'HOLDFAST_QUERY_SETTINGS'

export interface Settings {
  readonly extensionPath: string
  /** Of all processes. */
  readonly podMemoryBytes: number
  /** DuckDB's. */
  readonly memoryLimitBytes: number
  /** Of blocks that are kept for the next read. */
  readonly blockCacheBytes: number
  /** The process is forked with it: of its JavaScript, strings of blocks among it. */
  readonly heapBytes: number
  readonly threads: number
}
