import type { DeleteRequest } from '../../engine/delete.ts'
import type { MeasurementSchema, Reader, Series } from '../../engine/reader.ts'
import { everyTimeNs } from '../../engine/tombstones.ts'
import type { DeleteStatement, Expr, Source } from './ast.ts'
import { hasTime, splitCondition, statementError, type TimeRange } from './condition.ts'
import type { QueryContext } from './context.ts'
import { inSteps, turnsOf, type GiveTurn } from './in-turns.ts'
import { reduceNothing } from './reduce.ts'
import { filterSeries } from './series-filter.ts'

/** The points that a statement, or a request of InfluxDB 2, is about. */
export interface Deletion {
  readonly databaseId: string
  /** null is every policy. */
  readonly retentionPolicy: string | null
  /** Any of these measurements; all if there is none. */
  readonly sources: readonly Source[]
  /** On tags and `_name`; null is every series. */
  readonly condition: Expr | null
  readonly range: TimeRange
}

/**
 * DELETE, DROP SERIES and DROP MEASUREMENT, as InfluxDB 1.8 runs them, whose fields cannot be in a condition either.
 * @throws AppError invalid; those of `Engine.delete`
 */
export async function runDelete(statement: DeleteStatement, context: QueryContext): Promise<void> {
  const { deletions, nowNs } = context
  const name = context.database ?? ''
  const databaseId = deletions.databaseId(name)
  if (databaseId === null) throw statementError(`database not found: ${name}`)
  if (statement.kind === 'drop measurement') {
    const request = { databaseId, retentionPolicy: null, measurement: statement.name, seriesIds: null }
    return deletions.delete({ ...request, ...everyTimeNs })
  }
  if (statement.kind === 'drop series' && hasTime(statement.condition))
    throw statementError("DROP SERIES doesn't support time in WHERE clause")
  const { condition, range } = splitCondition(statement.condition, { ...reduceNothing, nowNs })
  const request = await deleteRequestOf(
    { databaseId, retentionPolicy: null, sources: statement.sources, condition, range },
    context.reader,
    turnsOf(context),
  )
  if (request) await deletions.delete(request)
}

/**
 * Finds the series that are meant, as far as they have to be found.
 * @returns null where there is nothing to delete
 * @throws AppError invalid for a condition that is not about tags
 */
export async function deleteRequestOf(
  deletion: Deletion,
  reader: Reader,
  giveTurn: GiveTurn,
): Promise<DeleteRequest | null> {
  const { databaseId, retentionPolicy, sources, condition, range } = deletion
  const minTimeNs = range.minNs ?? everyTimeNs.minTimeNs
  const maxTimeNs = range.maxNs ?? everyTimeNs.maxTimeNs
  if (minTimeNs > maxTimeNs) return null
  const of = { databaseId, retentionPolicy, minTimeNs, maxTimeNs }
  const only = onlyName(sources)
  if (condition === null && (sources.length === 0 || only !== null))
    return { ...of, measurement: only, seriesIds: null }
  requireComparisons(condition)
  const generation = reader.generation(databaseId)
  const found: { readonly measurement: string; readonly ids: readonly number[] }[] = []
  for (const schema of reader.measurements(databaseId)) {
    if (sources.length > 0 && !sources.some((source) => names(source, schema.name))) continue
    const ids: number[] = []
    for await (const some of inSteps(reader.series(databaseId, schema.name), giveTurn))
      for (const series of some) if (isMeant(series, condition, schema)) ids.push(series.id)
    if (ids.length > 0) found.push({ measurement: schema.name, ids })
  }
  if (found.length === 0) return null
  const measurement = found.length === 1 ? found[0]!.measurement : null
  return { ...of, measurement, seriesIds: found.flatMap(({ ids }) => ids), generation }
}

function isMeant(series: Series, condition: Expr | null, schema: MeasurementSchema): boolean {
  const filter = filterSeries(condition, series, schema)
  if (filter.matches && filter.rest !== null)
    throw statementError('fields not supported in WHERE clause during deletion')
  return filter.matches
}

/** The one measurement that is named, and not by a regular expression. */
function onlyName(sources: readonly Source[]): string | null {
  const [source] = sources
  return sources.length === 1 && source?.kind === 'measurement' && source.regex === null ? source.name : null
}

function names(source: Source, measurement: string): boolean {
  if (source.kind !== 'measurement') return false
  return source.regex === null ? source.name === measurement : source.regex.matches(measurement)
}

const orders = new Set(['<', '<=', '>', '>='])
const comparisons = new Set(['=', '!=', '=~', '!~', ...orders])

/**
 * A condition is comparisons joined by AND and OR: what else InfluxDB takes is true of every series, or it takes `<`
 * between a tag and a text for `!=`, and that is too much to lose by a mistake.
 */
function requireComparisons(condition: Expr | null): void {
  if (condition === null || condition.kind === 'boolean') return
  if (condition.kind === 'paren') return requireComparisons(condition.inner)
  if (condition.kind !== 'binary') throw statementError('invalid condition')
  const { operator, left, right } = condition
  if (operator === 'AND' || operator === 'OR') {
    requireComparisons(left)
    return requireComparisons(right)
  }
  const has = (kind: Expr['kind']) => left.kind === kind || right.kind === kind
  const isText = has('string') || has('regex')
  const isMatch = operator === '=~' || operator === '!~'
  if (!comparisons.has(operator) || (orders.has(operator) && isText) || has('regex') !== isMatch)
    throw statementError('invalid tag comparison operator')
}
