import { describe, expect, test } from 'vitest'
import { parseRetryAfterMs, retryDelayMs } from './retry.ts'

// The promise: nothing is done twice that must be done once, and a server that asks for rest gets it.
const failure = { attempt: 1, statusCode: 503, retryAfterMs: null, idempotent: true, random: 0.5 } as const

describe('retries', () => {
  test.each<[string, Partial<Parameters<typeof retryDelayMs>[0]>, number | null]>([
    ['the first', {}, 200],
    ['the third', { attempt: 3 }, 3_200],
    ['none after the fourth attempt', { attempt: 4 }, null],
    ['drawn', { random: 0 }, 100],
    ['a creation after a 503', { idempotent: false }, null],
    ['a creation without an answer', { idempotent: false, statusCode: null }, null],
    ['a get without an answer', { statusCode: null }, 200],
    ['a creation after a 429', { idempotent: false, statusCode: 429 }, 200],
    ['what the server asks for', { statusCode: 429, retryAfterMs: 2_000, random: 0 }, 2_000],
    ['a little more than it asks for', { statusCode: 429, retryAfterMs: 2_000, random: 0.5 }, 2_250],
    ['more than we would wait', { statusCode: 429, retryAfterMs: 11_000 }, null],
    ['a 401 once', { statusCode: 401, idempotent: false }, 200],
    ['a 401 not twice', { statusCode: 401, attempt: 2 }, null],
    ['a conflict', { statusCode: 409 }, null],
    ['a refusal', { statusCode: 403 }, null],
  ])('%s', (_name, more, wantMs) => {
    expect(retryDelayMs({ ...failure, ...more })).toBe(wantMs)
  })

  test.each([
    ['1', 1_000],
    ['0', 0],
    [undefined, null],
    ['Wed, 21 Oct 2026 07:28:00 GMT', null],
    ['-1', null],
  ])('Retry-After %s', (header, wantMs) => {
    expect(parseRetryAfterMs(header)).toBe(wantMs)
  })
})
