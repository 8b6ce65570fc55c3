import { beforeAll, describe, expect, test } from 'vitest'
import type { Call, Fault } from './faulty-client.ts'
import { excess, play, playQuietly } from './play.ts'
import { pointsAt, pointTable } from './points.ts'
import { scenarioNames, scenarios, type Scenario } from './scenarios.ts'

// Promise: whatever the API server answers to any one request, or if it does not answer, the operator ends where it
// ends without that, and creates, deletes and says nothing more often. Only where several
// things happen at once two more stops on the way may be told of, since others get ahead of what is late.

let all: readonly Scenario[]
beforeAll(async () => {
  all = await scenarios()
})

const check = pointTable('API server answers one request otherwise')

/** Where several things happen at once, they may be seen one after the other: how many more statuses tell of that. */
const statusesMore: ReadonlyMap<Scenario['name'], number> = new Map([
  ['create', 2],
  // That the edit was seen, before the first step that it asks for.
  ['data key rotation', 1],
  ['revoke while it is idle, and ask for it', 2],
  ['restore', 2],
  ['restore what is only now deleted', 2],
  ['revoke while it hibernates, and wake', 2],
  // That the pod is ready, before it is seen that its StatefulSet has rolled out.
  ['revoke and wake before it is said to sleep', 1],
  ['delete while it grows', 2],
  ['take the place of another', 2],
])

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
    const points = pointsAt(reference.calls, isHit, async (_call, at) => {
      const outcome = await play(scenario, reference, {
        at: (asked, index) => (index === at && isHit(asked) ? fault : null),
      })
      return { outcome, over: excess(outcome, reference, statusesMore.get(name)) }
    })
    expect(await check(`${fault}, ${name}`, points)).toEqual([])
  })
})
