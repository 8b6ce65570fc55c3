import { AppError } from '../../../../common/errors.ts'
import type { ResultSeries, Value } from '../../result.ts'
import { minTimeNs } from '../../time.ts'
import type { QueryContext } from '../context.ts'
import type { ResolvedSelect } from '../resolve.ts'
import { toValue } from '../scalar.ts'
import { Environment } from './environment.ts'
import { tooManyBuckets } from './fill.ts'
import type { Row, Rows } from './rows.ts'
import { runSelect } from './select.ts'
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
  checkSize(select, context.limits)
  checkBuckets(select, context.limits.maxBuckets)
  const environment = new Environment(context)
  try {
    yield* emitRows(environment, runSelect(environment, select), select, context)
  } finally {
    environment.close()
  }
}

async function* emitRows(
  environment: Environment,
  rows: Rows,
  select: ResolvedSelect,
  context: QueryContext,
): AsyncGenerator<EmittedSeries, void, undefined> {
  const { maxRows, maxCells } = context.limits
  const width = select.columns.length
  const partRows = Math.min(context.chunkSize, rowsFor(width, maxPartCells))
  let first: Row | null = null
  let values: (readonly Value[])[] = []
  let count = 0
  const take = (partial: boolean): ResultSeries => {
    const { name, tags } = first!
    const taken = values
    values = []
    return {
      name,
      tags: tags.values.size === 0 ? null : tags.values,
      columns: select.columns,
      rows: taken,
      timed: true,
      zone: select.zone,
      partial,
    }
  }
  for await (const batch of rows) {
    count += batch.length
    await environment.giveTurn()
    if (count > maxRows) throw tooManyRows(count, maxRows)
    if (count * width > maxCells) throw tooManyCells(count * width, maxCells)
    for (const row of batch) {
      const same = first !== null && row.name === first.name && row.tags.id === first.tags.id
      if (first !== null && (!same || values.length >= partRows)) {
        yield { series: take(same), partial: true }
      }
      first = row
      values.push([row.timeNs, ...row.values.map(toValue)])
    }
  }
  if (first !== null) yield { series: take(false), partial: false }
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
