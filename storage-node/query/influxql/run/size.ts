import { AppError } from '../../../../common/errors.ts'
import type { Call } from '../ast.ts'
import { columnFields } from '../columns.ts'
import type { QueryLimits } from '../context.ts'
import type { ResolvedSelect } from '../resolve.ts'
import { refsOf } from '../walk.ts'
import { SymbolTable } from './symbols.ts'

/**
 * Refuses a SELECT that is too large to run, before anything of it runs.
 * @returns how often it reads a measurement
 * @throws AppError too-large
 */
export function checkSize(select: ResolvedSelect, limits: QueryLimits): number {
  checkColumns(select, limits.maxColumns)
  const reads: Reads = { total: 0, byMeasurement: new Map() }
  countReads(select, 1, reads)
  if (reads.total > limits.maxReads) throw tooManyReads('measurements', limits.maxReads)
  const most = Math.max(0, ...reads.byMeasurement.values())
  if (most > limits.maxReadsOfColumn) throw tooManyReads('one column', limits.maxReadsOfColumn)
  return reads.total
}

function tooManyReads(what: string, limit: number): AppError {
  return new AppError(
    'too-large',
    'ERR_QUERY_READ_LIMIT',
    `max-select-reads limit exceeded: SELECT reads ${what} more than ${limit} times`,
  )
}

function checkColumns(select: ResolvedSelect, limit: number): void {
  if (select.columns.length > limit) {
    throw new AppError(
      'too-large',
      'ERR_QUERY_COLUMN_LIMIT',
      `max-select-columns limit exceeded: (${select.columns.length}/${limit})`,
    )
  }
  for (const source of select.sources) if (source.kind === 'subquery') checkColumns(source.select, limit)
}

interface Reads {
  total: number
  /** Of the column of a measurement that is read most. */
  readonly byMeasurement: Map<string, number>
}

/** Each function reads all sources for itself, so a subquery runs as often as there are functions around it. */
function countReads(select: ResolvedSelect, times: number, reads: Reads): void {
  const table = new SymbolTable()
  for (const field of columnFields(select.fields)) table.map(field)
  const functions = Math.max(1, table.calls.length)
  const ofColumn = mostOfOneColumn(table.calls.map(({ call }) => call))
  for (const source of select.sources) {
    if (source.kind === 'subquery') {
      countReads(source.select, times * functions, reads)
      continue
    }
    reads.total += times * functions * source.schemas.length
    for (const { name } of source.schemas) {
      const key = `${source.databaseId} ${name}`
      reads.byMeasurement.set(key, (reads.byMeasurement.get(key) ?? 0) + times * ofColumn)
    }
  }
}

/** How many functions work on the column on which most do; one where there are none. */
function mostOfOneColumn(calls: readonly Call[]): number {
  const counts = new Map<string, number>()
  for (const call of calls) {
    const name = refsOf(call)[0]?.name ?? ''
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return Math.max(1, ...counts.values())
}
