import { describe, expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import { silentLogger } from '../../common/log.ts'
import { FakeClock, rest } from '../../test/support/fake-clock.ts'
import { MemoryKube } from '../../test/support/memory-kube.ts'
import { resources } from '../kube/resource.ts'
import { LeaderElection } from './leader-election.ts'
import { microTime } from './micro-time.ts'

/*
 * The promise: never two processes that may write, and soon one again when the last is gone. Each candidate has a
 * clock of its own, as on two machines.
 */
const ref = { namespace: 'holdfast', name: 'operator' }

async function candidate(kube: MemoryKube, identity: string) {
  const clock = new FakeClock()
  const view = kube.with({})
  const lost: string[] = []
  const election = new LeaderElection({
    client: view,
    clock,
    log: silentLogger,
    resource: resources.leases,
    namespace: ref.namespace,
    leaseName: ref.name,
    identity,
    onLost: (reason) => lost.push(reason),
  })
  const started = election.start()
  started.catch(() => undefined)
  await rest()
  return { clock, election, lost, started }
}

const specOf = async (kube: MemoryKube) =>
  (await kube.get(resources.leases, ref))?.['spec'] as Record<string, unknown>
const unavailable = () => {
  throw new AppError('unavailable', 'ERR_KUBE_CONNECTION', 'no answer')
}

async function pass(ms: number, ...clocks: readonly FakeClock[]): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 500) for (const clock of clocks) await clock.advance(500)
}

describe('one leader', () => {
  test('the first takes the lease and keeps it, the second waits', async () => {
    const kube = new MemoryKube()
    const a = await candidate(kube, 'a')
    const b = await candidate(kube, 'b')
    await a.election.untilLeading()
    await b.started
    await pass(120_000, a.clock, b.clock)
    expect([a.election.held, b.election.held, a.lost, b.lost]).toEqual([true, false, [], []])
    expect(await specOf(kube)).toMatchObject({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
      renewTime: expect.stringMatching(/^2026-11-22T00:0(1:5[0-9]|2:00)\.[0-9]{6}Z$/),
    })
    await a.election.stop()
    await b.election.stop()
  })

  test('two that start at once: one', async () => {
    const kube = new MemoryKube()
    const both = await Promise.all([candidate(kube, 'a'), candidate(kube, 'b')])
    expect(both.filter(({ election }) => election.held)).toHaveLength(1)
    await Promise.all(both.map(({ election }) => election.stop()))
  })

  test('given back on stop, the next one has it within the retry time', async () => {
    const kube = new MemoryKube()
    const a = await candidate(kube, 'a')
    const b = await candidate(kube, 'b')
    await a.election.stop()
    expect(a.election.held).toBe(false)
    await pass(2_000, b.clock)
    expect([b.election.held, a.lost]).toEqual([true, []])
    expect(await specOf(kube)).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 })
    await b.election.stop()
  })

  test('gone without a word, its lease is taken after 15 s and not before', async () => {
    const kube = new MemoryKube()
    await candidate(kube, 'a')
    const b = await candidate(kube, 'b')
    await pass(14_500, b.clock)
    expect(b.election.held).toBe(false)
    await pass(2_000, b.clock)
    expect(b.election.held).toBe(true)
    await b.election.stop()
  })
})

describe('who is no longer the leader writes nothing', () => {
  test('stopped for longer than the lease, it wakes up fenced, before anything else of it has run', async () => {
    const kube = new MemoryKube()
    const a = await candidate(kube, 'a')
    const b = await candidate(kube, 'b')
    const writer = kube.with({ fence: a.election.fence })
    const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'ns' } }
    await writer.create(configMap)
    a.clock.jump(20_000)
    await pass(20_000, b.clock)
    expect(b.election.held).toBe(true)
    const writes = kube.world.writes.length
    await expect(
      writer.create({ ...configMap, metadata: { name: 'y', namespace: 'ns' } }),
    ).rejects.toMatchObject({
      code: 'ERR_KUBE_FENCED',
    })
    expect(kube.world.writes).toHaveLength(writes)
    await pass(2_000, a.clock)
    expect(a.lost).toHaveLength(1)
    expect((await specOf(kube))['holderIdentity']).toBe('b')
    await b.election.stop()
  })

  test('a paused machine, whose own clock stood still, is fenced by the wall clock', async () => {
    const { clock, election } = await candidate(new MemoryKube(), 'a')
    clock.step(20_000)
    expect(() => election.fence()).toThrow(expect.objectContaining({ code: 'ERR_KUBE_FENCED' }))
    await pass(2_500, clock)
    expect(election.held).toBe(true)
    await election.stop()
  })

  test('cut off, it counts itself out after 10 s, 5 s before anybody else can come in, and says so once', async () => {
    const kube = new MemoryKube()
    const a = await candidate(kube, 'a')
    kube.world.intercept = unavailable
    await pass(9_500, a.clock)
    expect([a.election.held, a.lost]).toEqual([true, []])
    await pass(1_000, a.clock)
    expect(a.election.held).toBe(false)
    await pass(60_000, a.clock)
    expect(a.lost).toEqual(['the lease was not renewed in time'])
    kube.world.intercept = () => undefined
    await pass(60_000, a.clock)
    expect(a.election.held).toBe(false)
    await a.election.stop()
  })

  test('a short outage costs nothing', async () => {
    const kube = new MemoryKube()
    const a = await candidate(kube, 'a')
    kube.world.intercept = unavailable
    await pass(7_000, a.clock)
    kube.world.intercept = () => undefined
    await pass(60_000, a.clock)
    expect([a.election.held, a.lost]).toEqual([true, []])
    await a.election.stop()
  })

  test('a renewal that arrived without its answer, or a label by somebody, is no loss', async () => {
    const kube = new MemoryKube()
    const a = await candidate(kube, 'a')
    const lease = (await kube.get(resources.leases, ref))!
    await kube.patchMetadata(lease, { labels: { seen: 'yes' } })
    await pass(4_000, a.clock)
    expect([a.election.held, a.lost]).toEqual([true, []])
    await a.election.stop()
  })

  test('another holder in the lease ends it at once', async () => {
    const kube = new MemoryKube()
    const a = await candidate(kube, 'a')
    const lease = (await kube.get(resources.leases, ref))!
    await kube.replace({ ...lease, spec: { holderIdentity: 'b', leaseDurationSeconds: 15 } })
    await pass(2_500, a.clock)
    expect([a.election.held, a.lost]).toEqual([false, ['the lease is held by b']])
    await a.election.stop()
    expect((await specOf(kube))['holderIdentity']).toBe('b')
  })
})

test('stopped before the API server answered, start rejects', async () => {
  const kube = new MemoryKube()
  kube.world.intercept = unavailable
  const { election, started } = await candidate(kube, 'a')
  await election.stop()
  await expect(started).rejects.toMatchObject({ code: 'ERR_LEADER_ELECTION_STOPPED' })
})

test.each([
  [0n, '1970-01-01T00:00:00.000000Z'],
  [1_700_000_000_123_456_789n, '2023-11-14T22:13:20.123456Z'],
])('a MicroTime has six digits: %s', (ns, want) => {
  expect(microTime(ns)).toBe(want)
})
