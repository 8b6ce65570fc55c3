import { afterEach, describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { FakeClock, rest } from '../../test/support/fake-clock.ts'
import type { TriedPath } from './paths.ts'
import { IsolationProver, type Subject } from './prover.ts'
import type { Look } from './verdict.ts'

// Organizations are tried when they change, when somebody asks, and from time to time; few at once, none too often; and a pass
// is asked for only when there is something new to say.

const minuteMs = 60_000
const path = (result: TriedPath['result']): TriedPath => ({ from: 'a', to: 'b', control: 'Reached', result })
const closed: Look = { paths: [path('Closed')], troubles: [] }
const open: Look = { paths: [path('Open')], troubles: [] }
const silent: Look = { paths: [path('NotTried')], troubles: [{ why: 'the isolation probe does not run' }] }

const subject = (more: Partial<Subject> = {}): Subject => ({
  key: 'team/acme',
  organizationId: 'aaaaaaaaaaaaaaaa',
  operatorNamespace: 'holdfast-system',
  pods: [{ name: 'storage-node-0', uid: 'u', ip: '10.0.0.5', isReady: true }],
  access: [],
  policies: ['p 1'],
  request: null,
  wasReady: false,
  isAsSaid: true,
  ...more,
})

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function started(look: () => Look | Promise<Look> = () => closed) {
  const clock = new FakeClock()
  const world = {
    looks: [] as { id: string; atMs: number }[],
    changes: [] as string[],
    priorities: [] as string[],
    look,
  }
  const prover = new IsolationProver({
    look: async ({ organizationId }) => {
      world.looks.push({ id: organizationId, atMs: clock.monotonicMs() })
      return world.look()
    },
    onChange: (key, priority) => {
      world.changes.push(key)
      world.priorities.push(priority)
    },
    clock,
    random: () => 0.5,
    log: silentLogger,
    tried: () => undefined,
  })
  await prover.start()
  stops.push(() => prover.stop())
  /** Time passes, with a pass each minute as the queue would have it. */
  const minutes = async (count: number, seen = subject()) => {
    for (let minute = 0; minute < count; minute += 1) {
      prover.report(seen)
      await clock.advance(minuteMs)
    }
  }
  return { clock, world, prover, minutes }
}

describe('when it looks', () => {
  test('at once, then every few minutes, and says the same thing once', async () => {
    const { world, prover, minutes } = await started()
    expect(prover.report(subject()).finding).toEqual({ state: 'pending' })
    await rest()
    expect(prover.report(subject()).finding).toEqual({ state: 'isolated' })
    await minutes(60)
    expect(world.looks.length).toBeGreaterThanOrEqual(10)
    expect(world.looks.length).toBeLessThanOrEqual(13)
    expect(world.changes).toEqual(['team/acme'])
  })

  test.each([
    ['another pod', { pods: [{ name: 'storage-node-0', uid: 'v', ip: '10.0.0.6', isReady: true }] }],
    ['a policy that was put back', { policies: ['p 2'] }],
    ['another way in', { access: [{ namespace: 'team', podLabels: {}, cidr: null, except: [] }] }],
  ])('soon again after %s', async (_what, change) => {
    const { world, prover, clock } = await started()
    prover.report(subject())
    await clock.advance(10_000)
    prover.report(subject(change))
    await clock.advance(2_000)
    expect(world.looks).toHaveLength(2)
    prover.report(subject(change))
    await clock.advance(minuteMs)
    expect(world.looks).toHaveLength(2)
  })

  test('changes in quick succession are not a look each', async () => {
    const { world, prover, clock } = await started()
    for (let change = 0; change < 100; change += 1) {
      prover.report(subject({ policies: [`p ${change}`] }))
      await clock.advance(100)
    }
    expect(world.looks.length).toBeLessThanOrEqual(6)
  })

  test('by turns after a start at those that were Ready, and at once at what changes or is asked for', async () => {
    const { world, prover, clock } = await started()
    const id = (index: number) => index.toString(16).padStart(16, '0')
    const known = (index: number, more: Partial<Subject> = {}) =>
      prover.report(subject({ organizationId: id(index), wasReady: true, ...more }))
    for (let index = 0; index < 1_000; index += 1) known(index)
    await rest()
    expect(world.looks.length).toBeLessThanOrEqual(2)
    prover.report(subject({ organizationId: id(1_000) }))
    known(500, { policies: ['p 2'] })
    known(600, { request: 'now' })
    known(1_001, { isAsSaid: false })
    await rest()
    expect(new Set(world.looks.slice(-4).map((look) => look.id))).toEqual(
      new Set([id(500), id(600), id(1_000), id(1_001)]),
    )
    await clock.advance(10_000)
    expect(world.looks.length).toBeLessThanOrEqual(110)
    await clock.advance(1.5 * minuteMs)
    expect(new Set(world.looks.map((look) => look.id)).size).toBe(1_002)
  })

  test('at once at one that was Ready where this process began long ago and does not know it', async () => {
    const { world, prover, clock } = await started()
    const id = (index: number) => index.toString(16).padStart(16, '0')
    await clock.advance(20 * minuteMs)
    for (let index = 0; index < 1_000; index += 1)
      prover.report(subject({ organizationId: id(index), wasReady: true }))
    await clock.advance(5_000)
    expect(new Set(world.looks.map((look) => look.id)).size).toBe(1_000)
  })

  test.each([
    ['nobody waits for what another process has seen', true, true, () => closed, 'resync'],
    ['nor for what stays Ready when it is edited', true, false, () => closed, 'resync'],
    ['everybody waits for what was open unseen', true, true, () => open, 'edit'],
    ['who made it waits', false, true, () => closed, 'edit'],
  ] as const)('%s', async (_what, wasReady, isAsSaid, look, priority) => {
    const { world, minutes } = await started(look)
    await minutes(1, subject({ wasReady, isAsSaid }))
    expect(world.priorities).toEqual([priority])
  })

  test.each([
    ['open', [open, silent, open], 15],
    ['isolated', [open, open, silent, closed], 45],
  ] as const)(
    'once it has found something, it says %s as soon after a start as ever',
    async (said, looks, withinS) => {
      const left: Look[] = [...looks]
      const { prover, clock, world } = await started()
      const others = Array.from({ length: 1_000 }, (_none, index) => index.toString(16).padStart(16, '0'))
      world.look = () => (left.length > 1 ? left.shift()! : left[0]!)
      prover.report(subject({ wasReady: true }))
      await rest()
      for (const organizationId of others)
        prover.report(subject({ organizationId, wasReady: true, key: 'other' }))
      const { look } = world
      world.look = () => (world.looks.at(-1)?.id === subject().organizationId ? look() : closed)
      await clock.advance(withinS * 1_000)
      expect(prover.report(subject({ wasReady: true })).finding.state).toBe(said)
    },
  )

  test('ten times a second after a start, in vain too', async () => {
    const { world, prover, clock } = await started(() => silent)
    const id = (index: number) => index.toString(16).padStart(16, '0')
    for (let index = 0; index < 1_000; index += 1)
      prover.report(subject({ organizationId: id(index), wasReady: true }))
    for (let second = 1; second <= 180; second += 1) {
      await clock.advance(1_000)
      expect(world.looks.length).toBeLessThanOrEqual(10 * second + 1)
    }
    expect(new Set(world.looks.map((look) => look.id)).size).toBe(1_000)
    expect(world.looks.length).toBeGreaterThan(1_700)
  })

  test('no more than ten times a second in vain at many', async () => {
    const { world, prover, clock } = await started(() => silent)
    const id = (index: number) => index.toString(16).padStart(16, '0')
    const all = () => {
      for (let index = 0; index < 1_000; index += 1) prover.report(subject({ organizationId: id(index) }))
    }
    all()
    for (let minute = 0; minute < 10; minute += 1) {
      await clock.advance(minuteMs)
      all()
    }
    const before = world.looks.length
    for (let minute = 0; minute < 10; minute += 1) {
      await clock.advance(minuteMs)
      all()
    }
    expect(world.looks.length - before).toBeLessThanOrEqual(6_600)
    expect(world.looks.length - before).toBeGreaterThanOrEqual(3_000)
  })

  test('few at a time of many, each once', async () => {
    let running = 0
    let most = 0
    const pending: (() => void)[] = []
    const { world, prover } = await started(async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise<void>((resolve) => pending.push(resolve))
      running -= 1
      return closed
    })
    const id = (index: number) => index.toString(16).padStart(16, '0')
    for (let index = 0; index < 100; index += 1) prover.report(subject({ organizationId: id(index) }))
    for (let turn = 0; turn < 100; turn += 1) {
      await rest()
      pending.shift()?.()
    }
    await rest()
    expect(most).toBe(16)
    expect(new Set(world.looks.map((look) => look.id)).size).toBe(100)
    expect(world.looks).toHaveLength(100)
  })

  test('nobody waits for those that are asked for all the time', async () => {
    const clocks: FakeClock[] = []
    const { clock, world, prover } = await started(async () => {
      await clocks[0]!.sleep(3_000)
      return closed
    })
    clocks.push(clock)
    const id = (index: number) => index.toString(16).padStart(16, '0')
    for (let second = 0; second < 30; second += 1) {
      for (let index = 0; index < 32; index += 1)
        prover.report(subject({ organizationId: id(index), request: `r${second}` }))
      if (second === 5) prover.report(subject())
      await clock.advance(1_000)
    }
    const tried = new Set(world.looks.map((look) => look.id))
    await clock.advance(10_000)
    expect(tried.has(subject().organizationId)).toBe(true)
  })

  test('no more of what no pass has seen for long, and nothing of what is forgotten', async () => {
    const { world, prover, clock } = await started()
    prover.report(subject())
    await clock.advance(60 * minuteMs)
    expect(world.looks.length).toBeLessThanOrEqual(4)
    prover.report(subject())
    prover.forget(subject().organizationId)
    const before = world.looks.length
    await clock.advance(60 * minuteMs)
    expect(world.looks.length).toBeLessThanOrEqual(before + 1)
    expect(prover.report(subject()).finding).toEqual({ state: 'pending' })
  })
})

describe('what it finds', () => {
  test('an open path is said when it is open twice, and closed again as soon as it is', async () => {
    const { world, prover, clock } = await started()
    prover.report(subject())
    await clock.advance(1_000)
    world.look = () => open
    prover.report(subject({ policies: ['p 2'] }))
    await clock.advance(1_500)
    expect(prover.report(subject({ policies: ['p 2'] })).finding.state).toBe('isolated')
    await clock.advance(3_000)
    expect(prover.report(subject({ policies: ['p 2'] })).finding).toMatchObject({
      state: 'open',
      paths: ['from a to b'],
    })
    world.look = () => closed
    await clock.advance(31_000)
    expect(prover.report(subject({ policies: ['p 2'] })).finding.state).toBe('isolated')
    expect(world.changes).toHaveLength(3)
  })

  test('a path that was open for a moment is not said', async () => {
    const { world, prover, clock } = await started(() => open)
    prover.report(subject())
    await rest()
    world.look = () => closed
    await clock.advance(4_000)
    expect(prover.report(subject()).finding.state).toBe('isolated')
    expect(world.changes).toHaveLength(1)
  })

  test('silence leaves what was found, for a quarter of an hour, and is tried again ever more slowly', async () => {
    const { world, prover, clock, minutes } = await started()
    prover.report(subject())
    await clock.advance(1_000)
    world.look = () => silent
    prover.report(subject({ policies: ['p 2'] }))
    await minutes(14, subject({ policies: ['p 2'] }))
    expect(prover.report(subject({ policies: ['p 2'] })).finding.state).toBe('isolated')
    expect(world.changes).toHaveLength(1)
    await minutes(3, subject({ policies: ['p 2'] }))
    expect(prover.report(subject({ policies: ['p 2'] })).finding).toMatchObject({
      state: 'untried',
      isLasting: true,
      why: 'the isolation probe does not run',
    })
    expect(world.changes).toHaveLength(2)
    expect(world.looks.length).toBeLessThan(30)
  })

  test('a look that fails is silence', async () => {
    const { prover } = await started(() => Promise.reject(new Error('no route')))
    prover.report(subject())
    await rest()
    expect(prover.report(subject()).finding).toMatchObject({ state: 'untried' })
  })
})

describe('a request', () => {
  test('is answered once by a look that began after it, with every path', async () => {
    const { world, prover, clock } = await started()
    prover.report(subject())
    await clock.advance(10_000)
    const asked = subject({ request: 'r1' })
    expect(prover.report(asked).proof).toBeNull()
    await clock.advance(2_500)
    expect(prover.report(asked).proof).toMatchObject({ request: 'r1', paths: closed.paths })
    expect(world.looks).toHaveLength(2)
    // Status has said it.
    prover.report(subject())
    await clock.advance(minuteMs)
    expect(world.looks).toHaveLength(2)
  })

  test('for what is open is answered when it was open twice', async () => {
    const { prover, clock } = await started(() => open)
    const asked = subject({ request: 'r1' })
    prover.report(asked)
    await rest()
    expect(prover.report(asked).proof).toBeNull()
    await clock.advance(3_500)
    expect(prover.report(asked).proof?.paths).toEqual(open.paths)
  })

  test('after request is one look in two seconds at most', async () => {
    const { world, prover, clock } = await started()
    for (let turn = 0; turn < 100; turn += 1) {
      prover.report(subject({ request: `r${turn}` }))
      await clock.advance(100)
    }
    expect(world.looks.length).toBeLessThanOrEqual(6)
  })
})
