import { expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { authorityUpkeep } from './upkeep.ts'

test('certificates are looked after before anything else starts, and what fails then is tried again', async () => {
  const clock = new FakeClock()
  let looks = 0
  let failures = 0
  const upkeep = authorityUpkeep({
    refresh: async () => {
      looks += 1
      if (looks < 3) throw new Error('a quota says no')
    },
    failed: () => (failures += 1),
    clock,
    log: silentLogger,
  })
  await upkeep.start()
  expect([looks, failures]).toEqual([1, 1])
  await clock.advance(20_000)
  expect(looks).toBeGreaterThan(3)
  expect(failures).toBe(2)
  await upkeep.stop()
})
