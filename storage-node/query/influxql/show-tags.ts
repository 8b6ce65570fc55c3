import type { MeasurementSchema, Series } from '../../engine/reader.ts'
import { Holding } from '../held-bytes.ts'
import type { ResultSeries } from '../result.ts'
import type { Expr, Source, TagKeyClause } from './ast.ts'
import { sinceGoTruncate } from './compile-dimensions.ts'
import { splitCondition, type TimeRange } from './condition.ts'
import type { QueryContext, QueryDatabase } from './context.ts'
import { FirstTexts } from './first-texts.ts'
import { inSteps } from './in-turns.ts'
import { reduceNothing } from './reduce.ts'
import { compareText } from './scalar.ts'
import { requireDatabase } from './schema.ts'
import { seriesWhere } from './series-where.ts'
import { inventoryOf, page, table, type Of } from './show.ts'
import {
  both,
  isSystemName,
  measurementsWhere,
  onlyComparisonsOf,
  tagKeysWhere,
  withSources,
  type Inventory,
} from './show-condition.ts'

export async function showTagKeys(
  statement: Of<'show tag keys'>,
  context: QueryContext,
): Promise<readonly ResultSeries[]> {
  const database = requireDatabase(context, statement.database)
  const inventory = inventoryOf(context, database)
  const { names, filter, range } = tagConditions(withSources(statement.sources, statement.condition), context)
  const schemas = await measurementsWhere(names, inventory)
  const answer: ResultSeries[] = []
  for (const schema of measurementsDuring(range, schemas, context, database)) {
    const keys =
      filter === null ? schema.tagKeys : await tagKeysOf(seriesWhere(filter, inventory, schema), schema)
    const rows = page([...keys].sort(compareText), statement).map((key) => [key])
    if (rows.length > 0) answer.push(table(schema.name, ['tagKey'], rows))
  }
  return answer
}

/** The tag keys of some series of a measurement, in no particular order. */
export async function tagKeysOf(
  series: AsyncIterable<readonly Series[]>,
  schema: MeasurementSchema,
): Promise<readonly string[]> {
  const keys = new Set<string>()
  for await (const some of series) {
    for (const { tags } of some) for (const key of tags.keys()) keys.add(key)
    // There are no others.
    if (keys.size >= schema.tagKeys.length) break
  }
  return [...keys]
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

/** WITH KEY as a condition on `_tagKey`. */
function keyCondition({ operator, value }: TagKeyClause): Expr {
  const left: Expr = { kind: 'ref', name: '_tagKey', type: 'unknown' }
  if (value.kind !== 'list') {
    return { kind: 'binary', operator: operator === 'IN' ? '=' : operator, left, right: value }
  }
  return value.names
    .map((name): Expr => ({ kind: 'binary', operator: '=', left, right: { kind: 'string', value: name } }))
    .reduce((a, b) => ({ kind: 'binary', operator: 'OR', left: a, right: b }))
}

/** Which tags of which series a statement asks the values of. */
export interface TagSearch {
  readonly filter: Expr | null
  readonly inventory: Inventory
  readonly measurements: readonly { readonly schema: MeasurementSchema; readonly keys: ReadonlySet<string> }[]
}

export async function tagSearchOf(
  statement: { readonly sources: readonly Source[]; readonly condition: Expr | null },
  key: TagKeyClause,
  context: QueryContext,
  database: QueryDatabase,
): Promise<TagSearch> {
  const inventory = inventoryOf(context, database)
  const byKey = keyCondition(key)
  const own = statement.condition === null ? byKey : both(statement.condition, byKey)
  const { names, filter, whole, range } = tagConditions(withSources(statement.sources, own), context)
  const schemas = measurementsDuring(range, await measurementsWhere(names, inventory), context, database)
  const measurements = schemas.map((schema) => ({
    schema,
    keys: tagKeysWhere(whole!, schema.tagKeys) ?? new Set<string>(),
  }))
  return { filter, inventory, measurements }
}

/** What a value takes in memory: it is a part of its series' key, with its places in a map and in an array. */
export const valueBytes = (value: string): number => 64 + value.length

/** @param holding counts what is in the answer */
export async function showTagValues(
  statement: Of<'show tag values'>,
  context: QueryContext,
  holding: Holding,
): Promise<readonly ResultSeries[]> {
  const database = requireDatabase(context, statement.database)
  const search = await tagSearchOf(statement, statement.key, context, database)
  const answer: ResultSeries[] = []
  for (const measurement of search.measurements) {
    const looking = new Holding(context.held)
    try {
      const { rows, bytes } = await valuesIn(measurement, search, statement, looking)
      if (rows.length > 0) answer.push(table(measurement.schema.name, ['key', 'value'], rows))
      // What is shown is kept, and the rest is not.
      looking.close()
      holding.hold(bytes)
    } finally {
      looking.close()
    }
  }
  return answer
}

/** @returns the page of a measurement's values, and what it takes in memory */
async function valuesIn(
  { schema, keys }: TagSearch['measurements'][number],
  { filter, inventory }: TagSearch,
  { limit, offset }: Of<'show tag values'>,
  { hold }: Holding,
): Promise<{ readonly rows: readonly (readonly [string, string])[]; readonly bytes: number }> {
  const { giveTurn } = inventory
  const rows: (readonly [string, string])[] = []
  if (keys.size === 0) return { rows, bytes: 0 }
  const most = limit > 0 ? offset + limit : Infinity
  const wanted = { most, after: null, bytesOf: valueBytes, hold, giveTurn }
  const byKey = [...keys].sort(compareText).map((key) => [key, new FirstTexts<null>(wanted)] as const)
  for await (const some of seriesWhere(filter, inventory, schema)) {
    for (const [key, values] of byKey) {
      for (const { tags } of some) {
        const value = tags.get(key)
        if (value !== undefined) values.add(value, null)
      }
      await values.trim()
    }
  }
  let [place, bytes] = [0, 0]
  for (const [key, values] of byKey) {
    for await (const some of inSteps(await values.sorted(), giveTurn)) {
      for (const value of some) {
        if (place >= offset && place < most) {
          rows.push([key, value])
          bytes += valueBytes(value)
        }
        place++
      }
    }
  }
  return { rows, bytes }
}
