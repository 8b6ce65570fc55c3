import { AppError } from './errors.ts'

/** Durations everywhere in Holdfast: one or more whole numbers with a unit, or 0. `720h`, `1h30m`, `2w`. */
export const durationPattern = '^(([0-9]+(ns|us|ms|s|m|h|d|w))+|0)$'
const wholePattern = new RegExp(durationPattern)

const unitsNs: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
}

/**
 * @returns nanoseconds
 * @throws AppError invalid, ERR_DURATION_SYNTAX
 */
export function parseDuration(text: string): bigint {
  if (!wholePattern.test(text)) {
    throw new AppError(
      'invalid',
      'ERR_DURATION_SYNTAX',
      `"${text}" is not a duration: use whole numbers with ns, us, ms, s, m, h, d or w, for example 720h or 1h30m, or 0`,
    )
  }
  let totalNs = 0n
  for (const [, amount, unit] of text.matchAll(/([0-9]+)(ns|us|ms|[smhdw])/g))
    totalNs += BigInt(amount!) * unitsNs[unit!]!
  return totalNs
}

/** @returns whole milliseconds, rounded up, for timers */
export function durationMs(text: string): number {
  return Number((parseDuration(text) + 999_999n) / 1_000_000n)
}
