import { AppError } from '../../common/errors.ts'
import { parseQuantity } from '../kube/quantity.ts'
import { quantityPattern } from './fields.ts'

const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'] as const
const decimal = ['m', '', 'k', 'M', 'G', 'T', 'P'] as const

const nanosPerThousandth = 1_000_000n

/**
 * What a claim or a class asks for, as whole thousandths, rounded up, so that `500m` of a processor and `1.5Gi` of a
 * disk compare without a loss.
 * @throws AppError invalid, ERR_QUANTITY_SYNTAX
 */
export function thousandths(text: string): bigint {
  const nanos = quantityPattern.test(text) ? parseQuantity(text) : null
  if (nanos !== null) return (nanos + nanosPerThousandth - 1n) / nanosPerThousandth
  throw new AppError(
    'invalid',
    'ERR_QUANTITY_SYNTAX',
    `"${text}" is not a quantity: use a number with Ki, Mi, Gi, Ti, Pi, k, M, G, T or P, for example 10Gi`,
  )
}

/** Whole bytes, rounded up. @throws AppError as `thousandths` */
export const bytesOf = (text: string): number => Number((thousandths(text) + 999n) / 1000n)

/** @returns below 0 if `a` is less, 0 if they are the same amount, above 0 if `a` is more */
export function compareQuantities(a: string, b: string): number {
  const difference = thousandths(a) - thousandths(b)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/**
 * The spelling that the API server gives a quantity when it stores one (`1024Mi` becomes `1Gi`, `0.5` becomes `500m`),
 * so that what is stored equals what was asked for.
 */
export function canonicalQuantity(text: string): string {
  const amount = thousandths(text)
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
