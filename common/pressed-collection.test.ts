import { expect, test } from 'vitest'
import { FakeClock } from '../test/support/fake-clock.ts'
import { PressedCollection } from './pressed-collection.ts'

/** Promise: a process that has more than its part gives memory back while it works, and spends little time on it. */

function world() {
  const clock = new FakeClock()
  const state = { residentBytes: 0, collections: 0, looks: 0 }
  const { look } = new PressedCollection(1_000, {
    clock,
    residentBytes: () => {
      state.looks++
      return state.residentBytes
    },
    collect: () => {
      state.collections++
      clock.jump(40)
    },
  })
  return { clock, state, look }
}

test('nothing is done while there is room', () => {
  const { clock, state, look } = world()
  state.residentBytes = 500
  for (let round = 0; round < 100; round++) {
    look()
    clock.jump(100)
  }
  expect(state).toMatchObject({ collections: 0, looks: 100 })
})

test('beyond its part it collects, a tenth of the time at most', () => {
  const { clock, state, look } = world()
  state.residentBytes = 501
  const startMs = clock.monotonicMs()
  while (clock.monotonicMs() - startMs < 10_000) {
    look()
    clock.jump(5)
  }
  expect(state.collections).toBeGreaterThan(15)
  expect(state.collections * 40).toBeLessThanOrEqual(1_000)
})

test('it looks now and then, however often it is called', () => {
  const { clock, state, look } = world()
  for (let round = 0; round < 1_000; round++) {
    look()
    clock.jump(1)
  }
  expect(state.looks).toBe(20)
})
