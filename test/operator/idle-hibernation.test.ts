import { beforeAll, describe, expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import type { Condition } from '../../operator/api/conditions.ts'
import type { OrganizationStatus } from '../../operator/api/organization.ts'
import type { TokenStatus } from '../../operator/api/token.ts'
import { resources } from '../../operator/kube/resource.ts'
import { networkPolicies } from '../../operator/naming/names.ts'
import type { Cluster } from './cluster.ts'
import { Line } from './faulty-client.ts'
import { OperatorProcess } from './operator-process.ts'
import { createObject, editObject, removeObject, team } from './objects.ts'
import { askFor, beIdle, idleTenant, settledTenant, usedTenant } from './scenarios.ts'

// Promise: what hibernates when idle sleeps once nobody was served for the time, and not before; it wakes when it is
// asked for, lets nobody in before what changed meanwhile is in force, and costs no write while it sleeps or is used.

const { organizations, tokens, databases, pods } = resources

let used: Cluster
let asleep: Cluster
beforeAll(async () => {
  used = await usedTenant()
  asleep = await idleTenant(used)
})

interface Tenant {
  readonly cluster: Cluster
  readonly operator: OperatorProcess
  readonly runtime: string
}

const started = (from: Cluster): Tenant => run(from.fork())

function run(cluster: Cluster): Tenant {
  const operator = new OperatorProcess(cluster, new Line(cluster, () => null))
  operator.start()
  const uid = cluster.get(organizations, 'acme', team)!.metadata.uid!
  return { cluster, operator, runtime: runtimeNamespace(idOfUid(uid)) }
}

async function pass({ cluster }: Tenant, seconds: number, look: () => void = () => undefined): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await cluster.tick()
    look()
    await cluster.clock.advance(1_000)
    look()
  }
}

const statusOf = (cluster: Cluster) =>
  cluster.get(organizations, 'acme', team)!['status'] as OrganizationStatus
const readyOf = (cluster: Cluster): Condition | undefined =>
  statusOf(cluster).conditions.find(({ type }) => type === 'Ready')
const runs = ({ cluster, runtime }: Tenant) => cluster.get(pods, 'storage-node-0', runtime) !== undefined
const isReachable = (world: Tenant): boolean =>
  runs(world) &&
  world.cluster.get(resources.networkPolicies, networkPolicies.gateway, world.runtime) !== undefined

describe('an organization that nobody uses', () => {
  test('sleeps, says so and why, and is ready', async () => {
    const world = started(used)
    await pass(world, 20)
    expect(runs(world)).toBe(true)
    beIdle(world.cluster)
    await pass(world, 30)
    await world.operator.end()
    expect(runs(world)).toBe(false)
    expect(statusOf(world.cluster).hibernation?.step).toBe('Hibernated')
    expect(readyOf(world.cluster)).toMatchObject({
      status: 'True',
      reason: 'Hibernated',
      message: expect.stringContaining('nobody was served for 30m'),
    })
  })

  test('is left alone as long as its time is not over', async () => {
    const world = started(used)
    for (let minute = 0; minute < 29; minute += 1) {
      world.cluster.nodes.idleMs = minute * 60_000
      await pass(world, 60, () => expect(runs(world)).toBe(true))
    }
    // It is looked at when its time is over, and nothing else asks for that.
    beIdle(world.cluster)
    await pass(world, 300)
    await world.operator.end()
    expect(runs(world)).toBe(false)
  })

  test.each([
    ['its node does not say', async (cluster: Cluster) => void (cluster.nodes.idleMs = null)],
    [
      'its spec says Never',
      async (cluster: Cluster) => editObject(cluster, organizations, 'acme', { hibernation: 'Never' }),
    ],
    [
      'its node fails to write files',
      async (cluster: Cluster) => {
        cluster.nodes.troubles = [
          { work: 'flush', failures: 3, since: '2026-11-22T00:00:00Z', message: 'no', refusesWrites: false },
        ]
      },
    ],
    [
      'a database whose data must go is still there',
      async (cluster: Cluster) => {
        const { uid } = cluster.get(databases, 'metrics', team)!.metadata
        cluster.nodes.cannotDrop = idOfUid(uid!)
        await removeObject(cluster, databases, 'metrics', team)
      },
    ],
    [
      'it is damaged',
      async (cluster: Cluster) => {
        cluster.nodes.damage = [{ file: 'files/1.parquet', offsetBytes: null, what: 'a flipped bit' }]
      },
    ],
  ])('is kept awake when %s', async (_why, prepare) => {
    const cluster = used.fork()
    beIdle(cluster)
    await prepare(cluster)
    const world = run(cluster)
    await pass(world, 60)
    await world.operator.end()
    expect(runs(world)).toBe(true)
    expect(statusOf(world.cluster).hibernation).toBeUndefined()
  })

  test('costs no write while it sleeps', async () => {
    const world = started(asleep)
    await pass(world, 20)
    const { version } = world.cluster.kube.world
    // Watches are told of the time each minute.
    await pass(world, 30)
    expect(world.cluster.kube.world.version).toBe(version)
    await world.operator.end()
  })

  test('was never said to sleep when it is new', async () => {
    const world = started(await settledTenant('Retain'))
    await editObject(world.cluster, organizations, 'acme', { hibernation: 'WhenIdle' })
    await pass(world, 20, () => expect(runs(world)).toBe(true))
    await world.operator.end()
    expect(readyOf(world.cluster)).toMatchObject({ status: 'True', reason: 'Ready' })
  })
})

describe('an organization that is asked for', () => {
  test('wakes, and lets nobody in before what was revoked and made is in force', async () => {
    const world = started(asleep)
    const { cluster } = world
    const hashesOf = (name: string) =>
      (cluster.get(tokens, name, team)!['status'] as TokenStatus).tokens.map(({ hash }) => hash)
    const [revoked] = hashesOf('writer')
    await removeObject(cluster, tokens, 'writer', team)
    await createObject(cluster, 'Token', 'reader', {
      organization: 'acme',
      permissions: [{ database: 'metrics', access: ['read'] }],
    })
    await pass(world, 5)
    askFor(cluster)
    await pass(world, 15, () => {
      if (!isReachable(world)) return
      const accepted = cluster.nodes.document!.tokens.map(({ hash }) => hash)
      expect(accepted).not.toContain(revoked)
      expect(accepted).toEqual(hashesOf('reader'))
    })
    await world.operator.end()
    expect(isReachable(world)).toBe(true)
    expect(statusOf(cluster).hibernation).toBeUndefined()
    expect(readyOf(cluster)).toMatchObject({ status: 'True', reason: 'Ready' })
  })

  test('while its pods stop wakes too', async () => {
    const world = started(used)
    beIdle(world.cluster)
    await world.cluster.clock.advance(11_000)
    expect(statusOf(world.cluster).hibernation?.step).toBe('Stopping')
    askFor(world.cluster)
    await pass(world, 15)
    await world.operator.end()
    expect(isReachable(world)).toBe(true)
    expect(readyOf(world.cluster)).toMatchObject({ status: 'True', reason: 'Ready' })
  })

  test('sleeps on when its spec says Now, also when that comes on its way to wake', async () => {
    const world = started(asleep)
    askFor(world.cluster)
    await world.cluster.tick()
    await world.cluster.clock.advance(100)
    expect(statusOf(world.cluster).hibernation?.step).toBe('Waking')
    await editObject(world.cluster, organizations, 'acme', { hibernation: 'Now' })
    await pass(world, 20, () => expect(isReachable(world)).toBe(false))
    await world.operator.end()
    expect(runs(world)).toBe(false)
    expect(statusOf(world.cluster).hibernation?.step).toBe('Hibernated')
  })

  test('and whose spec is Never again wakes by that alone', async () => {
    const world = started(asleep)
    await editObject(world.cluster, organizations, 'acme', { hibernation: 'Never' })
    await pass(world, 15)
    await world.operator.end()
    expect(isReachable(world)).toBe(true)
  })
})
