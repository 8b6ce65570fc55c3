import type { Zone } from '../zone.ts'
import type { Expr } from './ast.ts'
import { statementError } from './condition.ts'
import { formatExpr } from './format.ts'
import { reduce, reduceNothing } from './reduce.ts'
import { isTimeLiteral, parseTimeLiteral } from './time-literal.ts'

/** Windows of GROUP BY time(); a duration of 0 is none. */
export interface Interval {
  readonly durationNs: bigint
  readonly offsetNs: bigint
}

/** From year 1, where Go's truncation of times starts, to the epoch. */
const goZeroNs = 62_135_596_800_000_000_000n

/** Time since the start of its interval, counted from year 1. */
export function sinceGoTruncate(ns: bigint, durationNs: bigint): bigint {
  if (durationNs <= 0n) return 0n
  return (((ns + goZeroNs) % durationNs) + durationNs) % durationNs
}

/** Checks GROUP BY and takes the interval out of it; what remains are names, wildcards and regular expressions. */
export function compileDimensions(
  dimensions: readonly Expr[],
  nowNs: bigint,
  zone: Zone | null,
): { readonly interval: Interval; readonly dimensions: readonly Expr[] } {
  let interval: Interval = { durationNs: 0n, offsetNs: 0n }
  const others: Expr[] = []
  for (const dimension of dimensions) {
    const expr = reduce(dimension, reduceNothing)
    switch (expr.kind) {
      case 'ref':
        if (expr.name.toLowerCase() === 'time') {
          throw statementError('time() is a function and expects at least one argument')
        }
        others.push(expr)
        break
      case 'call':
        if (expr.name === 'time' && interval.durationNs !== 0n && expr.args[0]?.kind === 'duration') {
          throw statementError('multiple time dimensions not allowed')
        }
        interval = intervalOf(expr, nowNs, zone)
        break
      case 'wildcard':
      case 'regex':
        others.push(expr)
        break
      default:
        throw statementError('only time and tag dimensions allowed')
    }
  }
  return { interval, dimensions: others }
}

function intervalOf(call: Expr & { readonly kind: 'call' }, nowNs: bigint, zone: Zone | null): Interval {
  if (call.name !== 'time') throw statementError('only time() calls allowed in dimensions')
  const [duration, offset] = call.args
  if (duration === undefined || call.args.length > 2)
    throw statementError('time dimension expected 1 or 2 arguments')
  if (duration.kind !== 'duration') throw statementError('time dimension must have duration argument')
  if (offset !== undefined && duration.ns === 0n)
    throw statementError('time dimension must have duration argument')
  const offsetNs = offset === undefined ? 0n : offsetOf(offset, duration.ns, nowNs, zone)
  // A negative interval checks as one but groups nothing.
  return duration.ns < 0n ? { durationNs: 0n, offsetNs: 0n } : { durationNs: duration.ns, offsetNs }
}

function offsetOf(expr: Expr, durationNs: bigint, nowNs: bigint, zone: Zone | null): bigint {
  const unfit = statementError('time dimension offset must be duration or now()')
  switch (expr.kind) {
    case 'duration':
      return expr.ns % durationNs
    case 'time':
      return sinceGoTruncate(expr.ns, durationNs)
    case 'call':
      if (expr.name !== 'now') throw statementError('time dimension offset function must be now()')
      if (expr.args.length > 0)
        throw statementError('time dimension offset now() function requires no arguments')
      return sinceGoTruncate(nowNs, durationNs)
    case 'string': {
      if (!isTimeLiteral(expr.value)) throw unfit
      const ns = parseTimeLiteral(expr.value, zone)
      if (ns === null) throw statementError('invalid timestamp string')
      // InfluxDB 1.x checks this form, but then does not run it.
      throw statementError(`invalid time dimension offset: ${formatExpr(expr)}`)
    }
    default:
      throw unfit
  }
}
