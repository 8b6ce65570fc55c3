import type { Operator } from './token.ts'
import type { Regex } from './regex.ts'

/** What an expression can be of; `tag` and `field` appear in casts, `unknown` where nothing has the name. */
export type DataType =
  | 'unknown'
  | 'float'
  | 'integer'
  | 'unsigned'
  | 'string'
  | 'boolean'
  | 'time'
  | 'duration'
  | 'tag'
  | 'field'

export interface VarRef {
  readonly kind: 'ref'
  readonly name: string
  readonly type: DataType
}
export interface Call {
  readonly kind: 'call'
  /** Lower case. */
  readonly name: string
  readonly args: readonly Expr[]
}
export interface BinaryExpr {
  readonly kind: 'binary'
  readonly operator: Operator
  readonly left: Expr
  readonly right: Expr
}
export interface ParenExpr {
  readonly kind: 'paren'
  readonly inner: Expr
}
export interface Distinct {
  readonly kind: 'distinct'
  readonly name: string
}
export interface Wildcard {
  readonly kind: 'wildcard'
  readonly only: 'field' | 'tag' | null
}
export type Literal =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'unsigned'; readonly value: bigint }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'duration'; readonly ns: bigint }
  | { readonly kind: 'time'; readonly ns: bigint }
  | { readonly kind: 'regex'; readonly regex: Regex }
  | { readonly kind: 'list'; readonly names: readonly string[] }
  | { readonly kind: 'nil' }
export type Expr = VarRef | Call | BinaryExpr | ParenExpr | Distinct | Wildcard | Literal

export interface Field {
  readonly expr: Expr
  /** Empty for none. */
  readonly alias: string
}

export interface Measurement {
  readonly kind: 'measurement'
  /** Each of these is empty where the query leaves it out. */
  readonly database: string
  readonly retentionPolicy: string
  readonly name: string
  readonly regex: Regex | null
}
export interface SubQuery {
  readonly kind: 'subquery'
  readonly select: SelectStatement
}
export type Source = Measurement | SubQuery

export type Fill =
  | { readonly kind: 'null' | 'none' | 'previous' | 'linear' }
  | { readonly kind: 'number'; readonly value: number | bigint }

export interface SortField {
  readonly name: string
  readonly ascending: boolean
}

export interface SelectStatement {
  readonly kind: 'select'
  readonly fields: readonly Field[]
  readonly target: Measurement | null
  readonly sources: readonly Source[]
  readonly condition: Expr | null
  readonly dimensions: readonly Expr[]
  readonly fill: Fill
  readonly sortFields: readonly SortField[]
  /** 0 for none, here and below. */
  readonly limit: number
  readonly offset: number
  readonly seriesLimit: number
  readonly seriesOffset: number
  /** Name of a time zone, or null for UTC. */
  readonly zone: string | null
}

/** What the SHOW statements about series share; what a statement does not have is empty. */
export interface ShowClauses {
  readonly database: string
  readonly sources: readonly Source[]
  readonly condition: Expr | null
  readonly sortFields: readonly SortField[]
  readonly limit: number
  readonly offset: number
}

export interface TagKeyClause {
  readonly operator: '=' | '!=' | '=~' | '!~' | 'IN'
  readonly value: Expr
}

export type Cardinality = 'series' | 'measurement' | 'tag key' | 'tag values' | 'field key'

export type ShowStatement =
  | { readonly kind: 'show databases' }
  | { readonly kind: 'show retention policies'; readonly database: string }
  | ({ readonly kind: 'show measurements'; readonly source: Source | null } & ShowClauses)
  | ({ readonly kind: 'show series' } & ShowClauses)
  | ({ readonly kind: 'show field keys' } & ShowClauses)
  | ({
      readonly kind: 'show tag keys'
      readonly seriesLimit: number
      readonly seriesOffset: number
    } & ShowClauses)
  | ({ readonly kind: 'show tag values'; readonly key: TagKeyClause } & ShowClauses)
  | ({
      readonly kind: 'show cardinality'
      readonly of: Cardinality
      readonly exact: boolean
      readonly key: TagKeyClause | null
      readonly dimensions: readonly Expr[]
    } & ShowClauses)

export interface CreateDatabase {
  readonly kind: 'create database'
  readonly name: string
  readonly policy: {
    readonly name: string | null
    readonly durationNs: bigint | null
    readonly replication: number | null
    readonly shardDurationNs: bigint | null
  } | null
}
export interface CreateRetentionPolicy {
  readonly kind: 'create retention policy'
  readonly name: string
  readonly database: string
  readonly durationNs: bigint
  readonly replication: number
  /** 0 leaves it to the server. */
  readonly shardDurationNs: bigint
  readonly isDefault: boolean
}
export interface AlterRetentionPolicy {
  readonly kind: 'alter retention policy'
  readonly name: string
  readonly database: string
  readonly durationNs: bigint | null
  readonly replication: number | null
  readonly shardDurationNs: bigint | null
  readonly isDefault: boolean
}
export type CatalogStatement =
  | CreateDatabase
  | CreateRetentionPolicy
  | AlterRetentionPolicy
  | { readonly kind: 'drop database'; readonly name: string }
  | { readonly kind: 'drop retention policy'; readonly name: string; readonly database: string }

export type DeleteStatement =
  | {
      readonly kind: 'delete' | 'drop series'
      readonly sources: readonly Source[]
      readonly condition: Expr | null
    }
  | { readonly kind: 'drop measurement'; readonly name: string }

/** What InfluxDB 1.x lets its admins alone do; here each is a right of its own. */
export type Managed = 'databases' | 'users'

/** A statement that parses but that Holdfast does not run. */
export interface UnsupportedStatement {
  readonly kind: 'unsupported'
  readonly name: string
  /** Whom it would be allowed: who may read the request's database, or manage these. */
  readonly needs: 'read' | Managed
  /** Without passwords. */
  readonly text: string
}

export type Statement =
  | SelectStatement
  | { readonly kind: 'explain'; readonly analyze: boolean; readonly select: SelectStatement }
  | ShowStatement
  | CatalogStatement
  | DeleteStatement
  | UnsupportedStatement
