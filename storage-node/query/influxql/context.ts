import type { DatabaseState } from '../../../common/state-document.ts'
import type { DeleteRequest } from '../../engine/delete.ts'
import type { Reader } from '../../engine/reader.ts'
import type { HeldBytes } from '../held-bytes.ts'
import type { Managed } from './ast.ts'

/** A database as queries see it. */
export type QueryDatabase = Pick<
  DatabaseState,
  'id' | 'name' | 'retentionPolicies' | 'defaultRetentionPolicy'
>

/** The databases that the caller may know of. */
export interface Catalog {
  databases(): readonly QueryDatabase[]
}

export interface RetentionPolicyOptions {
  /** Nanoseconds, 0 for ever; null where the statement does not say. */
  readonly durationNs: bigint | null
  readonly shardDurationNs: bigint | null
  readonly replication: number | null
}

/**
 * What statements that change the catalogue call. Each throws an AppError whose message becomes the statement's
 * error: on a cluster, where databases are resources, all of them do.
 */
export interface CatalogCommands {
  /** Succeeds when the database is there already. `policy` is null without a WITH clause. */
  createDatabase(
    database: string,
    policy: ({ readonly name: string | null } & RetentionPolicyOptions) | null,
  ): Promise<void>
  /** Succeeds when there is no such database. */
  dropDatabase(database: string): Promise<void>
  createRetentionPolicy(
    database: string,
    policy: { readonly name: string; readonly isDefault: boolean } & RetentionPolicyOptions,
  ): Promise<void>
  alterRetentionPolicy(
    database: string,
    policy: { readonly name: string; readonly isDefault: boolean } & RetentionPolicyOptions,
  ): Promise<void>
  /** Succeeds when there is no such policy. */
  dropRetentionPolicy(database: string, policy: string): Promise<void>
}

/** What statements that delete points call. */
export interface Deletions {
  /** Also of a database that the caller may write to and not read. @returns null where there is none */
  databaseId(database: string): string | null
  /** @throws AppError as `Engine.delete` */
  delete(request: DeleteRequest): Promise<void>
}

/** What a statement needs to be allowed to do. */
export type StatementNeeds = {
  /** The statement in its normal form, without passwords. */
  readonly text: string
} & (
  | { readonly kind: 'none' }
  /** null is a database that neither the request nor the statement names. */
  | { readonly kind: 'read' | 'write'; readonly database: string | null }
  | { readonly kind: 'admin'; readonly manages: Managed }
)

/** Limits of one statement; passing one is an error of the statement. */
export interface QueryLimits {
  /** Series that a SELECT may read. */
  readonly maxSeries: number
  /** Points that a SELECT may read. */
  readonly maxPoints: number
  /** Windows of GROUP BY time() that one output series may have. */
  readonly maxBuckets: number
  /** Rows that a statement may answer with. */
  readonly maxRows: number
  /** Columns that a SELECT may have, wildcards written out. */
  readonly maxColumns: number
  /** Values that a statement may answer with: rows times columns. */
  readonly maxCells: number
  /** Times that a SELECT may read a measurement: once for each function and source, all again for each function outside. */
  readonly maxReads: number
  /** The same for one column: each read has its own copy of what is in memory. */
  readonly maxReadsOfColumn: number
}

export interface QueryContext {
  readonly reader: Reader
  readonly catalog: Catalog
  /** The database and policy of the request, for names that say none. */
  readonly database: string | null
  readonly retentionPolicy: string | null
  readonly nowNs: bigint
  /** The request came by GET: statements that change something answer with a warning. */
  readonly readOnly: boolean
  /** Rows in a part before it is cut; InfluxDB cuts at 10000 unless a request says otherwise. */
  readonly chunkSize: number
  /** @returns null, or the text of the refusal, which becomes the statement's error */
  authorize(needs: StatementNeeds): string | null
  readonly commands: CatalogCommands
  readonly deletions: Deletions
  readonly limits: QueryLimits
  /** What this query may hold of what is shared by all that run. */
  readonly held: HeldBytes
  /** Called between steps of some milliseconds: null, or resolves when others have had their turn. */
  readonly endTurn: () => Promise<void> | null
  readonly signal: AbortSignal
}
