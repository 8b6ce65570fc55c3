import { expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { Activity } from './activity.ts'

// A node is idle only while nobody is served, from its own start on.

test('it counts from the start, and from the end of the last answer', () => {
  const clock = new FakeClock()
  const activity = new Activity(clock)
  clock.jump(5_000)
  expect(activity.idleMs).toBe(5_000)
  activity.begin()
  activity.begin()
  clock.jump(60_000)
  activity.end()
  clock.jump(60_000)
  expect(activity.idleMs).toBe(0)
  activity.end()
  expect(activity.idleMs).toBe(0)
  clock.jump(1_500)
  expect(activity.idleMs).toBe(1_500)
})

test('a wall clock that is set says nothing', () => {
  const clock = new FakeClock()
  const activity = new Activity(clock)
  clock.step(3_600_000)
  expect(activity.idleMs).toBe(0)
})
