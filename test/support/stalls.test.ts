import { expect, test } from 'vitest'
import { stalledMs, stallSince, undisturbed } from './stalls.ts'

// Promise: only what stood in the way of everybody is left out of the count, and only that is a reason to try again.

test.each([
  [50, 0],
  [250, 0],
  [3_250, 3_000],
])('%i ms from one look to the next are a stall of %i', (ms, stalled) => {
  expect(stallSince(1_000, 1_000 + ms)).toBe(stalled)
})

test('work that keeps this thread busy is none', () => {
  const [startedMs, stalledBeforeMs] = [performance.now(), stalledMs()]
  while (performance.now() - startedMs < 600);
  expect(stalledMs() - stalledBeforeMs).toBeLessThan(300)
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
