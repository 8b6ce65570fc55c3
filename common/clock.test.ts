import { expect, test } from 'vitest'
import { systemClock, wallClockNs } from './clock.ts'

// Promise: nanoseconds of the wall clock are finer than its milliseconds, never run back by themselves, and follow
// whoever sets it.

function simulated() {
  let wallMs = 1_700_000_000_000.25
  let monotonicMs = 5_000
  const nowNs = wallClockNs(
    () => Math.floor(wallMs),
    () => monotonicMs,
  )
  return {
    nowNs,
    offMs: () => Number(nowNs()) / 1e6 - wallMs,
    pass(ms: number) {
      wallMs += ms
      monotonicMs += ms
    },
    set: (ms: number) => (wallMs += ms),
  }
}

test('it is never a millisecond and a half off, and strictly grows with time that passes', () => {
  const clock = simulated()
  let last = clock.nowNs()
  for (let step = 0; step < 5_000; step++) {
    clock.pass(0.013)
    const now = clock.nowNs()
    expect(now).toBeGreaterThan(last)
    expect(Math.abs(clock.offMs())).toBeLessThan(1.5)
    last = now
  }
})

test.each([-31_536_000_000, -3_600_000, -2, 2, 3_600_000, 31_536_000_000])(
  'it follows when the clock is set by %i ms',
  (ms) => {
    const clock = simulated()
    clock.nowNs()
    clock.set(ms)
    expect(Math.abs(clock.offMs())).toBeLessThan(1.5)
  },
)

test('the real one is the time', () => {
  const beforeMs = Date.now()
  const nowMs = Number(systemClock.nowNs() / 1_000_000n)
  expect(nowMs).toBeGreaterThan(beforeMs - 100)
  expect(nowMs).toBeLessThan(Date.now() + 100)
})
