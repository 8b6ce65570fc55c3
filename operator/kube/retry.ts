/** How one attempt went wrong. */
export interface Failure {
  /** Attempts made so far, 1 for the first. */
  readonly attempt: number
  /** null when no answer came. */
  readonly statusCode: number | null
  /** The answer's Retry-After. */
  readonly retryAfterMs: number | null
  /** Whether doing it twice is the same as doing it once. */
  readonly idempotent: boolean
  /** In [0, 1). */
  readonly random: number
}

export const maxAttempts = 4
const firstDelayMs = 200
/** A server that wants to be left alone for longer is better served by the caller's own back-off. */
const maxRetryAfterMs = 10_000

const retryableStatus = new Set([500, 502, 503, 504])

/**
 * A 429 was not worked on, so anything may be sent again; nor was a 401, which is tried once more with credentials
 * that were read anew. After the others, or with no answer, the server may have done it, so only what is idempotent
 * may.
 * @returns how long to wait before the next attempt, or null to give up
 */
export function retryDelayMs(failure: Failure): number | null {
  const { attempt, statusCode, retryAfterMs, idempotent, random } = failure
  if (attempt >= maxAttempts) return null
  const isRefusal = statusCode === 429 || (statusCode === 401 && attempt === 1)
  const mayRepeat = isRefusal || (idempotent && (statusCode === null || retryableStatus.has(statusCode)))
  if (!mayRepeat || (retryAfterMs ?? 0) > maxRetryAfterMs) return null
  const delayMs = firstDelayMs * 4 ** (attempt - 1) * (0.5 + random)
  return Math.round(Math.max(delayMs, (retryAfterMs ?? 0) * (1 + random / 4)))
}

/** Retry-After in whole seconds, as the API server gives it; null for anything else. */
export function parseRetryAfterMs(header: string | undefined): number | null {
  return header !== undefined && /^[0-9]{1,6}$/.test(header) ? Number(header) * 1_000 : null
}
