import { AppError } from '../../common/errors.ts'
import { quantityPattern } from './fields.ts'

const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'] as const
const decimal = ['m', '', 'k', 'M', 'G', 'T', 'P'] as const

const thousandths = new Map<string, bigint>([
  ...decimal.map((suffix, power) => [suffix, 1000n ** BigInt(power)] as const),
  ...binary.slice(1).map((suffix, power) => [suffix, 1000n * 1024n ** BigInt(power + 1)] as const),
])

/**
 * A Kubernetes quantity as whole thousandths, rounded up, so that `500m` of a processor and `1.5Gi` of a disk compare
 * without a loss.
 * @throws AppError invalid, ERR_QUANTITY_SYNTAX
 */
export function parseQuantity(text: string): bigint {
  if (!quantityPattern.test(text)) {
    throw new AppError(
      'invalid',
      'ERR_QUANTITY_SYNTAX',
      `"${text}" is not a quantity: use a number with Ki, Mi, Gi, Ti, Pi, k, M, G, T or P, for example 10Gi`,
    )
  }
  const [, whole, fraction = '', suffix = ''] = /^([0-9]+)(?:\.([0-9]+))?([a-zA-Z]*)$/.exec(text)!
  const scaled = BigInt(whole! + fraction) * thousandths.get(suffix)!
  const divisor = 10n ** BigInt(fraction.length)
  return (scaled + divisor - 1n) / divisor
}

/** @returns below 0 if `a` is less, 0 if they are the same amount, above 0 if `a` is more */
export function compareQuantities(a: string, b: string): number {
  const difference = parseQuantity(a) - parseQuantity(b)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/**
 * The spelling that the API server gives a quantity when it stores one (`1024Mi` becomes `1Gi`, `0.5` becomes `500m`),
 * so that what is stored equals what was asked for.
 */
export function canonicalQuantity(text: string): string {
  const amount = parseQuantity(text)
  if (amount === 0n) return '0'
  const isBinary = text.endsWith('i') && amount % 1000n === 0n && amount >= 1024n * 1000n
  const steps: readonly string[] = isBinary ? binary : decimal
  const step = isBinary ? 1024n : 1000n
  let value = isBinary ? amount / 1000n : amount
  let index = 0
  while (value % step === 0n && index < steps.length - 1) {
    value /= step
    index += 1
  }
  return `${value}${steps[index]}`
}

/** The same quantity `factor` times, in the API server's spelling. @param factor a whole number of at least 1 */
export function timesQuantity(text: string, factor: number): string {
  const [, whole, suffix] = /^([0-9]+)([a-zA-Z]*)$/.exec(canonicalQuantity(text))!
  return canonicalQuantity(`${BigInt(whole!) * BigInt(factor)}${suffix}`)
}
