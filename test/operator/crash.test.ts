import { beforeAll, describe, expect, test } from 'vitest'
import { excess, play, playQuietly } from './play.ts'
import { pointTable } from './points.ts'
import { scenarioNames, scenarios, type Scenario } from './scenarios.ts'

// Promise: an operator that ends after any of its writes is followed by one that ends where an undisturbed one does,
// and neither creates nor deletes anything more often than that.

let all: readonly Scenario[]
beforeAll(async () => {
  all = await scenarios()
})

/** What is lost with a process is made anew, and said: how many more statuses tell of that. */
const statusesMore: ReadonlyMap<Scenario['name'], number> = new Map([
  // A string that its Secret did not hold yet.
  ['rotate a token', 1],
])

const check = pointTable('Operator ends after a write')

describe('a process that ends after any write', () => {
  test.for(scenarioNames)('%s', async (name) => {
    const scenario = all.find((found) => found.name === name)!
    const reference = await playQuietly(scenario)
    const writes = reference.calls.filter(({ isWrite }) => isWrite).length
    const points = Array.from({ length: writes }, (_write, at) => ({
      name: `after write ${at + 1}`,
      play: async () => {
        let seen = -1
        const outcome = await play(scenario, reference, {
          at: (call) => (call.isWrite && (seen += 1) === at ? 'crash' : null),
        })
        const over = excess(outcome, reference, statusesMore.get(name))
        if (over !== '') throw new Error(over)
        return outcome.tookMs
      },
    }))
    expect(await check(name, points)).toEqual([])
  })
})
