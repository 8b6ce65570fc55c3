import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { watchEventLoop } from './event-loop-delay.ts'

// Attacks the promise that a loop which was held up shows it, once, and that the time of the watching itself is none.

const blockedMs = 150

test('a loop that was held up shows it once', async () => {
  const read = watchEventLoop()
  await sleep(30)
  const untilMs = performance.now() + blockedMs
  while (performance.now() < untilMs);
  await sleep(30)
  const held = read()
  expect(held.maxMs).toBeGreaterThan(blockedMs - 20)
  expect(held.p50Ms).toBeLessThan(held.maxMs)
  // The machine may hold it up as well, but not again and again.
  await vi.waitFor(
    async () => {
      await sleep(60)
      expect(read().maxMs).toBeLessThan(blockedMs - 20)
    },
    { timeout: 60_000 },
  )
  expect(read()).toEqual({ p50Ms: 0, p99Ms: 0, maxMs: 0 })
})
