import { AppError } from '../../../common/errors.ts'
import type { BinaryExpr, Call, DataType, Expr } from './ast.ts'
import { formatExpr } from './format.ts'
import { operate } from './evaluate.ts'
import { isLiteral } from './reduce.ts'
import { typeOfScalar, Unsigned, type Scalar } from './scalar.ts'

/** What a variable that names no type is of. */
export type TypeOfName = (name: string) => DataType

/**
 * The type of an expression.
 * @throws AppError invalid, `type error: …`, where types do not go together
 */
export function typeOf(expr: Expr, typeOfName: TypeOfName): DataType {
  switch (expr.kind) {
    case 'ref':
      return expr.type === 'unknown' || expr.type === 'field' ? typeOfName(expr.name) : expr.type
    case 'call':
      return typeOfCall(expr, typeOfName)
    case 'binary':
      return typeOfBinary(expr, typeOfName)
    case 'paren':
      return typeOf(expr.inner, typeOfName)
    case 'number':
      return 'float'
    case 'integer':
    case 'unsigned':
    case 'string':
    case 'boolean':
      return expr.kind
    default:
      return 'unknown'
  }
}

/** As `typeOf`, but unknown where types do not go together. */
export function typeOrUnknown(expr: Expr, typeOfName: TypeOfName): DataType {
  try {
    return typeOf(expr, typeOfName)
  } catch (error) {
    if (error instanceof AppError) return 'unknown'
    throw error
  }
}

const floatCalls = new Set([
  'mean',
  'median',
  'integral',
  'stddev',
  'derivative',
  'non_negative_derivative',
  'moving_average',
])
const mathFloats = new Set([
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'atan2',
  'exp',
  'log',
  'ln',
  'log2',
  'log10',
  'sqrt',
  'pow',
])

/** Functions that are not known to change the type have that of their first argument. */
function typeOfCall(call: Call, typeOfName: TypeOfName): DataType {
  const [first = 'unknown'] = call.args.map((arg) => typeOf(arg, typeOfName))
  if (floatCalls.has(call.name)) return 'float'
  if (call.name === 'count' || call.name === 'elapsed') return 'integer'
  return first === 'unknown' && mathFloats.has(call.name) ? 'float' : first
}

function typeOfBinary(expr: BinaryExpr, typeOfName: TypeOfName): DataType {
  const left = typeOf(expr.left, typeOfName)
  const right = typeOf(expr.right, typeOfName)
  checkMixedIntegers(expr, left, right)
  if (left === 'unknown') return right
  if (right === 'unknown') return left
  // A result of zeros shows the type.
  const type = typeOfScalar(operate(expr.operator, zeroOf(left), zeroOf(right), false))
  if (type !== 'unknown') return type
  throw typeError(`type error: ${formatExpr(expr)}: incompatible types: ${left} and ${right}`)
}

/** Signed and unsigned only go together where one is a literal that fits either. */
function checkMixedIntegers(expr: BinaryExpr, left: DataType, right: DataType): void {
  const [unsigned, integer] =
    left === 'unsigned' && right === 'integer'
      ? [expr.left, expr.right]
      : left === 'integer' && right === 'unsigned'
        ? [expr.right, expr.left]
        : []
  if (unsigned === undefined || integer === undefined) return
  const text = `type error: ${formatExpr(expr)}: cannot use ${expr.operator}`
  if (isLiteral(unsigned)) throw typeError(`${text} with an integer and unsigned literal`)
  if (!isLiteral(integer)) {
    throw typeError(`${text} between an integer and unsigned, an explicit cast is required`)
  }
}

function zeroOf(type: DataType): Scalar {
  switch (type) {
    case 'float':
      return 0
    case 'integer':
      return 0n
    case 'unsigned':
      return new Unsigned(0n)
    case 'string':
    case 'tag':
      return ''
    case 'boolean':
      return false
    default:
      return null
  }
}

function typeError(text: string): AppError {
  return new AppError('invalid', 'ERR_QUERY_TYPE', text)
}
