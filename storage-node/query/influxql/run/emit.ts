import { AppError } from '../../../../common/errors.ts'
import type { ResultSeries, Value } from '../../result.ts'
import { minTimeNs } from '../../time.ts'
import type { QueryContext } from '../context.ts'
import type { ResolvedSelect } from '../resolve.ts'
import { toValue } from '../scalar.ts'
import { Environment } from './environment.ts'
import { tooManyBuckets } from './fill.ts'
import type { GroupTables } from './group-tables.ts'
import type { Tags } from './point.ts'
import type { Row, Rows } from './rows.ts'
import { runColumns, runSelect } from './select.ts'
import { checkSize } from './size.ts'
import { rowsFor } from './stream.ts'
import { windowOf } from './window.ts'

/** Values in a part, which is in memory whole: parts of wide rows are cut before the chunk size. */
const maxPartCells = 250_000

/** A series of the answer, or the part of it that one chunk holds; `partial` says that another follows. */
export interface EmittedSeries {
  readonly series: ResultSeries
  readonly partial: boolean
}

/**
 * Runs a SELECT and gives its rows by series, cut at the chunk size.
 * @throws AppError too-large, when a limit is passed
 */
export async function* emitSelect(
  select: ResolvedSelect,
  context: QueryContext,
): AsyncGenerator<EmittedSeries, void, undefined> {
  const reads = checkSize(select, context.limits)
  checkBuckets(select, context.limits.maxBuckets)
  const environment = new Environment(context, reads)
  try {
    await environment.findSeries(select)
    yield* emitParts(environment, select, context)
  } finally {
    environment.close()
  }
}

async function* emitParts(
  environment: Environment,
  select: ResolvedSelect,
  { limits, chunkSize }: QueryContext,
): AsyncGenerator<EmittedSeries, void, undefined> {
  const width = select.columns.length
  const partRows = Math.min(chunkSize, rowsFor(width, maxPartCells))
  const work = new Work(environment, width, limits)
  const tables = runColumns(environment, select, partRows)
  const parts = tables
    ? partsOfTables(tables, work)
    : partsOfRows(runSelect(environment, select), partRows, work)
  let last: Part | null = null
  for await (const part of parts) {
    if (last !== null) yield { series: seriesOf(select, last, isSameGroup(last, part)), partial: true }
    last = part
  }
  if (last !== null) yield { series: seriesOf(select, last, false), partial: false }
}

/** Rows of one series of the answer, no more than a part may have. */
interface Part {
  readonly name: string
  readonly tags: Tags
  readonly rows: ResultSeries['rows']
}

const isSameGroup = (a: Pick<Part, 'name' | 'tags'>, b: Pick<Part, 'name' | 'tags'>): boolean =>
  a.name === b.name && (a.tags === b.tags || a.tags.id === b.tags.id)

function seriesOf(select: ResolvedSelect, { name, tags, rows }: Part, partial: boolean): ResultSeries {
  return {
    name,
    tags: tags.values.size === 0 ? null : tags.values,
    columns: select.columns,
    rows,
    timed: true,
    zone: select.zone,
    partial,
  }
}

async function* partsOfTables(tables: GroupTables, work: Work): AsyncGenerator<Part, void, undefined> {
  for await (const { name, tags, table } of tables) {
    await work.done(table.length)
    yield { name, tags, rows: table }
  }
}

async function* partsOfRows(rows: Rows, partRows: number, work: Work): AsyncGenerator<Part, void, undefined> {
  let first: Row | null = null
  let values: (readonly Value[])[] = []
  for await (const batch of rows) {
    await work.done(batch.length)
    for (const row of batch) {
      if (first !== null && (!isSameGroup(row, first) || values.length >= partRows)) {
        yield { name: first.name, tags: first.tags, rows: values }
        values = []
      }
      first = row
      values.push([row.timeNs, ...row.values.map(toValue)])
    }
  }
  if (first !== null) yield { name: first.name, tags: first.tags, rows: values }
}

/** Counts the rows of an answer, and lets others have their turn. */
class Work {
  readonly #environment: Environment
  readonly #width: number
  readonly #limits: QueryContext['limits']
  #rows = 0

  constructor(environment: Environment, width: number, limits: QueryContext['limits']) {
    this.#environment = environment
    this.#width = width
    this.#limits = limits
  }

  /** @throws AppError too-large; the signal's reason */
  async done(rows: number): Promise<void> {
    const { maxRows, maxCells } = this.#limits
    this.#rows += rows
    await this.#environment.giveTurn()
    if (this.#rows > maxRows) throw tooManyRows(this.#rows, maxRows)
    const cells = this.#rows * this.#width
    if (cells > maxCells) throw tooManyCells(cells, maxCells)
  }
}

function tooManyCells(count: number, limit: number): AppError {
  return new AppError(
    'too-large',
    'ERR_QUERY_CELL_LIMIT',
    `max-select-values limit exceeded: (${count}/${limit})`,
  )
}

function tooManyRows(count: number, limit: number): AppError {
  return new AppError(
    'too-large',
    'ERR_QUERY_ROW_LIMIT',
    `max-select-rows limit exceeded: (${count}/${limit})`,
  )
}

/** The windows between the bounds of a range that has both. */
function checkBuckets(select: ResolvedSelect, limit: number): void {
  const { interval, minNs, maxNs, zone, raw } = select
  if (raw || interval.durationNs === 0n || minNs === minTimeNs) return
  const options = { interval, zone, startNs: minNs, endNs: maxNs }
  const first = windowOf(options, minNs).startNs
  const last = windowOf(options, maxNs - 1n).startNs
  const buckets = (last - first + interval.durationNs) / interval.durationNs
  if (buckets > BigInt(limit)) throw tooManyBuckets(buckets, limit)
}
