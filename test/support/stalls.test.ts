import { expect, test } from 'vitest'
import { Stalls, undisturbed } from './stalls.ts'

// Promise: only what stood in the way of everybody is left out of the count, and only that is a reason to try again.

test('looks that come a little late are no stall, one that comes seconds late is, once', () => {
  let nowMs = 1_000
  const stalls = new Stalls(() => nowMs)
  const after = (ms: number) => {
    nowMs += ms
    return stalls.look()
  }
  expect([50, 120, 250].map(after)).toEqual([0, 0, 0])
  expect([3_250, 50, 1_250].map(after)).toEqual([3_000, 3_000, 4_000])
})

test.each([
  ['fails at once where nothing stood still', [0, 0], 1],
  ['is tried again where something did, and then fails', [0, 3_000, 3_000, 3_000], 2],
  ['is not tried for ever', Array.from({ length: 20 }, (_, look) => look * 1_000), 5],
])('what fails %s', async (_what, looks, tries) => {
  let tried = 0
  const left = looks.values()
  const failing = undisturbed(
    async () => {
      tried += 1
      throw new Error('late')
    },
    () => left.next().value ?? Number.NaN,
  )
  await expect(failing).rejects.toThrow('late')
  expect(tried).toBe(tries)
})
