import type { Value } from '../result.ts'
import type { DataType } from './ast.ts'

/** An unsigned integer at run time; a bare bigint is a signed one. */
export class Unsigned {
  readonly value: bigint

  constructor(value: bigint) {
    this.value = BigInt.asUintN(64, value)
  }
}

/**
 * A value at run time: float as number, integer as bigint. `null` is a value that nothing gives, `undefined` a field
 * that a stored point lacks; the two differ only beside a boolean, where null counts as false.
 */
export type Scalar = number | bigint | Unsigned | string | boolean | null | undefined

/** For results: not-a-number is null, and integers of both kinds are bigint. */
export function toValue(scalar: Scalar): Value {
  if (scalar instanceof Unsigned) return scalar.value
  if (typeof scalar === 'number' && Number.isNaN(scalar)) return null
  return scalar ?? null
}

/** The number that a float, integer or unsigned is, or null for anything else. */
export function toFloat(scalar: Scalar): number | null {
  if (typeof scalar === 'number') return scalar
  if (typeof scalar === 'bigint') return Number(scalar)
  return scalar instanceof Unsigned ? Number(scalar.value) : null
}

const minInt64 = -(2n ** 63n)

/** As amd64 converts a float: towards zero, and the lowest integer for what does not fit. */
export function floatToInteger(value: number): bigint {
  if (!(value >= -(2 ** 63) && value < 2 ** 63)) return minInt64
  return BigInt(Math.trunc(value))
}

export function floatToUnsigned(value: number): Unsigned {
  if (value >= 2 ** 63 && value < 2 ** 64) return new Unsigned(BigInt(Math.trunc(value)))
  return new Unsigned(floatToInteger(value))
}

/** Casts between numbers; other values, and casts that are none, stay as they are. */
export function castTo(scalar: Scalar, type: DataType): Scalar {
  switch (type) {
    case 'float':
      return toFloat(scalar) ?? scalar
    case 'integer':
      if (typeof scalar === 'number') return floatToInteger(scalar)
      return scalar instanceof Unsigned ? BigInt.asIntN(64, scalar.value) : scalar
    case 'unsigned':
      if (typeof scalar === 'number') return floatToUnsigned(scalar)
      return typeof scalar === 'bigint' ? new Unsigned(scalar) : scalar
    default:
      return scalar
  }
}

/** Whether a value is of a type, after `castTo`. */
export function isOfType(scalar: Scalar, type: DataType): boolean {
  return typeOfScalar(scalar) === (type === 'tag' ? 'string' : type)
}

export function typeOfScalar(scalar: Scalar): DataType {
  switch (typeof scalar) {
    case 'number':
      return 'float'
    case 'bigint':
      return 'integer'
    case 'string':
      return 'string'
    case 'boolean':
      return 'boolean'
    default:
      return scalar instanceof Unsigned ? 'unsigned' : 'unknown'
  }
}

/** A value as a key that is equal for equal values of one type. */
export function scalarKey(scalar: Scalar): string | number | bigint | boolean | null | undefined {
  return scalar instanceof Unsigned ? scalar.value : scalar
}

/** Negative, zero or positive, as for sort; both of the same type. False is less than true. */
export function compareScalars(a: Scalar, b: Scalar): number {
  const left = scalarKey(a) ?? 0
  const right = scalarKey(b) ?? 0
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right)
  return left < right ? -1 : left > right ? 1 : 0
}

/** Order of UTF-8 bytes, which differs from that of UTF-16 units only beyond the surrogates. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return codePointOrder(left) - codePointOrder(right)
  }
  return a.length - b.length
}

/** Moves surrogates, which stand for the highest code points, behind all other units. */
const codePointOrder = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit)
