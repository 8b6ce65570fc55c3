import { maxTimeNs, minTimeNs } from '../time.ts'
import { Zone } from '../zone.ts'
import type { Expr, Field, Fill, SelectStatement, Source } from './ast.ts'
import { everyTime, intersect, splitCondition, statementError, type TimeRange } from './condition.ts'
import { compileDimensions, type Interval } from './compile-dimensions.ts'
import { FieldCompiler } from './compile-field.ts'
import { formatExpr } from './format.ts'
import { argumentCount, isMathFunction } from './math.ts'
import { reduce, reduceNothing, type ReduceOptions } from './reduce.ts'
import { some } from './walk.ts'

/** A SELECT that has been checked and put into normal form; subqueries among its sources are compiled, too. */
export interface CompiledSelect {
  readonly fields: readonly Field[]
  readonly sources: readonly CompiledSource[]
  /** Without the time range. */
  readonly condition: Expr | null
  readonly dimensions: readonly Expr[]
  readonly interval: Interval
  /** The select's own range, bounded: what it leaves open is filled in. */
  readonly minNs: bigint
  readonly maxNs: bigint
  /** Subqueries: the range as the condition has it. */
  readonly range: TimeRange
  readonly fill: Fill
  readonly ascending: boolean
  readonly limit: number
  readonly offset: number
  readonly seriesLimit: number
  readonly seriesOffset: number
  readonly zone: Zone | null
  /** Name of the time's column, or null for a subquery, which has none. */
  readonly timeColumn: string | null
  /** No function calls. */
  readonly raw: boolean
  /** Windows outside the range that transformations read. */
  readonly extraIntervals: number
}
export type CompiledSource =
  | (Source & { readonly kind: 'measurement' })
  | { readonly kind: 'subquery'; readonly select: CompiledSelect }

interface Parent {
  readonly interval: Interval
  readonly ascending: boolean
  readonly range: TimeRange
}

export const noInterval: Interval = { durationNs: 0n, offsetNs: 0n }

/** @throws AppError invalid, with the text of InfluxDB 1.x */
export function compileSelect(select: SelectStatement, nowNs: bigint): CompiledSelect {
  return compile(select, nowNs, null)
}

function compile(select: SelectStatement, nowNs: bigint, parent: Parent | null): CompiledSelect {
  const zone = select.zone === null ? null : Zone.find(select.zone)
  const reducing: ReduceOptions = { nowNs, math: parent !== null, zone }
  const { condition, range: own } = splitCondition(select.condition, reducing)
  checkCondition(condition)
  const { interval: ownInterval, dimensions } = compileDimensions(select.dimensions, nowNs, zone)
  const ascending = isAscending(select)
  if (parent !== null && select.sortFields.length > 0 && ascending !== parent.ascending) {
    throw statementError('subqueries must be ordered in the same direction as the query itself')
  }
  const inherited = parent !== null && ownInterval.durationNs === 0n && parent.interval.durationNs !== 0n
  const bounded: TimeRange = {
    minNs: own.minNs ?? minTimeNs,
    maxNs: own.maxNs ?? (ownInterval.durationNs === 0n ? maxTimeNs : nowNs),
  }
  const range = parent === null ? bounded : intersect(bounded, parent.range)
  const interval = inherited ? parent.interval : ownInterval
  const direction = parent?.ascending ?? ascending
  const named = withoutTime(select.fields)
  const compiler = new FieldCompiler({ interval, inherited, limit: select.limit, fill: select.fill })
  const fields = compiler.compile(named.fields)
  return {
    fields,
    sources: select.sources.map((source) =>
      source.kind === 'measurement'
        ? source
        : {
            kind: 'subquery',
            select: compile(source.select, nowNs, { interval, ascending: direction, range }),
          },
    ),
    condition,
    dimensions,
    // Execution gives the inherited interval on by itself.
    interval: ownInterval,
    minNs: range.minNs ?? minTimeNs,
    maxNs: range.maxNs ?? maxTimeNs,
    range: parent === null ? everyTime : own,
    fill: select.fill,
    ascending: direction,
    limit: select.limit,
    offset: select.offset,
    seriesLimit: select.seriesLimit,
    seriesOffset: select.seriesOffset,
    zone,
    timeColumn: parent === null ? named.timeColumn : null,
    raw: !fields.some((field) => some(field.expr, (node) => node.kind === 'call')),
    extraIntervals: compiler.extraIntervals,
  }
}

const isAscending = (select: SelectStatement): boolean => select.sortFields[0]?.ascending ?? true

/** Time is always selected; naming it only names its column. The rest of the fields comes with constants folded. */
function withoutTime(all: readonly Field[]): {
  readonly fields: readonly Field[]
  readonly timeColumn: string
} {
  const isTime = (field: Field): boolean => field.expr.kind === 'ref' && field.expr.name === 'time'
  const alias = all.findLast((field) => isTime(field) && field.alias !== '')?.alias
  const fields = all
    .filter((field) => !isTime(field))
    .map((field) => ({ ...field, expr: reduce(field.expr, { ...reduceNothing, math: true }) }))
  return { fields, timeColumn: alias ?? 'time' }
}

function checkCondition(expr: Expr | null): void {
  if (expr === null) return
  if (expr.kind === 'binary') {
    checkCondition(expr.left)
    checkCondition(expr.right)
  }
  if (expr.kind !== 'call') return
  if (!isMathFunction(expr.name))
    throw statementError(`invalid function call in condition: ${formatExpr(expr)}`)
  const expected = expr.name === 'log' ? 1 : argumentCount(expr.name)
  if (expr.args.length !== expected) {
    throw statementError(
      `invalid number of arguments for ${expr.name}, expected ${expected}, got ${expr.args.length}`,
    )
  }
  expr.args.forEach(checkCondition)
}
