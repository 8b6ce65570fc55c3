import { expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { Wakes } from './wakes.ts'

// A wish to have an organization awake holds for as long as somebody keeps asking, and wakes nobody later on.

test('it is forgotten after a while, unless it is said again', () => {
  const clock = new FakeClock()
  const wakes = new Wakes(clock)
  expect(wakes.wantedBy('a')).toBeNull()
  wakes.want('a', 'one')
  clock.jump(14_000)
  expect([wakes.wantedBy('a'), wakes.wantedBy('b')]).toEqual(['one', null])
  wakes.want('a', 'two')
  clock.jump(14_000)
  expect(wakes.wantedBy('a')).toBe('two')
  clock.jump(1_000)
  expect(wakes.wantedBy('a')).toBeNull()
})

test('memory is bounded', () => {
  const wakes = new Wakes(new FakeClock())
  for (let index = 0; index <= 10_000; index += 1) wakes.want(`organization-${index}`, 'token')
  expect([wakes.wantedBy('organization-0'), wakes.wantedBy('organization-1')]).toEqual([null, 'token'])
})
