import { beforeAll, describe, expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import type { Condition } from '../../operator/api/conditions.ts'
import type { OrganizationStatus } from '../../operator/api/organization.ts'
import type { TokenStatus } from '../../operator/api/token.ts'
import { resources, type Resource } from '../../operator/kube/resource.ts'
import { networkPolicies, secretNames } from '../../operator/naming/names.ts'
import { platform } from '../support/tenant-world.ts'
import { Cluster } from './cluster.ts'
import { Line } from './faulty-client.ts'
import { OperatorProcess } from './operator-process.ts'
import { createObject, editObject, removeObject, team } from './objects.ts'
import { hibernatedTenant, revokeAndWake, settledTenant, stoppedTenant } from './scenarios.ts'

// Promise: an organization that hibernates keeps all but its pods and holds up nobody who waits for it to be ready; what
// was made or revoked while it slept is in force before a client can reach a node of it.

const { organizations, tokens, databases, pods, statefulSets, persistentVolumeClaims, secrets } = resources

let settled: Cluster
let asleep: Cluster
beforeAll(async () => {
  settled = await settledTenant('Retain')
  asleep = await hibernatedTenant()
})

interface Tenant {
  readonly cluster: Cluster
  readonly operator: OperatorProcess
  readonly runtime: string
}

function started(from: Cluster, line?: Line): Tenant {
  const cluster = line?.cluster ?? from.fork()
  const operator = new OperatorProcess(cluster, line ?? new Line(cluster, () => null))
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
function condition(cluster: Cluster, resource: Resource, name: string, type: string): Condition | undefined {
  const status = cluster.get(resource, name, team)?.['status'] as
    | { readonly conditions: readonly Condition[] }
    | undefined
  return status?.conditions.find((found) => found.type === type)
}
const setHibernation = ({ cluster }: Tenant, hibernation: string, spec: object = {}) =>
  editObject(cluster, organizations, 'acme', { hibernation, ...spec })
const hashesOf = (cluster: Cluster, name: string): readonly string[] =>
  (cluster.get(tokens, name, team)!['status'] as TokenStatus).tokens.map(({ hash }) => hash)
const accepted = (cluster: Cluster): readonly string[] =>
  cluster.nodes.document?.tokens.map(({ hash }) => hash) ?? []
/** A client that has the right token gets through to a node. */
const isReachable = ({ cluster, runtime }: Tenant): boolean =>
  cluster.get(pods, 'storage-node-0', runtime) !== undefined &&
  cluster.get(resources.networkPolicies, networkPolicies.gateway, runtime) !== undefined

describe('an organization that hibernates', () => {
  test('has no pod, keeps its volume, its keys and what it told, and is ready', async () => {
    const world = started(settled)
    const { cluster, runtime } = world
    const before = [
      cluster.get(persistentVolumeClaims, 'data-storage-node-0', runtime),
      cluster.get(secrets, secretNames.dataKey, runtime),
      cluster.get(secrets, 'writer', team),
      cluster.get(tokens, 'writer', team),
      cluster.get(databases, 'metrics', team),
    ]
    const storage = statusOf(cluster).storage
    await setHibernation(world, 'Now')
    await pass(world, 10)
    await world.operator.end()
    expect(cluster.get(pods, 'storage-node-0', runtime)).toBeUndefined()
    expect([
      cluster.get(persistentVolumeClaims, 'data-storage-node-0', runtime),
      cluster.get(secrets, secretNames.dataKey, runtime),
      cluster.get(secrets, 'writer', team),
      cluster.get(tokens, 'writer', team),
      cluster.get(databases, 'metrics', team),
    ]).toEqual(before)
    expect(statusOf(cluster)).toMatchObject({ hibernation: { step: 'Hibernated' }, storage })
    expect(condition(cluster, organizations, 'acme', 'Ready')).toMatchObject({
      status: 'True',
      reason: 'Hibernated',
    })
    expect(condition(cluster, organizations, 'acme', 'Reconciling')?.status).toBe('False')
  })

  test('says that it is stopping until the last pod is gone', async () => {
    const world = started(settled)
    await setHibernation(world, 'Now')
    await world.cluster.clock.advance(1_000)
    expect(statusOf(world.cluster).hibernation?.step).toBe('Stopping')
    expect(condition(world.cluster, organizations, 'acme', 'Ready')).toMatchObject({
      status: 'False',
      reason: 'Hibernating',
    })
    expect(isReachable(world)).toBe(true)
    await world.operator.end()
  })

  test('that was never awake makes no volume, and is ready', async () => {
    const cluster = Cluster.create()
    await cluster.kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: team } })
    await createObject(cluster, 'Organization', 'acme', { hibernation: 'Now' })
    const world = started(cluster)
    await pass(world, 10)
    await world.operator.end()
    expect(world.cluster.all(persistentVolumeClaims)).toEqual([])
    expect(condition(world.cluster, organizations, 'acme', 'Ready')?.reason).toBe('Hibernated')
  })

  test('keeps a Token that is made ready with its Secret, and lets one go that is deleted', async () => {
    const world = started(asleep)
    const { cluster } = world
    await createObject(cluster, 'Token', 'reader', {
      organization: 'acme',
      permissions: [{ database: 'metrics', access: ['read'] }],
    })
    await removeObject(cluster, tokens, 'writer', team)
    await pass(world, 5)
    await world.operator.end()
    expect(condition(cluster, tokens, 'reader', 'Ready')).toMatchObject({
      status: 'True',
      reason: 'Hibernated',
    })
    expect(cluster.get(secrets, 'reader', team)).toBeDefined()
    expect(cluster.get(tokens, 'writer', team)).toBeUndefined()
    expect(cluster.get(secrets, 'writer', team)).toBeUndefined()
  })

  test('keeps a Database whose data must go until it wakes', async () => {
    const world = started(asleep)
    const { cluster } = world
    const { uid } = cluster.get(databases, 'metrics', team)!.metadata
    await removeObject(cluster, databases, 'metrics', team)
    await pass(world, 10)
    expect(cluster.get(databases, 'metrics', team)).toBeDefined()
    await setHibernation(world, 'Never')
    await pass(world, 15)
    await world.operator.end()
    expect(cluster.get(databases, 'metrics', team)).toBeUndefined()
    expect(cluster.nodes.dropped).toEqual([idOfUid(uid!)])
  })

  test('that was damaged is not taken for sound', async () => {
    const world = started(settled)
    world.cluster.nodes.damage = [{ file: 'files/1.parquet', offsetBytes: null, what: 'a flipped bit' }]
    await pass(world, 1)
    await setHibernation(world, 'Now', { displayName: 'Acme' })
    await pass(world, 10)
    await world.operator.end()
    expect(condition(world.cluster, organizations, 'acme', 'IntegrityVerified')).toMatchObject({
      status: 'False',
      reason: 'DataDamaged',
    })
  })

  test('is put back to sleep if somebody wakes its pods, and nobody reaches them', async () => {
    const world = started(asleep)
    const { cluster, runtime } = world
    await pass(world, 2)
    const set = cluster.get(statefulSets, 'storage-node', runtime)!
    await cluster.kube.apply({ ...set, spec: { ...(set['spec'] as object), replicas: 1 } })
    await cluster.tick()
    await pass(world, 5, () => expect(isReachable(world)).toBe(false))
    await world.operator.end()
    expect(cluster.get(pods, 'storage-node-0', runtime)).toBeUndefined()
    expect(statusOf(cluster).hibernation?.step).toBe('Hibernated')
  })
})

describe('an organization that wakes', () => {
  test.each([
    ['at once', 0],
    ['when its node answers at last', 20],
  ])('lets nobody in before what was revoked and made is in force, %s', async (_how, silentSeconds) => {
    const world = started(asleep)
    const { cluster } = world
    const [revoked] = hashesOf(cluster, 'writer')
    expect(accepted(cluster)).toEqual([revoked])
    await removeObject(cluster, tokens, 'writer', team)
    await createObject(cluster, 'Token', 'reader', {
      organization: 'acme',
      permissions: [{ database: 'metrics', access: ['read'] }],
    })
    await pass(world, 5)
    await setHibernation(world, 'Never')
    cluster.nodes.isUnreachable = silentSeconds > 0
    const readyTooEarly: unknown[] = []
    const look = () => {
      const ready = condition(cluster, organizations, 'acme', 'Ready')
      if (ready?.reason === 'Ready' && !isReachable(world)) readyTooEarly.push(ready)
      if (isReachable(world)) expect(accepted(cluster)).toEqual(hashesOf(cluster, 'reader'))
    }
    await pass(world, silentSeconds, look)
    if (silentSeconds > 0) expect(condition(cluster, organizations, 'acme', 'Ready')?.status).toBe('False')
    cluster.nodes.isUnreachable = false
    await pass(world, 15, look)
    await world.operator.end()
    expect(isReachable(world)).toBe(true)
    expect(readyTooEarly).toEqual([])
    expect(accepted(cluster)).toEqual(hashesOf(cluster, 'reader'))
    expect(statusOf(cluster).hibernation).toBeUndefined()
    expect(condition(cluster, organizations, 'acme', 'Ready')).toMatchObject({
      status: 'True',
      reason: 'Ready',
    })
    expect(condition(cluster, tokens, 'reader', 'Ready')).toMatchObject({ status: 'True', reason: 'Ready' })
  })

  test('before it slept goes on as it was', async () => {
    const world = started(settled)
    await setHibernation(world, 'Now')
    await world.cluster.clock.advance(500)
    await setHibernation(world, 'Never')
    await pass(world, 10)
    await world.operator.end()
    expect(statusOf(world.cluster).hibernation).toBeUndefined()
    expect(isReachable(world)).toBe(true)
    expect(condition(world.cluster, organizations, 'acme', 'Ready')?.status).toBe('True')
  })
})

describe('a token that was said to be revoked opens nothing', () => {
  /** An operator acts, ends after a write, and for some time there is none. */
  async function ends(
    cluster: Cluster,
    act: (cluster: Cluster) => Promise<void>,
    isLast: (what: string, write: number) => boolean,
  ) {
    let writes = 0
    const line = new Line(cluster, ({ isWrite, verb, what }) =>
      isWrite && isLast(`${verb} ${what}`, (writes += 1)) ? 'crash' : null,
    )
    const world = { ...started(cluster, line), revoked: hashesOf(cluster, 'writer')[0] }
    await act(cluster)
    const look = () => {
      if (cluster.get(tokens, 'writer', team) || !isReachable(world)) return
      expect(accepted(cluster), `the process ended after write ${writes}`).not.toContain(world.revoked)
    }
    for (let second = 0; second < 10 && !line.isDead; second += 1) await pass(world, 1, look)
    const isThrough = !line.isDead
    await world.operator.end()
    await pass(world, 5, look)
    return { isThrough, look }
  }

  async function goesOn(cluster: Cluster, look: () => void): Promise<void> {
    const world = started(cluster, new Line(cluster, () => null))
    await pass(world, 15, look)
    await world.operator.end()
    expect(cluster.get(tokens, 'writer', team)).toBeUndefined()
    expect(isReachable(world)).toBe(true)
    expect(statusOf(cluster).hibernation).toBeUndefined()
  }

  test('whenever an operator ends that wakes what was not said to sleep', async () => {
    const from = await stoppedTenant()
    expect(statusOf(from).hibernation?.step).toBe('Stopping')
    let tried = 0
    for (let isThrough = false; !isThrough; tried += 1) {
      const cluster = from.fork()
      const ended = await ends(cluster, revokeAndWake, (_what, write) => write > tried)
      ;({ isThrough } = ended)
      await goesOn(cluster, ended.look)
    }
    expect(tried).toBeGreaterThan(5)
  })

  test('whenever an operator ends that is asked to while its node is away', async () => {
    const image = platform.storageNode.images['0.1.0']!
    const endPods = async (cluster: Cluster) => {
      for (const pod of cluster.all(pods)) await cluster.kube.delete(pod)
    }
    const revokeAway = async (cluster: Cluster) => {
      cluster.brokenImages.add(image)
      await endPods(cluster)
      await cluster.tick()
      await removeObject(cluster, tokens, 'writer', team)
    }
    let tried = 0
    for (let isThrough = false; !isThrough; tried += 1) {
      const cluster = settled.fork()
      const ended = await ends(cluster, revokeAway, (_what, write) => write > tried)
      ;({ isThrough } = ended)
      cluster.brokenImages.delete(image)
      await endPods(cluster)
      await goesOn(cluster, ended.look)
    }
    expect(tried).toBeGreaterThan(2)
  })

  test('whenever an operator ends that puts it to sleep, and the next once the token is gone', async () => {
    const sleep = (cluster: Cluster) => editObject(cluster, organizations, 'acme', { hibernation: 'Now' })
    let tried = 0
    for (let isThrough = false; !isThrough; tried += 1) {
      const cluster = settled.fork()
      ;({ isThrough } = await ends(cluster, sleep, (_what, write) => write > tried))
      const woken = await ends(cluster, revokeAndWake, (what) => what === 'metadata tokens acme-team/writer')
      await goesOn(cluster, woken.look)
    }
    expect(tried).toBeGreaterThan(3)
  })
})

describe('a version that is taken into use as it sleeps', () => {
  const broken = platform.storageNode.images['0.2.0']!

  async function askedAsleep(isBroken: boolean): Promise<Tenant> {
    const world = started(asleep)
    if (isBroken) world.cluster.brokenImages.add(broken)
    await editObject(world.cluster, organizations, 'acme', { version: '0.2.0' })
    await pass(world, 5)
    // Longer than any version has to come up.
    for (let minute = 0; minute < 60; minute += 1) {
      await world.cluster.clock.advance(60_000)
      await world.cluster.tick()
    }
    return world
  }

  test('is not judged before it has run', async () => {
    const world = await askedAsleep(false)
    const { cluster } = world
    expect(condition(cluster, organizations, 'acme', 'Ready')?.reason).toBe('Hibernated')
    await setHibernation(world, 'Never')
    await pass(world, 30)
    await world.operator.end()
    expect(statusOf(cluster)).toMatchObject({ version: '0.2.0' })
    expect(statusOf(cluster).upgrade).toBeUndefined()
    expect(condition(cluster, organizations, 'acme', 'Ready')?.reason).toBe('Ready')
  })

  test('has the time that every version has when it wakes, and then goes back', async () => {
    const world = await askedAsleep(true)
    const { cluster } = world
    await setHibernation(world, 'Never')
    await pass(world, 300, () => expect(isReachable(world)).toBe(false))
    expect(statusOf(cluster).upgrade?.phase).toBe('Rolling')
    await pass(world, 400)
    await world.operator.end()
    expect(statusOf(cluster)).toMatchObject({ version: '0.1.0', upgrade: { phase: 'RolledBack' } })
    expect(isReachable(world)).toBe(true)
    expect(condition(cluster, organizations, 'acme', 'Stalled')?.reason).toBe('UpgradeRolledBack')
  })
})

test('a volume grows while nobody is awake', async () => {
  const world = started(asleep)
  await editObject(world.cluster, organizations, 'acme', { storage: { size: '20Gi', replicas: 1 } })
  const ready = new Set<unknown>()
  await pass(world, 20, () => ready.add(condition(world.cluster, organizations, 'acme', 'Ready')?.reason))
  expect(statusOf(world.cluster).storage).toEqual({ size: '20Gi', replicas: 1 })
  expect([...ready]).toEqual(['Hibernated'])
  await setHibernation(world, 'Never')
  await pass(world, 15)
  await world.operator.end()
  expect(condition(world.cluster, organizations, 'acme', 'Ready')?.reason).toBe('Ready')
})

test('a volume that cannot grow does not make a sleeper pass for one that serves', async () => {
  const world = started(asleep)
  world.cluster.growth = 'refused'
  await editObject(world.cluster, organizations, 'acme', { storage: { size: '20Gi', replicas: 1 } })
  await pass(world, 20)
  await world.operator.end()
  expect(condition(world.cluster, organizations, 'acme', 'Stalled')?.reason).toBe('VolumeGrowthRefused')
  expect(condition(world.cluster, organizations, 'acme', 'Ready')).toMatchObject({
    status: 'True',
    reason: 'Hibernated',
  })
})
