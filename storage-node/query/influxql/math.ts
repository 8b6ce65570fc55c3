import { toFloat, type Scalar } from './scalar.ts'

/** By way of the binary exponent, as Go does it, which rounds unlike Math.log2. */
function log2(x: number): number {
  if (!(x > 0) || x === Infinity) return Math.log2(x)
  let exponent = Math.max(-1_023, Math.floor(Math.log2(x)) + 1)
  let fraction = x / 2 ** exponent
  while (fraction >= 1) {
    fraction /= 2
    exponent++
  }
  while (fraction < 0.5) {
    fraction *= 2
    exponent--
  }
  return fraction === 0.5 ? exponent - 1 : Math.log(fraction) * (1 / Math.LN2) + exponent
}

const unary: Readonly<Record<string, (x: number) => number>> = {
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  exp: Math.exp,
  ln: Math.log,
  log2,
  log10: (x) => Math.log(x) * Math.LOG10E,
  sqrt: Math.sqrt,
}
const binary: Readonly<Record<string, (x: number, y: number) => number>> = {
  atan2: Math.atan2,
  pow: Math.pow,
  log: (x, base) => Math.log(x) / Math.log(base),
}
/** Those that leave integers as they are. */
const rounding: Readonly<Record<string, (x: number) => number>> = {
  abs: Math.abs,
  floor: Math.floor,
  ceil: Math.ceil,
  // Halves go away from zero, unlike with Math.round.
  round: (x) => {
    const whole = Math.trunc(x)
    return Math.abs(x - whole) >= 0.5 ? whole + Math.sign(x) : whole
  },
}

export function isMathFunction(name: string): boolean {
  return Object.hasOwn(unary, name) || Object.hasOwn(binary, name) || Object.hasOwn(rounding, name)
}

export function argumentCount(name: string): number {
  return Object.hasOwn(binary, name) ? 2 : 1
}

/** A mathematical function's value; null where an argument is no number or the function is none of these. */
export function callMath(name: string, args: readonly Scalar[]): Scalar {
  const [first, second] = args
  if (args.length === 1 && Object.hasOwn(rounding, name)) return round(name, first)
  const x = toFloat(first)
  if (x === null) return null
  if (args.length === 1 && Object.hasOwn(unary, name)) return unary[name]!(x)
  const y = toFloat(second)
  if (args.length !== 2 || y === null || !Object.hasOwn(binary, name)) return null
  return binary[name]!(x, y)
}

function round(name: string, value: Scalar): Scalar {
  if (typeof value === 'number') return rounding[name]!(value)
  if (typeof value === 'bigint') return name === 'abs' && value < 0n ? BigInt.asIntN(64, -value) : value
  return toFloat(value) === null ? null : value
}
