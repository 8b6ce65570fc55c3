import type { FieldType, MeasurementSchema } from '../../engine/reader.ts'
import { statementError } from './condition.ts'
import type { QueryContext, QueryDatabase } from './context.ts'
import type { DataType, Measurement } from './ast.ts'
import { dominant } from './data-type.ts'
import { compareText } from './scalar.ts'

/** A source in its database, with the measurements that it means. */
export interface BoundMeasurement {
  readonly kind: 'measurement'
  readonly databaseId: string
  readonly retentionPolicy: string
  readonly shardDurationNs: bigint
  /** Named by a regular expression. */
  readonly byRegex: boolean
  /** Those of its names that exist, by name. */
  readonly schemas: readonly MeasurementSchema[]
}

/** @throws AppError not-found, `database not found: x` */
export function findDatabase(context: QueryContext, name: string): QueryDatabase {
  const database = context.catalog.databases().find((one) => one.name === name)
  if (database === undefined) throw statementError(`database not found: ${name}`)
  return database
}

/** The database that a statement names or the request's. @throws AppError invalid, `database name required` */
export function requireDatabase(context: QueryContext, name: string): QueryDatabase {
  const chosen = name || context.database || ''
  if (chosen === '') throw statementError('database name required')
  return findDatabase(context, chosen)
}

/** Puts in the request's database and policy where the query leaves them out. */
export function bindMeasurement(context: QueryContext, source: Measurement): BoundMeasurement {
  if (source.name === '' && source.regex === null) throw statementError('invalid measurement')
  const database = requireDatabase(context, source.database)
  const retentionPolicy = source.retentionPolicy || context.retentionPolicy || database.defaultRetentionPolicy
  const policy = database.retentionPolicies.find(({ name }) => name === retentionPolicy)
  if (policy === undefined) {
    throw statementError(`retention policy not found: ${retentionPolicy}`)
  }
  const { regex, name } = source
  return {
    kind: 'measurement',
    databaseId: database.id,
    retentionPolicy,
    shardDurationNs: BigInt(policy.shardDurationNs),
    byRegex: regex !== null,
    schemas: context.reader
      .measurements(database.id)
      .filter((schema) => (regex === null ? schema.name === name : regex.matches(schema.name)))
      .toSorted((a, b) => compareText(a.name, b.name)),
  }
}

/** What a name is in a source: a field's type, or a tag, or nothing known. */
export function typeOfName(source: BoundMeasurement, name: string): DataType {
  return source.schemas.reduce<DataType>((type, schema) => dominant(type, typeIn(schema, name)), 'unknown')
}

function typeIn(schema: MeasurementSchema, name: string): DataType {
  const field: FieldType | undefined = schema.fields.get(name)
  if (field !== undefined) return field
  return schema.tagKeys.includes(name) ? 'tag' : 'unknown'
}
