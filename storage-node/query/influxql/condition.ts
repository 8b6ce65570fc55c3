import { AppError } from '../../../common/errors.ts'
import { maxTimeNs, minTimeNs, formatTime, floorDivide } from '../time.ts'
import type { Zone } from '../zone.ts'
import type { Expr } from './ast.ts'
import { formatExpr } from './format.ts'
import { reduce, reduceInner, reduceNothing, type ReduceOptions } from './reduce.ts'
import { floatToInteger } from './scalar.ts'
import { isTimeLiteral, parseTimeLiteral } from './time-literal.ts'
import type { Operator } from './token.ts'
import { some } from './walk.ts'

/** Both bounds are inclusive; null is unbounded. */
export interface TimeRange {
  readonly minNs: bigint | null
  readonly maxNs: bigint | null
}

export const everyTime: TimeRange = { minNs: null, maxNs: null }

export function intersect(a: TimeRange, b: TimeRange): TimeRange {
  return {
    minNs: a.minNs === null || (b.minNs !== null && b.minNs > a.minNs) ? b.minNs : a.minNs,
    maxNs: a.maxNs === null || (b.maxNs !== null && b.maxNs < a.maxNs) ? b.maxNs : a.maxNs,
  }
}

/** An error of a statement, with the text that the client gets. */
export function statementError(text: string): AppError {
  return new AppError('invalid', 'ERR_QUERY_STATEMENT', text)
}

/** `time` is compared anywhere in the expression. */
export function hasTime(expr: Expr | null): boolean {
  return expr !== null && some(expr, (node) => node.kind === 'binary' && isTime(node.left))
}

/**
 * Divides a condition into its time range and the rest. Time ranges are intersected wherever they stand, below OR,
 * too, as InfluxDB 1.x does.
 * @throws AppError invalid
 */
export function splitCondition(
  condition: Expr | null,
  options: ReduceOptions,
): { readonly condition: Expr | null; readonly range: TimeRange } {
  if (condition === null) return { condition: null, range: everyTime }
  const { expr, range } = split(condition, options)
  const rest = expr?.kind === 'paren' ? expr.inner : expr
  return { condition: rest?.kind === 'boolean' && rest.value ? null : rest, range }
}

interface Split {
  readonly expr: Expr | null
  readonly range: TimeRange
}

const isTime = (expr: Expr): boolean => expr.kind === 'ref' && expr.name.toLowerCase() === 'time'
const swapped: Readonly<Partial<Record<Operator, Operator>>> = { '>': '<', '<': '>', '>=': '<=', '<=': '>=' }

function split(condition: Expr, options: ReduceOptions): Split {
  switch (condition.kind) {
    case 'binary': {
      const { operator, left, right } = condition
      if (operator === 'AND' || operator === 'OR') {
        const a = split(left, options)
        const b = split(right, options)
        const range = intersect(a.range, b.range)
        if (a.expr === null || b.expr === null) return { expr: a.expr ?? b.expr, range }
        return { expr: reduceInner({ ...condition, left: a.expr, right: b.expr }, reduceNothing), range }
      }
      if (isTime(left)) return { expr: null, range: rangeOf(operator, right, options) }
      if (isTime(right)) return { expr: null, range: rangeOf(swapped[operator] ?? operator, left, options) }
      return { expr: reduceInner(condition, options), range: everyTime }
    }
    case 'paren': {
      const { expr, range } = split(condition.inner, options)
      if (expr === null) return { expr, range }
      return { expr: reduceInner({ kind: 'paren', inner: expr }, reduceNothing), range }
    }
    case 'boolean':
      return { expr: condition, range: everyTime }
    default:
      throw statementError(`invalid condition expression: ${formatExpr(condition)}`)
  }
}

function rangeOf(operator: Operator, operand: Expr, options: ReduceOptions): TimeRange {
  const ns = timeOf(operand, options)
  switch (operator) {
    case '>':
      return { minNs: ns + 1n, maxNs: null }
    case '>=':
      return { minNs: ns, maxNs: null }
    case '<':
      return { minNs: null, maxNs: ns - 1n }
    case '<=':
      return { minNs: null, maxNs: ns }
    case '=':
      return { minNs: ns, maxNs: ns }
    default:
      throw statementError(`invalid time comparison operator: ${operator}`)
  }
}

function timeOf(operand: Expr, options: ReduceOptions): bigint {
  const literal = reduce(timeLiteralOf(operand, options.zone), options)
  switch (literal.kind) {
    case 'time':
      if (literal.ns > maxTimeNs) throw outside(literal.ns, 'overflows')
      if (literal.ns < minTimeNs + 1n) throw outside(literal.ns, 'underflows')
      return literal.ns
    case 'duration':
      return literal.ns
    case 'integer':
      return literal.value
    case 'number':
      return floatToInteger(literal.value)
    default:
      throw statementError(`invalid operation: time and ${goTypeOf(literal)} are not compatible`)
  }
}

function outside(ns: bigint, verb: string): AppError {
  const seconds = floorDivide(ns, 1_000_000_000n) * 1_000_000_000n
  return statementError(`time ${formatTime(seconds)} ${verb} time literal`)
}

function timeLiteralOf(operand: Expr, zone: Zone | null): Expr {
  if (operand.kind !== 'string' || !isTimeLiteral(operand.value)) return operand
  const ns = parseTimeLiteral(operand.value, zone)
  if (ns === null) throw statementError('invalid timestamp string')
  return { kind: 'time', ns }
}

/** The names of InfluxDB's own types, which its messages show. */
const goTypes: Readonly<Record<Expr['kind'], string>> = {
  ref: 'VarRef',
  call: 'Call',
  binary: 'BinaryExpr',
  paren: 'ParenExpr',
  distinct: 'Distinct',
  wildcard: 'Wildcard',
  number: 'NumberLiteral',
  integer: 'IntegerLiteral',
  unsigned: 'UnsignedLiteral',
  string: 'StringLiteral',
  boolean: 'BooleanLiteral',
  duration: 'DurationLiteral',
  time: 'TimeLiteral',
  regex: 'RegexLiteral',
  list: 'ListLiteral',
  nil: 'NilLiteral',
}

export function goTypeOf(expr: Expr): string {
  return `*influxql.${goTypes[expr.kind]}`
}
