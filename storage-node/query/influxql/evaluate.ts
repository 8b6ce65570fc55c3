import type { Expr } from './ast.ts'
import { callMath } from './math.ts'
import { Regex } from './regex.ts'
import { toFloat, Unsigned, type Scalar } from './scalar.ts'
import type { Operator } from './token.ts'

/** Gives a variable's value. */
export type Lookup = (name: string) => Scalar

export interface EvaluateOptions {
  /** Division of integers gives a float, as in SELECT; otherwise an integer, as in WHERE. */
  readonly floatDivision: boolean
  /** Mathematical functions are known. */
  readonly math: boolean
}

/** The value of an expression; null where types do not fit. */
export function evaluate(expr: Expr, lookup: Lookup, options: EvaluateOptions): Scalar {
  const value = evaluateAny(expr, lookup, options)
  return value instanceof Regex ? null : value
}

/** Whether a condition holds; what is not a boolean does not. */
export function holds(expr: Expr, lookup: Lookup, options: EvaluateOptions): boolean {
  return evaluateAny(expr, lookup, options) === true
}

function evaluateAny(expr: Expr, lookup: Lookup, options: EvaluateOptions): Scalar | Regex {
  switch (expr.kind) {
    case 'ref':
      return lookup(expr.name)
    case 'binary':
      return operate(
        expr.operator,
        evaluateAny(expr.left, lookup, options),
        evaluateAny(expr.right, lookup, options),
        options.floatDivision,
      )
    case 'paren':
      return evaluateAny(expr.inner, lookup, options)
    case 'call':
      if (!options.math) return null
      return callMath(
        expr.name,
        expr.args.map((arg) => evaluate(arg, lookup, options)),
      )
    case 'number':
    case 'integer':
    case 'string':
    case 'boolean':
      return expr.value
    case 'unsigned':
      return new Unsigned(expr.value)
    case 'regex':
      return expr.regex
    default:
      return null
  }
}

/** One operation on two values. */
export function operate(
  operator: Operator,
  left: Scalar | Regex,
  right: Scalar | Regex,
  floatDivision: boolean,
): Scalar {
  if (left === null && typeof right === 'boolean') return onBooleans(operator, false, right)
  if (right === null && typeof left === 'boolean') return onBooleans(operator, left, false)
  const result = onSame(operator, left, right, floatDivision)
  if (result !== noOperation) return result
  return ['=', '!=', '<', '<=', '>', '>='].includes(operator) ? false : null
}

/** Distinct from null, which operations on fitting types can give. */
const noOperation = Symbol('no operation')
type Outcome = Scalar | typeof noOperation

function onSame(
  operator: Operator,
  left: Scalar | Regex,
  right: Scalar | Regex,
  floatDivision: boolean,
): Outcome {
  if (typeof left === 'boolean') {
    if (typeof right === 'boolean') return onBooleans(operator, left, right)
    return ['AND', 'OR', '&', '|', '^', '=', '!='].includes(operator) ? false : noOperation
  }
  if (typeof left === 'string') return onString(operator, left, right)
  if (right instanceof Regex) return noOperation
  if (left instanceof Regex || left === null || left === undefined) return noOperation
  if (typeof left === 'number' || typeof right === 'number') {
    const a = toFloat(left)
    const b = toFloat(right)
    return a === null || b === null ? noOperation : onFloats(operator, a, b)
  }
  if (typeof right === 'string' || typeof right === 'boolean') return noOperation
  if (right === null || right === undefined) return noOperation
  if (typeof left === 'bigint' && typeof right === 'bigint') {
    return onIntegers(operator, left, right, floatDivision)
  }
  return onUnsigned(operator, left, right)
}

function onBooleans(operator: Operator, a: boolean, b: boolean): Scalar {
  switch (operator) {
    case 'AND':
    case '&':
      return a && b
    case 'OR':
    case '|':
      return a || b
    case '^':
    case '!=':
      return a !== b
    case '=':
      return a === b
    case '<':
    case '<=':
    case '>':
    case '>=':
      return false
    default:
      return null
  }
}

function onString(operator: Operator, left: string, right: Scalar | Regex): Outcome {
  switch (operator) {
    case '=':
      return typeof right === 'string' && left === right
    case '!=':
      return typeof right === 'string' && left !== right
    case '=~':
      return right instanceof Regex && right.matches(left)
    case '!~':
      return right instanceof Regex && !right.matches(left)
    default:
      return noOperation
  }
}

function onFloats(operator: Operator, a: number, b: number): Outcome {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return b === 0 ? 0 : a / b
    case '%':
      return a % b
    default:
      return compare(operator, a, b)
  }
}

function onIntegers(operator: Operator, a: bigint, b: bigint, floatDivision: boolean): Outcome {
  switch (operator) {
    case '/':
      if (floatDivision) return b === 0n ? 0 : Number(a) / Number(b)
      return b === 0n ? 0n : BigInt.asIntN(64, a / b)
    default: {
      const result = onBigInts(operator, a, b)
      return typeof result === 'bigint' ? BigInt.asIntN(64, result) : result
    }
  }
}

/** At least one side is unsigned; a negative integer is less than all of them, but wraps in arithmetic. */
function onUnsigned(operator: Operator, left: bigint | Unsigned, right: bigint | Unsigned): Outcome {
  const signed = typeof left === 'bigint' ? left : typeof right === 'bigint' ? right : 0n
  if (signed < 0n && ['<', '<=', '>', '>='].includes(operator)) {
    return (typeof left === 'bigint') === (operator === '<' || operator === '<=')
  }
  const a = typeof left === 'bigint' ? BigInt.asUintN(64, left) : left.value
  const b = typeof right === 'bigint' ? BigInt.asUintN(64, right) : right.value
  if (operator === '/') return new Unsigned(b === 0n ? 0n : a / b)
  const result = onBigInts(operator, a, b)
  return typeof result === 'bigint' ? new Unsigned(result) : result
}

function onBigInts(operator: Operator, a: bigint, b: bigint): bigint | boolean | typeof noOperation {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '%':
      return b === 0n ? 0n : a % b
    case '&':
      return a & b
    case '|':
      return a | b
    case '^':
      return a ^ b
    default:
      return compare(operator, a, b)
  }
}

function compare<T extends number | bigint>(operator: Operator, a: T, b: T): boolean | typeof noOperation {
  switch (operator) {
    case '=':
      return a === b
    case '!=':
      return a !== b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    case '>=':
      return a >= b
    default:
      return noOperation
  }
}
