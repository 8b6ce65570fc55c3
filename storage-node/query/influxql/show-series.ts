import type { MeasurementSchema } from '../../engine/reader.ts'
import { Holding } from '../held-bytes.ts'
import type { ResultSeries } from '../result.ts'
import { maxTimeNs, minTimeNs } from '../time.ts'
import type { Expr } from './ast.ts'
import { hasTime, splitCondition, statementError, type TimeRange } from './condition.ts'
import type { QueryContext, QueryDatabase } from './context.ts'
import { reduceNothing } from './reduce.ts'
import { checkSources, inventoryOf, table, type Of } from './show.ts'
import { measurementsWhere, withSources } from './show-condition.ts'
import { keyBytes, SortedSeries, type KeyedSeries } from './sorted-series.ts'

/** So many keys are kept at a time, beside those of the answer. */
const maxKept = 50_000

export async function showSeries(
  statement: Of<'show series'>,
  context: QueryContext,
): Promise<readonly ResultSeries[]> {
  const database = checkSources(statement, context)
  const inventory = inventoryOf(context, database)
  const timed = hasTime(statement.condition)
  if (!timed) checkTagCondition(statement.condition)
  const { condition, range } = splitCondition(statement.condition, { ...reduceNothing, nowNs: context.nowNs })
  const schemas = await measurementsWhere(withSources(statement.sources, null), inventory)
  const holding = new Holding(context.held)
  try {
    const wanted = new Page(statement, timed)
    for (const schema of schemas) {
      const series = new SortedSeries(condition, inventory, schema, holding.hold)
      const after = await wanted.skip(series)
      for await (const all of series.parts(after, () => wanted.partSize)) {
        const keys = wanted.of(timed ? await withPoints(all, schema, range, context, database) : all)
        for (const { key } of keys) holding.hold(keyBytes(key))
        if (wanted.isFull) break
      }
      if (wanted.isFull) break
    }
    return wanted.rows.length === 0 ? [] : [table('', ['key'], wanted.rows)]
  } finally {
    holding.close()
  }
}

/** The rows of an answer that LIMIT and OFFSET leave of keys which come part by part. */
class Page {
  readonly rows: (readonly [string])[] = []
  readonly #limit: number
  readonly #isTimed: boolean
  #toSkip: number

  /** @param isTimed how many keys of a part count is not known before */
  constructor({ limit, offset }: { readonly limit: number; readonly offset: number }, isTimed: boolean) {
    this.#limit = limit > 0 ? limit : Infinity
    this.#toSkip = offset
    this.#isTimed = isTimed
  }

  get #wanted(): number {
    return this.#limit - this.rows.length
  }

  get isFull(): boolean {
    return this.#wanted === 0
  }

  /** How many keys the next part is to have at most. */
  get partSize(): number {
    // All that comes is in the answer, so it is in memory anyway.
    if (this.#toSkip === 0 && this.#limit === Infinity) return Infinity
    return this.#isTimed ? maxKept : Math.min(maxKept, this.#toSkip + this.#wanted)
  }

  /** @returns the key behind which the page begins, or so near before it that few have to be skipped; null for the first */
  async skip(series: SortedSeries): Promise<string | null> {
    if (this.#isTimed || this.#toSkip <= maxKept) return null
    const { after, count } = await series.placeNear(this.#toSkip)
    this.#toSkip -= count
    return after
  }

  /** @returns those of a part that are in the answer */
  of(part: readonly KeyedSeries[]): readonly KeyedSeries[] {
    const kept = part.slice(this.#toSkip, this.#toSkip + this.#wanted)
    this.#toSkip -= Math.min(this.#toSkip, part.length)
    for (const { key } of kept) this.rows.push([key])
    return kept
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
  all: readonly KeyedSeries[],
  schema: MeasurementSchema,
  { minNs, maxNs }: TimeRange,
  context: QueryContext,
  database: QueryDatabase,
): Promise<readonly KeyedSeries[]> {
  const found = new Set<number>()
  const blocks = context.reader.read({
    databaseId: database.id,
    retentionPolicy: context.retentionPolicy ?? database.defaultRetentionPolicy,
    measurement: schema.name,
    seriesIds: all.map(({ id }) => id),
    fields: [...schema.fields.keys()],
    minTimeNs: minNs ?? minTimeNs,
    maxTimeNs: maxNs ?? maxTimeNs,
    signal: context.signal,
  })
  for await (const { seriesId, times } of blocks) if (times.length > 0) found.add(seriesId)
  return all.filter(({ id }) => found.has(id))
}
