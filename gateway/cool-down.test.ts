import { expect, test } from 'vitest'
import { FakeClock } from '../test/support/fake-clock.ts'
import { CoolDown } from './cool-down.ts'

// Promise: a flood of what a node refuses reaches it at most ten times a second and what is under way; one that is a little
// over its limit notices nothing.

function refuse(coolDown: CoolDown, times: number, key = 'a'): void {
  for (let count = 0; count < times; count++) coolDown.note(key)
}

test('ten refusals within a second, and the gateway answers for a second', () => {
  const clock = new FakeClock()
  const coolDown = new CoolDown(clock)
  refuse(coolDown, 9)
  expect(coolDown.isOn('a')).toBe(false)
  refuse(coolDown, 1)
  expect(coolDown.isOn('a')).toBe(true)
  clock.jump(999)
  expect(coolDown.isOn('a')).toBe(true)
  clock.jump(1)
  expect(coolDown.isOn('a')).toBe(false)
})

test('what was under way makes it no longer, and afterwards ten more are needed', () => {
  const clock = new FakeClock()
  const coolDown = new CoolDown(clock)
  refuse(coolDown, 10)
  clock.jump(500)
  refuse(coolDown, 100)
  clock.jump(500)
  expect(coolDown.isOn('a')).toBe(false)
  refuse(coolDown, 9)
  expect(coolDown.isOn('a')).toBe(false)
  refuse(coolDown, 1)
  expect(coolDown.isOn('a')).toBe(true)
})

test('nine a second are nobody’s flood, however long', () => {
  const clock = new FakeClock()
  const coolDown = new CoolDown(clock)
  for (let second = 0; second < 60; second++) {
    refuse(coolDown, 9)
    clock.jump(1_000)
    expect(coolDown.isOn('a')).toBe(false)
  }
})

test('each key for itself, and so many are remembered, those that were refused last', () => {
  const coolDown = new CoolDown(new FakeClock(), 2)
  refuse(coolDown, 10)
  expect(coolDown.isOn('b')).toBe(false)
  refuse(coolDown, 10, 'b')
  expect([coolDown.isOn('a'), coolDown.isOn('b')]).toEqual([true, true])
  refuse(coolDown, 1, 'c')
  expect([coolDown.isOn('a'), coolDown.isOn('b')]).toEqual([false, true])
})
