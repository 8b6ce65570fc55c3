/** Decimal exponents of ten of the decimal suffixes. */
const decimalExponent: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
}
const binaryExponent: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 }

const pattern = /^([+-]?)([0-9]{1,40})(?:\.([0-9]{0,20}))?(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)$/

/** The API server keeps nothing finer than a nano. */
const nanoExponent = 9

/**
 * A Kubernetes quantity (`500m`, `1.5Gi`, `2e3`) in billionths, rounded up as the API server does, or null if the
 * text is none. Source: the format described at resource.Quantity in apimachinery.
 */
export function parseQuantity(text: string): bigint | null {
  const match = pattern.exec(text)
  if (!match) return null
  const [, sign, whole, fraction = '', exponent, suffix = ''] = match
  const digits = BigInt(`${whole}${fraction}`)
  const binary = binaryExponent[suffix]
  const shift =
    nanoExponent -
    fraction.length +
    (exponent === undefined ? (decimalExponent[suffix] ?? 0) : Number(exponent))
  const scaled = binary === undefined ? digits : digits * 2n ** BigInt(binary)
  const nanos = shift >= 0 ? scaled * 10n ** BigInt(shift) : divideUp(scaled, 10n ** BigInt(-shift))
  return sign === '-' ? -nanos : nanos
}

const divideUp = (dividend: bigint, divisor: bigint): bigint => (dividend + divisor - 1n) / divisor

/** Whether both are quantities of the same value: `1Gi` and `1024Mi`, `0.5` and `500m`, 2 and "2". */
export function sameQuantity(a: string | number, b: string | number): boolean {
  const [left, right] = [parseQuantity(String(a)), parseQuantity(String(b))]
  return left !== null && left === right
}
