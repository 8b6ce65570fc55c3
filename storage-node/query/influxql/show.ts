import { AppError } from '../../../common/errors.ts'
import type { MeasurementSchema, Series } from '../../engine/reader.ts'
import type { ResultSeries, Value } from '../result.ts'
import { maxTimeNs, minTimeNs } from '../time.ts'
import type { Expr, ShowStatement, Source, TagKeyClause } from './ast.ts'
import { sinceGoTruncate } from './compile-dimensions.ts'
import { hasTime, splitCondition, statementError, type TimeRange } from './condition.ts'
import type { QueryContext, QueryDatabase } from './context.ts'
import { formatGoDuration } from './duration.ts'
import { reduceNothing } from './reduce.ts'
import { compareText } from './scalar.ts'
import { bindMeasurement, requireDatabase } from './schema.ts'
import { seriesKey } from './series-key.ts'
import { countOfAll, seriesWhere, sortedSeriesWhere } from './series-where.ts'
import {
  both,
  isSystemName,
  measurementsWhere,
  onlyComparisonsOf,
  tagKeysWhere,
  withSources,
  type Inventory,
} from './show-condition.ts'

/** One series of a SHOW statement's answer. */
export function table(
  name: string,
  columns: readonly string[],
  rows: readonly (readonly Value[])[],
): ResultSeries {
  return { name, tags: null, columns, rows, timed: false, zone: null, partial: false }
}

type Of<K extends ShowStatement['kind']> = ShowStatement & { readonly kind: K }

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
  return {
    schemas: reader.measurements(database.id).toSorted((a, b) => compareText(a.name, b.name)),
    seriesOf: (schema) => reader.series(database.id, schema.name),
  }
}

const page = <T>(
  rows: readonly T[],
  { limit, offset }: { readonly limit: number; readonly offset: number },
): readonly T[] => rows.slice(offset, limit > 0 ? offset + limit : undefined)

export function showMeasurements(
  statement: Of<'show measurements'>,
  context: QueryContext,
): readonly ResultSeries[] {
  if (hasTime(statement.condition)) {
    throw statementError("SHOW MEASUREMENTS doesn't support time in WHERE clause")
  }
  const name = statement.database || context.database || ''
  if (name === '') throw statementError('database name required')
  const database = context.catalog.databases().find((one) => one.name === name)
  // A database that is not there has no measurements, which is no error here.
  if (database === undefined) return []
  const condition = withSources(statement.source === null ? [] : [statement.source], statement.condition)
  const names = page(measurementsWhere(condition, inventoryOf(context, database)), statement)
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

export function showFieldKeys(
  statement: Of<'show field keys'>,
  context: QueryContext,
): readonly ResultSeries[] {
  const database = checkSources(statement, context)
  const condition = withSources(statement.sources, null)
  return measurementsWhere(condition, inventoryOf(context, database)).flatMap((schema) => {
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

export async function showSeries(
  statement: Of<'show series'>,
  context: QueryContext,
): Promise<readonly ResultSeries[]> {
  const database = checkSources(statement, context)
  const inventory = inventoryOf(context, database)
  const timed = hasTime(statement.condition)
  if (!timed) checkTagCondition(statement.condition)
  const { condition, range } = splitCondition(statement.condition, { ...reduceNothing, nowNs: context.nowNs })
  const schemas = measurementsWhere(withSources(statement.sources, null), inventory)
  let heldBytes = 0
  const hold = (bytes: number): void => {
    context.held.take(bytes)
    heldBytes += bytes
  }
  try {
    const all = sortedSeriesWhere(condition, inventory, schemas, hold)
    const kept = timed
      ? await withPoints(all, context, database, range.minNs ?? minTimeNs, range.maxNs ?? maxTimeNs)
      : all
    const rows = page([...new Set(kept.map(seriesKey))], statement).map((key) => [key])
    return rows.length === 0 ? [] : [table('', ['key'], rows)]
  } finally {
    context.held.give(heldBytes)
  }
}

function checkTagCondition(expr: Expr | null): void {
  if (expr?.kind === 'paren') return checkTagCondition(expr.inner)
  if (expr?.kind !== 'binary') return
  if (!['=', '!=', '=~', '!~', 'AND', 'OR'].includes(expr.operator)) {
    throw statementError('invalid tag comparison operator')
  }
  checkTagCondition(expr.left)
  checkTagCondition(expr.right)
}

/** Those series that have points in a range. */
async function withPoints(
  all: readonly Series[],
  context: QueryContext,
  database: QueryDatabase,
  minTimeNs: bigint,
  maxTimeNs: bigint,
): Promise<readonly Series[]> {
  const schemas = new Map(context.reader.measurements(database.id).map((schema) => [schema.name, schema]))
  const found = new Set<number>()
  for (const [measurement, series] of Map.groupBy(all, (one) => one.measurement)) {
    const request = {
      databaseId: database.id,
      retentionPolicy: context.retentionPolicy ?? database.defaultRetentionPolicy,
      measurement,
      seriesIds: series.map(({ id }) => id),
      fields: [...schemas.get(measurement)!.fields.keys()],
      minTimeNs,
      maxTimeNs,
      signal: context.signal,
    }
    for await (const block of context.reader.read(request))
      if (block.times.length > 0) found.add(block.seriesId)
  }
  return all.filter(({ id }) => found.has(id))
}

export function showTagKeys(statement: Of<'show tag keys'>, context: QueryContext): readonly ResultSeries[] {
  const database = requireDatabase(context, statement.database)
  const inventory = inventoryOf(context, database)
  const { names, filter, range } = tagConditions(withSources(statement.sources, statement.condition), context)
  const schemas = measurementsWhere(names, inventory)
  return measurementsDuring(range, schemas, context, database).flatMap((schema) => {
    const keys = [...schema.tagKeys].sort(compareText)
    const present =
      filter === null ? keys : keys.filter((key) => tagValues(key, filter, schema, inventory).length > 0)
    const rows = page(present, statement)
    return rows.length === 0
      ? []
      : [
          table(
            schema.name,
            ['tagKey'],
            rows.map((key) => [key]),
          ),
        ]
  })
}

/** Divides a condition into what it says of measurements, of tags and of time. */
function tagConditions(
  all: Expr | null,
  context: QueryContext,
): {
  readonly names: Expr | null
  readonly filter: Expr | null
  readonly whole: Expr | null
  readonly range: TimeRange
} {
  const { condition, range } = splitCondition(all, { ...reduceNothing, nowNs: context.nowNs })
  return {
    range,
    whole: condition,
    names: onlyComparisonsOf(condition, (name) => name === '_name'),
    filter: onlyComparisonsOf(condition, (name) => !isSystemName(name)),
  }
}

/** Those with points in the shards of a range: tags are not looked up by single points, as in InfluxDB 1.x. */
function measurementsDuring(
  { minNs, maxNs }: TimeRange,
  schemas: readonly MeasurementSchema[],
  { reader }: QueryContext,
  { id, retentionPolicies }: QueryDatabase,
): readonly MeasurementSchema[] {
  if (minNs === null && maxNs === null) return schemas
  return schemas.filter(({ name }) =>
    retentionPolicies.some((policy) => {
      const stored = reader.timeRange?.(id, policy.name, name)
      if (!stored) return stored === undefined
      const shardNs = BigInt(policy.shardDurationNs)
      const fromNs = stored.minTimeNs - sinceGoTruncate(stored.minTimeNs, shardNs)
      const endNs = stored.maxTimeNs - sinceGoTruncate(stored.maxTimeNs, shardNs) + shardNs
      return (maxNs === null || fromNs <= maxNs) && (minNs === null || endNs > minNs)
    }),
  )
}

function tagValues(
  key: string,
  filter: Expr | null,
  schema: MeasurementSchema,
  inventory: Inventory,
): readonly string[] {
  const values = new Set<string>()
  for (const { tags } of seriesWhere(filter, inventory, schema)) {
    const value = tags.get(key)
    if (value !== undefined) values.add(value)
  }
  return [...values].sort(compareText)
}

/** WITH KEY as a condition on `_tagKey`. */
export function keyCondition({ operator, value }: TagKeyClause): Expr {
  const left: Expr = { kind: 'ref', name: '_tagKey', type: 'unknown' }
  if (value.kind !== 'list') {
    return { kind: 'binary', operator: operator === 'IN' ? '=' : operator, left, right: value }
  }
  return value.names
    .map((name): Expr => ({ kind: 'binary', operator: '=', left, right: { kind: 'string', value: name } }))
    .reduce((a, b) => ({ kind: 'binary', operator: 'OR', left: a, right: b }))
}

export function showTagValues(
  statement: Of<'show tag values'>,
  context: QueryContext,
): readonly ResultSeries[] {
  const database = requireDatabase(context, statement.database)
  return tagValuesByMeasurement(statement, statement.key, context, database).flatMap(({ schema, values }) => {
    const rows = page(values, statement)
    return rows.length === 0 ? [] : [table(schema.name, ['key', 'value'], rows)]
  })
}

/** Keys and values of each measurement, sorted. */
export function tagValuesByMeasurement(
  statement: { readonly sources: readonly Source[]; readonly condition: Expr | null },
  key: TagKeyClause,
  context: QueryContext,
  database: QueryDatabase,
): readonly {
  readonly schema: MeasurementSchema
  readonly values: readonly (readonly [string, string])[]
}[] {
  const inventory = inventoryOf(context, database)
  const byKey = keyCondition(key)
  const own = statement.condition === null ? byKey : both(statement.condition, byKey)
  const { names, filter, whole, range } = tagConditions(withSources(statement.sources, own), context)
  const schemas = measurementsWhere(names, inventory)
  return measurementsDuring(range, schemas, context, database).map((schema) => {
    const keys = [...(tagKeysWhere(whole!, schema.tagKeys) ?? [])].sort(compareText)
    const values = keys.flatMap((tag) =>
      tagValues(tag, filter, schema, inventory).map((value): readonly [string, string] => [tag, value]),
    )
    return { schema, values }
  })
}

/** What InfluxDB estimates or counts, counted. */
export function showCardinality(
  statement: Of<'show cardinality'>,
  context: QueryContext,
): readonly ResultSeries[] {
  if (statement.dimensions.length > 0) {
    throw new AppError(
      'unsupported',
      'ERR_QUERY_UNSUPPORTED',
      'SHOW CARDINALITY with GROUP BY is not supported',
    )
  }
  const database = checkSources(statement, context)
  const inventory = inventoryOf(context, database)
  const { of, exact, condition, sources, limit, offset } = statement
  const plain = sources.length === 0 && condition === null && limit === 0 && offset === 0
  if (hasTime(condition)) {
    const text = of === 'field key' ? 'FIELD KEY' : `${of.toUpperCase()} EXACT`
    throw statementError(`SHOW ${text} CARDINALITY doesn't support time in WHERE clause`)
  }
  const schemas = measurementsWhere(withSources(sources, null), inventory)
  const series = (schema: MeasurementSchema) => seriesWhere(condition, inventory, schema)
  if (!exact && plain && (of === 'series' || of === 'measurement')) {
    const total =
      of === 'measurement'
        ? schemas.length
        : schemas.reduce((sum, schema) => sum + countOfAll(series(schema)), 0)
    return [table('', ['cardinality estimation'], [[BigInt(total)]])]
  }
  if (of === 'measurement') {
    const total = schemas.filter((schema) => series(schema).next().done === false).length
    return total === 0 ? [] : [table('', ['count'], [[BigInt(total)]])]
  }
  const counts = schemas.map(
    (schema) => [schema.name, countOf(statement, schema, series(schema), context, database)] as const,
  )
  return counts.filter(([, n]) => n > 0).map(([name, n]) => table(name, ['count'], [[BigInt(n)]]))
}

function countOf(
  statement: Of<'show cardinality'>,
  schema: MeasurementSchema,
  series: Iterable<Series>,
  context: QueryContext,
  database: QueryDatabase,
): number {
  switch (statement.of) {
    case 'field key':
      return series[Symbol.iterator]().next().done ? 0 : schema.fields.size
    case 'tag key': {
      const keys = new Set<string>()
      for (const { tags } of series) for (const key of tags.keys()) keys.add(key)
      return keys.size
    }
    case 'tag values': {
      const all = tagValuesByMeasurement(statement, statement.key!, context, database)
      const values = all.find((one) => one.schema.name === schema.name)?.values ?? []
      return new Set(values.map(([, value]) => value)).size
    }
    default:
      return countOfAll(series)
  }
}
