import { AppError } from '../../../common/errors.ts'
import type { MeasurementSchema, Series } from '../../engine/reader.ts'
import { Holding } from '../held-bytes.ts'
import type { ResultSeries } from '../result.ts'
import { hasTime, statementError } from './condition.ts'
import type { QueryContext, QueryDatabase } from './context.ts'
import { countOfAll, isEmpty, seriesWhere } from './series-where.ts'
import { checkSources, inventoryOf, table, type Of } from './show.ts'
import { measurementsWhere, withSources } from './show-condition.ts'
import { tagKeysOf, tagSearchOf, valueBytes } from './show-tags.ts'

type ShowCardinality = Of<'show cardinality'>

/** What InfluxDB estimates or counts, counted. */
export async function showCardinality(
  statement: ShowCardinality,
  context: QueryContext,
): Promise<readonly ResultSeries[]> {
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
  const schemas = await measurementsWhere(withSources(sources, null), inventory)
  const series = (schema: MeasurementSchema) => seriesWhere(condition, inventory, schema)
  if (!exact && plain && (of === 'series' || of === 'measurement')) {
    let total = 0
    for (const schema of schemas) total += of === 'measurement' ? 1 : await countOfAll(series(schema))
    return [table('', ['cardinality estimation'], [[BigInt(total)]])]
  }
  if (of === 'measurement') {
    let total = 0
    for (const schema of schemas) if (!(await isEmpty(series(schema)))) total++
    return total === 0 ? [] : [table('', ['count'], [[BigInt(total)]])]
  }
  if (of === 'tag values') return countsOfTagValues(statement, context, database)
  const answer: ResultSeries[] = []
  for (const schema of schemas) {
    const count = await countOf(of, schema, series(schema))
    if (count > 0) answer.push(table(schema.name, ['count'], [[BigInt(count)]]))
  }
  return answer
}

async function countOf(
  of: Exclude<ShowCardinality['of'], 'measurement' | 'tag values'>,
  schema: MeasurementSchema,
  series: AsyncIterable<readonly Series[]>,
): Promise<number> {
  switch (of) {
    case 'field key':
      return (await isEmpty(series)) ? 0 : schema.fields.size
    case 'tag key':
      return (await tagKeysOf(series, schema)).length
    default:
      return countOfAll(series)
  }
}

/** Values that several keys have count once. */
async function countsOfTagValues(
  statement: ShowCardinality,
  context: QueryContext,
  database: QueryDatabase,
): Promise<readonly ResultSeries[]> {
  const { filter, inventory, measurements } = await tagSearchOf(statement, statement.key!, context, database)
  const answer: ResultSeries[] = []
  for (const { schema, keys } of measurements) {
    if (keys.size === 0) continue
    const holding = new Holding(context.held)
    try {
      const values = new Set<string>()
      for await (const some of seriesWhere(filter, inventory, schema))
        for (const { tags } of some) for (const key of keys) add(values, tags.get(key), holding)
      if (values.size > 0) answer.push(table(schema.name, ['count'], [[BigInt(values.size)]]))
    } finally {
      holding.close()
    }
  }
  return answer
}

function add(values: Set<string>, value: string | undefined, { hold }: Holding): void {
  if (value === undefined || values.has(value)) return
  hold(valueBytes(value))
  values.add(value)
}
