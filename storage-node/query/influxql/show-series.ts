import type { MeasurementSchema } from '../../engine/reader.ts'
import { Holding } from '../held-bytes.ts'
import type { ResultSeries } from '../result.ts'
import { maxTimeNs, minTimeNs } from '../time.ts'
import type { Expr } from './ast.ts'
import { hasTime, splitCondition, statementError, type TimeRange } from './condition.ts'
import type { QueryContext, QueryDatabase } from './context.ts'
import { inSteps, type GiveTurn } from './in-turns.ts'
import { reduceNothing } from './reduce.ts'
import { checkSources, inventoryOf, table, type Of } from './show.ts'
import { measurementsWhere, withSources } from './show-condition.ts'
import { idInSetBytes, keyBytes, SortedSeries, type KeyedSeries } from './sorted-series.ts'

/** So many keys are kept at a time, beside those of the answer. */
const maxKept = 50_000

/** @param holding counts what is in the answer */
export async function showSeries(
  statement: Of<'show series'>,
  context: QueryContext,
  holding: Holding,
): Promise<readonly ResultSeries[]> {
  const database = checkSources(statement, context)
  const inventory = inventoryOf(context, database)
  const timed = hasTime(statement.condition)
  if (!timed) checkTagCondition(statement.condition)
  const { condition, range } = splitCondition(statement.condition, { ...reduceNothing, nowNs: context.nowNs })
  const schemas = await measurementsWhere(withSources(statement.sources, null), inventory)
  const { hold } = holding
  const page = new Page(statement, inventory.giveTurn, hold)
  for (const schema of schemas) {
    const series = new SortedSeries({ condition, inventory, schema, hold, among: null })
    if (timed) await takeWithPoints(series, page, { schema, range, context, database })
    else await page.takeAll(series, null)
    if (page.isFull) break
  }
  return page.rows.length === 0 ? [] : [table('', ['key'], page.rows)]
}

/** The rows of an answer that LIMIT and OFFSET leave of keys which come part by part. */
class Page {
  readonly rows: (readonly [string])[] = []
  readonly #limit: number
  readonly #giveTurn: GiveTurn
  readonly #hold: Holding['hold']
  #toSkip: number

  constructor(
    { limit, offset }: { readonly limit: number; readonly offset: number },
    giveTurn: GiveTurn,
    hold: Holding['hold'],
  ) {
    this.#limit = limit > 0 ? limit : Infinity
    this.#toSkip = offset
    this.#giveTurn = giveTurn
    this.#hold = hold
  }

  get #wanted(): number {
    return this.#limit - this.rows.length
  }

  get isFull(): boolean {
    return this.#wanted === 0
  }

  /** One part may be enough, though not all of it counts. */
  get isSmall(): boolean {
    return this.#toSkip + this.#wanted <= maxKept
  }

  /** Takes what it needs of the series behind a key. */
  async takeAll(series: SortedSeries, after: string | null): Promise<void> {
    let begin = after
    if (this.#toSkip > maxKept) {
      const { after: near, count } = await series.placeNear(this.#toSkip)
      this.#toSkip -= count
      begin = near
    }
    // Rows of the answer are kept anyway, and to go through all series again for some of them would be for nothing.
    for await (const part of series.parts(begin, () => Math.min(this.#toSkip, maxKept) + this.#wanted)) {
      await this.take(part, null)
      if (this.isFull) return
    }
  }

  /** @param among those of the part that count; null for all */
  async take(part: readonly KeyedSeries[], among: ReadonlySet<number> | null): Promise<void> {
    for await (const some of inSteps(part, this.#giveTurn))
      for (const { key, id } of some)
        if ((among !== null && !among.has(id)) || !this.#takes(key)) this.#hold(-keyBytes(key))
  }

  #takes(key: string): boolean {
    if (this.isFull) return false
    if (this.#toSkip > 0) {
      this.#toSkip--
      return false
    }
    this.rows.push([key])
    return true
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

interface Search {
  readonly schema: MeasurementSchema
  readonly range: TimeRange
  readonly context: QueryContext
  readonly database: QueryDatabase
}

/**
 * Of the series that have points in a range. For a small page the first ones are tried alone; where they are not
 * enough, points of all are looked for before keys are sorted, so that two more passes are the most.
 */
async function takeWithPoints(series: SortedSeries, page: Page, search: Search): Promise<void> {
  const looking = new Holding(search.context.held)
  try {
    let after: string | null = null
    if (page.isSmall) {
      const first = await series.firstBehind(null, maxKept)
      await page.take(
        first,
        await withPoints(
          first.map(({ id }) => id),
          search,
          looking,
        ),
      )
      if (page.isFull || first.length < maxKept) return
      after = first.at(-1)!.key
    }
    const found = await withPoints(await series.ids(looking), search, looking)
    if (found.size > 0) await page.takeAll(series.among(found), after)
  } finally {
    looking.close()
  }
}

async function withPoints(
  seriesIds: readonly number[],
  { schema, range: { minNs, maxNs }, context, database }: Search,
  { hold }: Holding,
): Promise<ReadonlySet<number>> {
  const found = new Set<number>()
  const blocks = context.reader.read({
    databaseId: database.id,
    retentionPolicy: context.retentionPolicy ?? database.defaultRetentionPolicy,
    measurement: schema.name,
    seriesIds,
    fields: [...schema.fields.keys()],
    minTimeNs: minNs ?? minTimeNs,
    maxTimeNs: maxNs ?? maxTimeNs,
    signal: context.signal,
  })
  for await (const { seriesId, times } of blocks) {
    if (times.length === 0 || found.has(seriesId)) continue
    hold(idInSetBytes)
    found.add(seriesId)
  }
  return found
}
