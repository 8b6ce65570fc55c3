import { expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { RetentionClock } from './retention.ts'

/** Promise: a clock that is set wrong for a while makes retention drop nothing that it should not. */

const minuteMs = 60_000
const hourMs = 60 * minuteMs

function clocks() {
  const clock = new FakeClock()
  const retention = new RetentionClock(clock)
  const aheadMs = () => Number(clock.nowNs() - retention.nowNs()) / 1e6
  return { clock, aheadMs }
}

test('it is the wall clock, whatever time passes', () => {
  const { clock, aheadMs } = clocks()
  for (const ms of [1, 1_000, 100 * hourMs]) {
    clock.jump(ms)
    expect(aheadMs()).toBe(0)
  }
})

test('a leap forward counts when it has lasted an hour', () => {
  const { clock, aheadMs } = clocks()
  clock.step(1_000 * hourMs)
  expect(aheadMs()).toBe(1_000 * hourMs)
  clock.jump(hourMs - 1)
  expect(aheadMs()).toBe(1_000 * hourMs)
  clock.jump(1)
  expect(aheadMs()).toBe(0)
})

test('a leap that was taken back, or followed by another, has not lasted', () => {
  const { clock, aheadMs } = clocks()
  clock.step(10 * hourMs)
  expect(aheadMs()).toBe(10 * hourMs)
  clock.jump(hourMs / 2)
  clock.step(-10 * hourMs)
  expect(aheadMs()).toBe(0)
  clock.step(10 * hourMs)
  expect(aheadMs()).toBe(10 * hourMs)
  clock.jump(hourMs / 2)
  clock.step(10 * hourMs)
  expect(aheadMs()).toBe(20 * hourMs)
  clock.jump(hourMs / 2)
  expect(aheadMs()).toBe(20 * hourMs)
})

test('a leap back counts at once, and small corrections do', () => {
  const { clock, aheadMs } = clocks()
  clock.step(-1_000 * hourMs)
  expect(aheadMs()).toBe(0)
  clock.step(minuteMs)
  expect(aheadMs()).toBe(0)
})
