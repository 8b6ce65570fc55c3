import { setImmediate } from 'node:timers/promises'
import type { DeleteRequest } from '../../engine/delete.ts'
import type { Reader } from '../../engine/reader.ts'
import { everyTimeNs } from '../../engine/tombstones.ts'
import type { DeleteStatement, Expr, Source } from './ast.ts'
import { hasTime, splitCondition, statementError, type TimeRange } from './condition.ts'
import type { QueryContext } from './context.ts'
import { reduceNothing } from './reduce.ts'
import { filterSeries } from './series-filter.ts'
import { some } from './walk.ts'

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
  )
  if (request) await deletions.delete(request)
}

/**
 * Finds the series that are meant, as far as they have to be found.
 * @returns null where there is nothing to delete
 * @throws AppError invalid for a condition that is not about tags
 */
export async function deleteRequestOf(deletion: Deletion, reader: Reader): Promise<DeleteRequest | null> {
  const { databaseId, retentionPolicy, sources, condition, range } = deletion
  const minTimeNs = range.minNs ?? everyTimeNs.minTimeNs
  const maxTimeNs = range.maxNs ?? everyTimeNs.maxTimeNs
  if (minTimeNs > maxTimeNs) return null
  const of = { databaseId, retentionPolicy, minTimeNs, maxTimeNs }
  const only = onlyName(sources)
  if (condition === null && (sources.length === 0 || only !== null))
    return { ...of, measurement: only, seriesIds: null }
  requireComparisons(condition)
  const found: { readonly measurement: string; readonly ids: readonly number[] }[] = []
  for (const schema of reader.measurements(databaseId)) {
    if (sources.length > 0 && !sources.some((source) => names(source, schema.name))) continue
    // Others have their turn, however many series there are.
    await setImmediate()
    const ids: number[] = []
    for (const series of reader.series(databaseId, schema.name)) {
      const filter = filterSeries(condition, series, schema)
      if (filter.matches && filter.rest !== null)
        throw statementError('fields not supported in WHERE clause during deletion')
      if (filter.matches) ids.push(series.id)
    }
    if (ids.length > 0) found.push({ measurement: schema.name, ids })
  }
  if (found.length === 0) return null
  const measurement = found.length === 1 ? found[0]!.measurement : null
  return { ...of, measurement, seriesIds: found.flatMap(({ ids }) => ids) }
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

/** InfluxDB takes `<` between a tag and a text for `!=`: too much to lose by a mistake. */
function requireComparisons(condition: Expr | null): void {
  const isOrder = (node: Expr) =>
    node.kind === 'binary' &&
    orders.has(node.operator) &&
    [node.left, node.right].some(({ kind }) => kind === 'string' || kind === 'regex')
  if (condition !== null && some(condition, isOrder)) throw statementError('invalid tag comparison operator')
}
