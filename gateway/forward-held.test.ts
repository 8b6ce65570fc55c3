import { describe, expect, test } from 'vitest'
import { FakeClock, rest } from '../test/support/fake-clock.ts'
import { forwardHeld, type HeldOutcome } from './forward-held.ts'
import { Holds, type DoorAnswer } from './holds.ts'
import type { Outcome } from './proxy.ts'

// A request that reaches no node waits for its organization and is passed on once; what was begun is never begun again.

const id = 'aaaaaaaaaaaaaaaa'
const refused: Outcome = {
  kind: 'unavailable',
  cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
  isUntouched: true,
}

function worldOf(answer: DoorAnswer | 'nobody', token: string | null = 'hfd_token') {
  const clock = new FakeClock()
  const gone = new AbortController()
  const world = {
    clock,
    gone,
    answer,
    outcome: refused,
    attempts: 0,
    end: null as HeldOutcome | null,
  }
  const ask = async (): Promise<DoorAnswer> => {
    if (world.answer === 'nobody') throw new Error('no operator')
    return world.answer
  }
  const limits = { holdMs: 10_000, requests: 10, requestsPerOrganization: 10 }
  const begin = () =>
    void forwardHeld({
      holds: new Holds(ask, limits, clock),
      caller: { organizationId: id, credentialKey: 'a', token },
      clientGone: gone.signal,
      clock,
      onHeld: () => undefined,
      attempt: async () => {
        world.attempts += 1
        return world.outcome
      },
    }).then((end) => (world.end = end))
  begin()
  return world
}

describe('a request for an organization that sleeps', () => {
  test('waits while that wakes, and is passed on when it is awake', async () => {
    const world = worldOf('waking')
    await world.clock.advance(4_000)
    expect([world.attempts, world.end]).toEqual([1, null])
    world.answer = 'awake'
    world.outcome = { kind: 'answered' }
    await world.clock.advance(250)
    expect([world.attempts, world.end]).toEqual([2, { kind: 'answered' }])
  })

  test('tries on where the way is still closed for a moment, to the end of its time', async () => {
    const world = worldOf('waking')
    await world.clock.advance(1_000)
    world.answer = 'awake'
    await world.clock.advance(2_000)
    expect(world.end).toBeNull()
    expect(world.attempts).toBeGreaterThan(5)
    await world.clock.advance(8_000)
    expect(world.end).toEqual({ kind: 'waking' })
  })

  test('is told to come back when its time is over', async () => {
    const world = worldOf('waking')
    await world.clock.advance(9_900)
    expect(world.end).toBeNull()
    await world.clock.advance(200)
    expect([world.attempts, world.end]).toEqual([1, { kind: 'waking' }])
  })

  test('is let go when its client goes', async () => {
    const world = worldOf('waking')
    await world.clock.advance(1_000)
    world.gone.abort()
    await rest()
    expect(world.end).toEqual({ kind: 'client-gone' })
  })
})

describe('nobody waits', () => {
  test.each([
    ['with a wrong token', 'denied', { kind: 'unauthorized' }],
    ['for what is told to sleep', 'asleep', { kind: 'asleep' }],
  ] as const)('%s', async (_what, answer, end) => {
    const world = worldOf(answer)
    await rest()
    expect([world.attempts, world.end]).toEqual([1, end])
  })

  test('with what is no token, and no operator hears of it', async () => {
    const world = worldOf('waking', null)
    await rest()
    expect(world.end).toEqual({ kind: 'unauthorized' })
  })

  test('for long without an operator: it is tried once more', async () => {
    const world = worldOf('nobody')
    await world.clock.advance(900)
    expect([world.attempts, world.end]).toEqual([1, null])
    world.outcome = { kind: 'answered' }
    await world.clock.advance(400)
    expect([world.attempts, world.end]).toEqual([2, { kind: 'answered' }])
  })

  test('for one that is awake and whose node is away: it is tried twice more', async () => {
    const world = worldOf('awake')
    await world.clock.advance(1_000)
    expect([world.attempts, world.end]).toEqual([3, refused])
  })

  test.each([
    ['whose body was begun', { ...refused, isUntouched: false }],
    ['that found somebody else there', { ...refused, cause: new Error('the peer is not it') }],
    ['that was answered', { kind: 'answered' }],
  ] as const)('with a request %s', async (_what, outcome) => {
    const clock = new FakeClock()
    let asked = 0
    const ask = async (): Promise<DoorAnswer> => {
      asked += 1
      return 'waking'
    }
    const end = await forwardHeld({
      holds: new Holds(ask, { holdMs: 10_000, requests: 10, requestsPerOrganization: 10 }, clock),
      caller: { organizationId: id, credentialKey: 'a', token: 'hfd_token' },
      clientGone: new AbortController().signal,
      clock,
      onHeld: () => undefined,
      attempt: async () => outcome,
    })
    expect([end, asked]).toEqual([outcome, 0])
  })
})
