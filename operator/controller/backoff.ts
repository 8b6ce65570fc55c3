export interface BackoffCurve {
  readonly firstMs: number
  readonly maxMs: number
  /** By what each further wait is longer. */
  readonly factor: number
}

/** Failures of one key: quick at first, since most are a race that is over in a moment, then at most every 5 min. */
export const reconcileBackoff: BackoffCurve = { firstMs: 250, maxMs: 300_000, factor: 2 }

/** Lost watches and failed lists: less than five attempts in the first 10 s, never blind for more than 30 s. */
export const watchBackoff: BackoffCurve = { firstMs: 1_000, maxMs: 30_000, factor: 3 }

/**
 * How long to wait after a number of failures in a row: exponential, with the upper half drawn, so that what failed
 * together does not come back together.
 * @param failures 1 for the first
 * @param random in [0, 1)
 */
export function backoffMs(curve: BackoffCurve, failures: number, random: number): number {
  const fullMs = Math.min(curve.maxMs, curve.firstMs * curve.factor ** Math.max(0, failures - 1))
  return Math.round(fullMs / 2 + (fullMs / 2) * random)
}
