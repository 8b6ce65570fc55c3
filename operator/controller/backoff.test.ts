import { describe, expect, test } from 'vitest'
import { backoffMs, reconcileBackoff, watchBackoff } from './backoff.ts'

// The promise: waits grow, never beyond their limit, never to nothing, and two that failed together part.
describe('backoff', () => {
  test.each([
    [1, 0, 125],
    [1, 0.999_999, 250],
    [2, 0, 250],
    [5, 0, 2_000],
    [1_000, 0, 150_000],
    [1_000, 0.999_999, 300_000],
  ])('%i failures, drawn %d: %i ms', (failures, random, wantMs) => {
    expect(backoffMs(reconcileBackoff, failures, random)).toBe(wantMs)
  })

  test('a server that refuses every watch is asked less than five times in 10 s', () => {
    let attempts = 1
    for (
      let atMs = backoffMs(watchBackoff, 1, 0);
      atMs < 10_000;
      atMs += backoffMs(watchBackoff, attempts, 0)
    )
      attempts += 1
    expect(attempts).toBeLessThan(5)
  })
})
