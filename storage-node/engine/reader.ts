import type { Measure, SeriesWindows } from '../aggregation/series-windows.ts'
import type { Windowing } from '../aggregation/windows.ts'

/**
 * The seam between the engine and the query languages: what can be read, and the form in which it comes. The engine
 * has merged buffer and files and has applied last-write-wins and deletes; a query sees each point once.
 */
export type FieldType = 'float' | 'integer' | 'unsigned' | 'string' | 'boolean'

export interface MeasurementSchema {
  readonly name: string
  /** Sorted by key. */
  readonly tagKeys: readonly string[]
  readonly fields: ReadonlyMap<string, FieldType>
}

export interface Series {
  readonly id: number
  readonly measurement: string
  /** Sorted by key; a tag that the series lacks is not there. */
  readonly tags: ReadonlyMap<string, string>
}

/** One field's values, one for each time of the block. */
export type Column =
  | { readonly type: 'float'; readonly values: Float64Array; readonly present: Uint8Array | null }
  | { readonly type: 'integer'; readonly values: BigInt64Array; readonly present: Uint8Array | null }
  | { readonly type: 'unsigned'; readonly values: BigUint64Array; readonly present: Uint8Array | null }
  | { readonly type: 'string'; readonly values: readonly string[]; readonly present: Uint8Array | null }
  | { readonly type: 'boolean'; readonly values: Uint8Array; readonly present: Uint8Array | null }

/**
 * Some points of one series. `times` are nanoseconds, strictly ascending. `columns` stand in the order of the
 * requested fields; null where no point of the block has the field. `present` holds 1 where the value is there and 0
 * where the point lacks the field; null means that every point has it.
 */
export interface Block {
  readonly seriesId: number
  readonly times: BigInt64Array
  readonly columns: readonly (Column | null)[]
}

/**
 * A field of a point beside a value of the field's own type: number for float, bigint for integer and unsigned, text
 * and booleans by `=` and `!=` only. It holds as JavaScript's own operator does between the two, text by equality of
 * all its units; of a point that lacks the field it never holds.
 */
export interface FieldComparison {
  readonly field: string
  readonly operator: '=' | '!=' | '<' | '<=' | '>' | '>='
  readonly value: number | bigint | string | boolean
}

export interface ReadRequest {
  readonly databaseId: string
  readonly retentionPolicy: string
  readonly measurement: string
  readonly seriesIds: readonly number[]
  readonly fields: readonly string[]
  /** Inclusive, nanoseconds. */
  readonly minTimeNs: bigint
  /** Inclusive, nanoseconds. */
  readonly maxTimeNs: bigint
  /**
   * A point of which one of these does not hold is of no use to whoever asks: the reader may leave it out once it is
   * merged, and need not. Each field is one of `fields`.
   */
  readonly matching?: readonly FieldComparison[]
  readonly signal: AbortSignal
}

/** Like a read, but for what windows of the points give instead of the points. */
export interface AggregateRequest extends Omit<ReadRequest, 'fields' | 'matching'> {
  readonly windowing: Windowing
  /** Each field once. */
  readonly measures: readonly Measure[]
  /** Told how many points are being read; what it throws ends the read. */
  readonly countPoints: (count: number) => void
}

export interface TimeRange {
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
}

export interface Reader {
  /** Sorted by name; only measurements that hold points in some retention policy. */
  measurements(databaseId: string): readonly MeasurementSchema[]
  /**
   * Every series of a measurement that the index knows, in no particular order. Of many each is made when it is asked
   * for: whoever keeps them has to know for how many there is memory, and may take turns between them.
   */
  series(databaseId: string, measurement: string): Iterable<Series>
  /** What ids of series belong to: after the database is deleted it is another one, and ids begin anew. Null for none. */
  generation(databaseId: string): symbol | null
  /** Times between which all points of a measurement lie, inclusive; null for none. Not all need have points. */
  timeRange?(databaseId: string, retentionPolicy: string, measurement: string): TimeRange | null
  /**
   * Points of the requested series, in the order of `seriesIds`; blocks of one series follow each other in time.
   * A series without points in the range, or none with a requested field, yields nothing.
   * @throws AppError corrupt, naming file and range, rather than leave anything out
   */
  read(request: ReadRequest): AsyncIterable<Block>
  /**
   * The same as `aggregateBlocks` of a read, without handing the points over: one for each series that has any, in the
   * order of `seriesIds`. A reader that leaves it out is read point by point.
   * @throws as `read`; what `countPoints` throws
   */
  aggregate?(request: AggregateRequest): AsyncIterable<SeriesWindows>
}
