import { expect, test } from 'vitest'
import { FakeClock } from '../test/support/fake-clock.ts'
import { OperatorHealth } from './probes.ts'

// Promise: a leader that never comes to look after anybody is ended, so that another may try; nobody else is.

const minutes = 60_000
function health() {
  const clock = new FakeClock()
  return { clock, health: new OperatorHealth(clock) }
}

test('a stand-by is well for as long as it waits', async () => {
  const { clock, health: made } = health()
  expect(made.ready()).toBe('the lease has not been read yet')
  made.standsBy()
  await clock.advance(100 * minutes)
  expect([made.alive(), made.ready()]).toEqual([null, null])
})

test('a leader has ten minutes to fill its caches', async () => {
  const { clock, health: made } = health()
  made.standsBy()
  await clock.advance(100 * minutes)
  let missing: string | null = 'tokens reflector'
  made.leads(() => missing)
  expect([made.alive(), made.ready()]).toEqual([null, 'tokens reflector'])
  await clock.advance(9 * minutes)
  expect(made.alive()).toBeNull()
  await clock.advance(minutes)
  expect(made.alive()).toBe('not filled in 10 minutes: tokens reflector')
  missing = null
  expect([made.alive(), made.ready()]).toEqual([null, null])
})
