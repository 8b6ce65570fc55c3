import { beforeAll, describe, expect, test } from 'vitest'
import type { Call, Fault } from './faulty-client.ts'
import { excess, play, playQuietly } from './play.ts'
import { pointTable } from './points.ts'
import { scenarioNames, scenarios, type Scenario } from './scenarios.ts'

// Promise: whatever the API server answers to any one request, or if it does not answer, the operator ends where it
// ends without that, and creates, deletes and says nothing more often. Only where several
// things happen at once two more stops on the way may be told of, since others get ahead of what is late.

let all: readonly Scenario[]
beforeAll(async () => {
  all = await scenarios()
})

const check = pointTable('API server answers one request otherwise')

/** Where several things happen at once, they may be seen one after the other. */
const ofSeveral: readonly Scenario['name'][] = [
  'create',
  'revoke while it is idle, and ask for it',
  'restore',
  'restore what is only now deleted',
  'revoke while it hibernates, and wake',
  'delete while it grows',
]

const isOf =
  (...verbs: string[]) =>
  (call: Call): boolean =>
    verbs.includes(call.verb)
const isWrite = (call: Call): boolean => call.isWrite && call.verb !== 'node'
const isAny = (call: Call): boolean => call.verb !== 'node'
const faults: readonly (readonly [Fault, (call: Call) => boolean])[] = [
  [409, isWrite],
  [410, isOf('list', 'watch')],
  [429, isAny],
  [500, isAny],
  ['hang', isAny],
  ['reset before', isAny],
  ['reset after', isWrite],
]

describe.each(faults)('%s', (fault, isHit) => {
  test.for(scenarioNames)('%s', async (name) => {
    const scenario = all.find((found) => found.name === name)!
    const reference = await playQuietly(scenario)
    const points = reference.calls.flatMap((call, at) =>
      isHit(call)
        ? [
            {
              name: `${call.verb} ${call.what} (request ${at + 1})`,
              play: async () => {
                const outcome = await play(scenario, reference, {
                  at: (asked, index) => (index === at && isHit(asked) ? fault : null),
                })
                const over = excess(outcome, reference, ofSeveral.includes(name) ? 2 : 0)
                if (over !== '') throw new Error(over)
                return outcome.tookMs
              },
            },
          ]
        : [],
    )
    expect(await check(`${fault}, ${name}`, points)).toEqual([])
  })
})
