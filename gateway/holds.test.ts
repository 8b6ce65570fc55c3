import { describe, expect, test } from 'vitest'
import { mintToken } from '../common/token.ts'
import { FakeClock, rest } from '../test/support/fake-clock.ts'
import { Holds, type Caller, type DoorAnswer, type HoldEnd } from './holds.ts'

// Requests wait for their organization within bounds of number and time; a wrong token waits for nothing.

const id = 'aaaaaaaaaaaaaaaa'
const callerOf = (name: string, organizationId = id): Caller => ({
  organizationId,
  token: mintToken(organizationId),
  credentialKey: name,
})

interface World {
  readonly clock: FakeClock
  readonly asked: string[]
  answer: DoorAnswer | 'nobody'
  readonly holds: Holds
}

function worldOf(limits = { requests: 10, requestsPerOrganization: 10 }): World {
  const clock = new FakeClock()
  const asked: string[] = []
  const world: World = {
    clock,
    asked,
    answer: 'waking',
    holds: new Holds(
      async (organizationId): Promise<DoorAnswer> => {
        asked.push(organizationId)
        if (world.answer === 'nobody') throw new Error('no operator')
        return world.answer
      },
      { holdMs: 10_000, ...limits },
      clock,
    ),
  }
  return world
}

/** Waits, and says how that ended as soon as it has. */
function waiting(holds: Holds, caller: Caller, signal = new AbortController().signal) {
  const state: { end: HoldEnd | null } = { end: null }
  void holds.until(caller, signal).then((end) => (state.end = end))
  return state
}

describe('all who wait with one token', () => {
  test('are asked for once, and go on together when the organization is awake', async () => {
    const world = worldOf()
    const all = [1, 2, 3].map(() => waiting(world.holds, callerOf('a')))
    await rest()
    expect([world.asked.length, world.holds.waiting, world.holds.isWaking(id)]).toEqual([1, 3, true])
    await world.clock.advance(1_000)
    expect(all.map(({ end }) => end)).toEqual([null, null, null])
    expect(world.asked.length).toBe(5)
    world.answer = 'awake'
    await world.clock.advance(250)
    expect(all.map(({ end }) => end)).toEqual(all.map(() => ({ end: 'awake', hasWoken: true })))
    await rest()
    expect([world.holds.waiting, world.holds.isWaking(id)]).toEqual([0, false])
  })

  test('leave nobody asking when they are gone', async () => {
    const world = worldOf()
    const gone = new AbortController()
    const waiter = waiting(world.holds, callerOf('a'), gone.signal)
    await rest()
    gone.abort()
    await rest()
    expect(waiter.end).toEqual({ end: 'late' })
    await world.clock.advance(5_000)
    expect([world.asked.length, world.holds.waiting, world.holds.isWaking(id)]).toEqual([1, 0, false])
    waiting(world.holds, callerOf('a'))
    await rest()
    expect(world.asked.length).toBe(2)
  })
})

describe('nobody waits', () => {
  test.each(['denied', 'asleep'] as const)('for what is %s', async (answer) => {
    const world = worldOf()
    world.answer = answer
    const waiter = waiting(world.holds, callerOf('a'))
    await rest()
    expect(waiter.end).toEqual({ end: answer })
    expect(world.holds.isWaking(id)).toBe(false)
  })

  test('with a wrong token beside a right one', async () => {
    const world = worldOf()
    const right = waiting(world.holds, callerOf('a'))
    await rest()
    world.answer = 'denied'
    const wrong = waiting(world.holds, callerOf('b'))
    await rest()
    expect([right.end, wrong.end]).toEqual([null, { end: 'denied' }])
  })

  test.each(['nobody', 'busy'] as const)('longer than a moment where the operator is %s', async (answer) => {
    const world = worldOf()
    world.answer = answer
    const waiter = waiting(world.holds, callerOf('a'))
    await world.clock.advance(900)
    expect(waiter.end).toBeNull()
    await world.clock.advance(400)
    expect(waiter.end).toEqual({ end: 'silent' })
  })

  test('where too many do, in all or for one organization', async () => {
    const world = worldOf({ requests: 3, requestsPerOrganization: 2 })
    for (const name of ['a', 'b']) waiting(world.holds, callerOf(name))
    const third = waiting(world.holds, callerOf('c'))
    waiting(world.holds, callerOf('d', 'bbbbbbbbbbbbbbbb'))
    const fifth = waiting(world.holds, callerOf('e', 'cccccccccccccccc'))
    await rest()
    expect([third.end, fifth.end]).toEqual([{ end: 'full' }, { end: 'full' }])
    expect(world.holds.waiting).toBe(3)
  })
})

test('an operator that falls silent once it wakes is waited for', async () => {
  const world = worldOf()
  const waiter = waiting(world.holds, callerOf('a'))
  await rest()
  world.answer = 'nobody'
  await world.clock.advance(8_000)
  expect(waiter.end).toBeNull()
  world.answer = 'awake'
  await world.clock.advance(250)
  expect(waiter.end).toEqual({ end: 'awake', hasWoken: true })
})
