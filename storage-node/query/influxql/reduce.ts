import type { BinaryExpr, Expr, Literal } from './ast.ts'
import { evaluate, operate } from './evaluate.ts'
import { callMath, isMathFunction } from './math.ts'
import { Regex } from './regex.ts'
import { typeOfScalar, Unsigned, type Scalar } from './scalar.ts'
import { isTimeLiteral, parseTimeLiteral } from './time-literal.ts'
import type { Operator } from './token.ts'
import type { Zone } from '../zone.ts'

/** What folding may put in the place of calls, and the zone of times without one. */
export interface ReduceOptions {
  /** The value of `now()`; null leaves the call. */
  readonly nowNs: bigint | null
  /** Evaluate mathematical functions of literals. */
  readonly math: boolean
  readonly zone: Zone | null
}

export const reduceNothing: ReduceOptions = { nowNs: null, math: false, zone: null }

/** Folds what is constant in an expression, without parentheses around the whole. */
export function reduce(expr: Expr, options: ReduceOptions): Expr {
  const reduced = reduceInner(expr, options)
  return reduced.kind === 'paren' ? reduced.inner : reduced
}

export function reduceInner(expr: Expr, options: ReduceOptions): Expr {
  switch (expr.kind) {
    case 'binary':
      return reduceBinary(expr, options)
    case 'call':
      return reduceCall({ ...expr, args: expr.args.map((arg) => reduceInner(arg, options)) }, options)
    case 'paren': {
      const inner = reduceInner(expr.inner, options)
      return inner.kind === 'binary' ? { kind: 'paren', inner } : inner
    }
    default:
      return expr
  }
}

function reduceCall(call: Expr & { readonly kind: 'call' }, options: ReduceOptions): Expr {
  if (!call.args.every(isLiteral)) return call
  if (call.name === 'now' && call.args.length === 0 && options.nowNs !== null) {
    return { kind: 'time', ns: options.nowNs }
  }
  if (!options.math || !isMathFunction(call.name)) return call
  const noVariables = (): Scalar => null
  const args = call.args.map((arg) => evaluate(arg, noVariables, { floatDivision: false, math: false }))
  return literalOf(callMath(call.name, args))
}

export function isLiteral(expr: Expr): expr is Literal {
  return !['ref', 'call', 'binary', 'paren', 'distinct', 'wildcard'].includes(expr.kind)
}

function literalOf(scalar: Scalar): Literal {
  if (scalar instanceof Unsigned) return { kind: 'unsigned', value: scalar.value }
  if (typeof scalar === 'number') return { kind: 'number', value: scalar }
  if (typeof scalar === 'bigint') return { kind: 'integer', value: scalar }
  if (typeof scalar === 'string') return { kind: 'string', value: scalar }
  if (typeof scalar === 'boolean') return { kind: 'boolean', value: scalar }
  return { kind: 'nil' }
}

const isBoolean = (expr: Expr, value: boolean): boolean => expr.kind === 'boolean' && expr.value === value

function reduceBinary(expr: BinaryExpr, options: ReduceOptions): Expr {
  const left = reduceInner(expr.left, options)
  const right = reduceInner(expr.right, options)
  if (expr.operator === 'AND') {
    if (isBoolean(left, false) || isBoolean(right, false)) return { kind: 'boolean', value: false }
    if (isBoolean(left, true)) return right
    if (isBoolean(right, true)) return left
  }
  if (expr.operator === 'OR') {
    if (isBoolean(left, true) || isBoolean(right, true)) return { kind: 'boolean', value: true }
    if (isBoolean(left, false)) return right
    if (isBoolean(right, false)) return left
  }
  const unreduced: BinaryExpr = { kind: 'binary', operator: expr.operator, left, right }
  if (!isLiteral(left) || !isLiteral(right)) return unreduced
  return fold(expr.operator, left, right, options.zone) ?? unreduced
}

type Folded = Literal | null
const boolean = (value: boolean): Literal => ({ kind: 'boolean', value })

/** The literal that an operation on two literals gives, or null when it stays as it is. */
function fold(operator: Operator, left: Literal, right: Literal, zone: Zone | null): Folded {
  if (left.kind === 'nil') return operator === '=' || operator === '!=' ? boolean(false) : null
  if (right.kind === 'nil') {
    const strict = left.kind === 'string'
    if (left.kind === 'unsigned') return null
    return !strict || operator === '=' || operator === '!=' ? boolean(false) : null
  }
  switch (left.kind) {
    case 'duration':
      return foldDuration(operator, left.ns, right, zone)
    case 'time':
      return foldTime(operator, left.ns, right, zone)
    case 'string':
      return foldString(operator, left.value, right, zone)
    case 'integer':
      return foldInteger(operator, left.value, right, zone)
    default:
      return foldScalars(operator, left, right)
  }
}

function scalarOf(literal: Literal): Scalar | Regex {
  switch (literal.kind) {
    case 'unsigned':
      return new Unsigned(literal.value)
    case 'number':
    case 'integer':
    case 'string':
    case 'boolean':
      return literal.value
    default:
      return null
  }
}

/** Numbers with numbers and booleans with booleans. */
function foldScalars(operator: Operator, left: Literal, right: Literal): Folded {
  const a = scalarOf(left)
  const b = scalarOf(right)
  if (a === null || b === null || a instanceof Regex || b instanceof Regex) return null
  const numbers = new Set(['float', 'integer', 'unsigned'])
  const fitting =
    typeOfScalar(a) === typeOfScalar(b) || (numbers.has(typeOfScalar(a)) && numbers.has(typeOfScalar(b)))
  if (!fitting) return null
  const isBitwise = operator === '&' || operator === '|' || operator === '^'
  if (isBitwise && (a instanceof Unsigned || b instanceof Unsigned)) return null
  if (typeof a === 'boolean' && ['<', '<=', '>', '>='].includes(operator)) return null
  const result = operate(operator, a, b, true)
  return result === null || result === undefined ? null : literalOf(result)
}

function foldInteger(operator: Operator, value: bigint, right: Literal, zone: Zone | null): Folded {
  switch (right.kind) {
    case 'duration':
      if (operator === '+') return { kind: 'time', ns: value + right.ns }
      if (operator === '-') return { kind: 'time', ns: value - right.ns }
      return null
    case 'time':
      return foldDuration(operator, value, right, zone)
    case 'string': {
      const ns = parseTimeLiteral(right.value, zone)
      return ns === null ? null : foldDuration(operator, value, { kind: 'time', ns }, zone)
    }
    default:
      return foldScalars(operator, { kind: 'integer', value }, right)
  }
}

function foldDuration(operator: Operator, ns: bigint, right: Literal, zone: Zone | null): Folded {
  switch (right.kind) {
    case 'duration':
      if (operator === '+') return { kind: 'duration', ns: ns + right.ns }
      if (operator === '-') return { kind: 'duration', ns: ns - right.ns }
      return foldComparison(operator, ns, right.ns)
    case 'number':
    case 'integer': {
      const factor = BigInt(Math.trunc(Number(right.value)))
      if (operator === '*') return { kind: 'duration', ns: BigInt.asIntN(64, ns * factor) }
      if (operator === '/') return { kind: 'duration', ns: factor === 0n ? 0n : ns / factor }
      return null
    }
    case 'time':
      return operator === '+' ? { kind: 'time', ns: right.ns + ns } : null
    case 'string': {
      const time = parseTimeLiteral(right.value, zone)
      return time === null ? null : foldDuration(operator, ns, { kind: 'time', ns: time }, zone)
    }
    default:
      return null
  }
}

function foldTime(operator: Operator, ns: bigint, right: Literal, zone: Zone | null): Folded {
  switch (right.kind) {
    case 'duration':
    case 'integer': {
      const amount = right.kind === 'duration' ? right.ns : right.value
      if (operator === '+') return { kind: 'time', ns: ns + amount }
      if (operator === '-') return { kind: 'time', ns: ns - amount }
      return null
    }
    case 'time':
      if (operator === '-') return { kind: 'duration', ns: ns - right.ns }
      return foldComparison(operator, ns, right.ns)
    case 'string': {
      const time = parseTimeLiteral(right.value, zone)
      return time === null ? null : foldTime(operator, ns, { kind: 'time', ns: time }, zone)
    }
    default:
      return null
  }
}

function foldComparison(operator: Operator, a: bigint, b: bigint): Folded {
  const result = operate(operator, a, b, false)
  return typeof result === 'boolean' ? boolean(result) : null
}

function foldString(operator: Operator, text: string, right: Literal, zone: Zone | null): Folded {
  if (right.kind === 'string') {
    if (operator === '+') return { kind: 'string', value: text + right.value }
    if (operator === '=' || operator === '!=') {
      const a = isTimeLiteral(text) ? parseTimeLiteral(text, zone) : null
      const b = isTimeLiteral(right.value) ? parseTimeLiteral(right.value, zone) : null
      const equal = a !== null && b !== null ? a === b : text === right.value
      return boolean(equal === (operator === '='))
    }
  } else if (right.kind !== 'duration' && right.kind !== 'time' && right.kind !== 'integer') {
    return null
  }
  const ns = parseTimeLiteral(text, zone)
  return ns === null ? null : foldTime(operator, ns, right, zone)
}
