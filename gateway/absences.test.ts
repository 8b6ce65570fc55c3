import { expect, test } from 'vitest'
import { FakeClock } from '../test/support/fake-clock.ts'
import { Absences } from './absences.ts'

// Promise: a client that comes back five times when it is told to outlasts a minute without a node, and loses little time
// to a short one.

/** When a client with five retries asks, in seconds from its first time. */
function askedAt(absences: Absences, clock: FakeClock): readonly number[] {
  let nowSeconds = 0
  return Array.from({ length: 6 }, () => {
    const askedSeconds = nowSeconds
    const waitSeconds = absences.note('a')
    clock.jump(waitSeconds * 1_000)
    nowSeconds += waitSeconds
    return askedSeconds
  })
}

test('five times again is a minute, and never more than 30 s at once', () => {
  const clock = new FakeClock()
  expect(askedAt(new Absences(clock), clock)).toEqual([0, 2, 6, 14, 30, 60])
})

test('an organization that was reached begins anew, and so does one that nobody has asked for', () => {
  const clock = new FakeClock()
  const absences = new Absences(clock)
  expect(absences.note('a')).toBe(2)
  clock.jump(10_000)
  expect(absences.note('a')).toBe(12)
  expect(absences.note('b')).toBe(2)
  absences.end('a')
  expect(absences.note('a')).toBe(2)
  clock.jump(120_000)
  expect(absences.note('a')).toBe(2)
})

test('a part of a second counts as one, so that nobody is told to come back at once', () => {
  const clock = new FakeClock()
  const absences = new Absences(clock)
  absences.note('a')
  clock.jump(1)
  expect(absences.note('a')).toBe(3)
})

test('so many organizations are remembered, those that were asked for last', () => {
  const clock = new FakeClock()
  const absences = new Absences(clock, 2)
  for (const id of ['a', 'b', 'a', 'c']) absences.note(id)
  clock.jump(5_000)
  expect(['a', 'c', 'b'].map((id) => absences.note(id))).toEqual([7, 7, 2])
})
