import type { ResultSeries, Value } from '../result.ts'
import type { ShowStatement, Source } from './ast.ts'
import { hasTime, statementError } from './condition.ts'
import type { QueryContext, QueryDatabase } from './context.ts'
import { formatGoDuration } from './duration.ts'
import { inSteps, turnsOf } from './in-turns.ts'
import { compareText } from './scalar.ts'
import { bindMeasurement, requireDatabase } from './schema.ts'
import { measurementsWhere, withSources, type Inventory } from './show-condition.ts'

/** One series of a SHOW statement's answer. */
export function table(
  name: string,
  columns: readonly string[],
  rows: readonly (readonly Value[])[],
): ResultSeries {
  return { name, tags: null, columns, rows, timed: false, zone: null, partial: false }
}

export type Of<K extends ShowStatement['kind']> = ShowStatement & { readonly kind: K }

export function showDatabases(context: QueryContext): readonly ResultSeries[] {
  return [
    table(
      'databases',
      ['name'],
      context.catalog.databases().map(({ name }) => [name]),
    ),
  ]
}

export function showRetentionPolicies(
  statement: Of<'show retention policies'>,
  context: QueryContext,
): readonly ResultSeries[] {
  const database = requireDatabase(context, statement.database)
  const columns = ['name', 'duration', 'shardGroupDuration', 'replicaN', 'default']
  const rows = database.retentionPolicies.map((policy) => [
    policy.name,
    formatGoDuration(BigInt(policy.durationNs)),
    formatGoDuration(BigInt(policy.shardDurationNs)),
    1n,
    policy.name === database.defaultRetentionPolicy,
  ])
  return [table('', columns, rows)]
}

export function inventoryOf(context: QueryContext, database: QueryDatabase): Inventory {
  const { reader } = context
  const giveTurn = turnsOf(context)
  return {
    schemas: reader.measurements(database.id).toSorted((a, b) => compareText(a.name, b.name)),
    seriesOf: (schema) => inSteps(reader.series(database.id, schema.name), giveTurn),
    giveTurn,
  }
}

export const page = <T>(
  rows: readonly T[],
  { limit, offset }: { readonly limit: number; readonly offset: number },
): readonly T[] => rows.slice(offset, limit > 0 ? offset + limit : undefined)

export async function showMeasurements(
  statement: Of<'show measurements'>,
  context: QueryContext,
): Promise<readonly ResultSeries[]> {
  if (hasTime(statement.condition)) {
    throw statementError("SHOW MEASUREMENTS doesn't support time in WHERE clause")
  }
  const name = statement.database || context.database || ''
  if (name === '') throw statementError('database name required')
  const database = context.catalog.databases().find((one) => one.name === name)
  // A database that is not there has no measurements, which is no error here.
  if (database === undefined) return []
  const condition = withSources(statement.source === null ? [] : [statement.source], statement.condition)
  const names = page(await measurementsWhere(condition, inventoryOf(context, database)), statement)
  return names.length === 0
    ? []
    : [
        table(
          'measurements',
          ['name'],
          names.map((schema) => [schema.name]),
        ),
      ]
}

export async function showFieldKeys(
  statement: Of<'show field keys'>,
  context: QueryContext,
): Promise<readonly ResultSeries[]> {
  const database = checkSources(statement, context)
  const condition = withSources(statement.sources, null)
  const schemas = await measurementsWhere(condition, inventoryOf(context, database))
  return schemas.flatMap((schema) => {
    const fields = [...schema.fields].sort(([a], [b]) => compareText(a, b))
    const rows = page(fields, statement)
    return rows.length === 0 ? [] : [table(schema.name, ['fieldKey', 'fieldType'], rows)]
  })
}

/** FROM may name databases and policies; the first is what is meant. */
export function checkSources(
  statement: { readonly database: string; readonly sources: readonly Source[] },
  context: QueryContext,
): QueryDatabase {
  let database: QueryDatabase | null = null
  for (const source of statement.sources) {
    if (source.kind !== 'measurement') continue
    const named = { ...source, database: source.database || statement.database }
    bindMeasurement(context, named)
    database ??= requireDatabase(context, named.database)
  }
  return database ?? requireDatabase(context, statement.database)
}
