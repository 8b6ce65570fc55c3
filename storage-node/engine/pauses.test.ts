import { expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { Pauses } from './pauses.ts'

/** Promise: what fails again and again is tried ever more seldom, and never stops anything else. */

const minuteMs = 60_000

test('each failure in a row doubles the pause, up to six hours', () => {
  const clock = new FakeClock()
  const pauses = new Pauses(clock)
  const waits: number[] = []
  for (let failure = 0; failure < 8; failure++) {
    expect(pauses.noteFailure(['a', 'b'])).toBe(failure === 0)
    let minutes = 0
    for (; pauses.isWaiting('a'); minutes += 10) clock.jump(10 * minuteMs)
    expect(pauses.isWaiting('b')).toBe(false)
    waits.push(minutes)
  }
  expect(waits).toEqual([10, 20, 40, 80, 160, 320, 360, 360])
  expect(pauses.isWaiting('c')).toBe(false)
})

test('one that comes to others which have failed often waits with them', () => {
  const clock = new FakeClock()
  const pauses = new Pauses(clock)
  pauses.noteFailure(['a'])
  pauses.noteFailure(['a'])
  expect(pauses.noteFailure(['a', 'new'])).toBe(true)
  clock.jump(39 * minuteMs)
  expect(pauses.isWaiting('new')).toBe(true)
  clock.jump(minuteMs)
  expect(pauses.isWaiting('new')).toBe(false)
})

test('what is gone is forgotten', () => {
  const pauses = new Pauses(new FakeClock())
  pauses.noteFailure(['a', 'b'])
  pauses.keepOnly(new Set(['b', 'c']))
  expect([pauses.size, pauses.isWaiting('a'), pauses.isWaiting('b')]).toEqual([1, false, true])
  expect(pauses.noteFailure(['a'])).toBe(true)
})
