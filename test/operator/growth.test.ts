import { describe, expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import type { Condition } from '../../operator/api/conditions.ts'
import { organizationSchema, type StorageStatus } from '../../operator/api/organization.ts'
import { existingStorageNodes } from '../../operator/desired/existing.ts'
import { chosen, formAnnotations, formOf } from '../../operator/desired/template.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources } from '../../operator/kube/resource.ts'
import { secretNames } from '../../operator/naming/names.ts'
import type { Cluster } from './cluster.ts'
import { Line } from './faulty-client.ts'
import { OperatorProcess } from './operator-process.ts'
import { platform } from '../support/tenant-world.ts'
import { editObject, removeObject, team } from './objects.ts'
import { settledTenant } from './scenarios.ts'

// Promise: a volume that grows, cannot grow, or is to grow no more takes nothing from its tenant: the pod stays the same
// pod, Ready stays True while it serves, what it holds is dropped when it should be and not before.

const { organizations, databases, statefulSets, persistentVolumeClaims, pods, secrets } = resources

interface Tenant {
  readonly cluster: Cluster
  readonly operator: OperatorProcess
  readonly runtime: string
  /** Every state in which Ready has been since. */
  readonly ready: Set<string>
}

async function tenant(growth: Cluster['growth'] = 'works'): Promise<Tenant> {
  const cluster = await settledTenant('Retain')
  cluster.growth = growth
  const uid = cluster.get(organizations, 'acme', team)!.metadata.uid!
  const operator = new OperatorProcess(cluster, new Line(cluster, () => null))
  operator.start()
  return { cluster, operator, runtime: runtimeNamespace(idOfUid(uid)), ready: new Set() }
}

async function pass({ cluster, ready }: Tenant, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await cluster.tick()
    await cluster.clock.advance(1_000)
    ready.add(condition(cluster, 'Ready').status)
  }
}

const statusOf = (cluster: Cluster) =>
  cluster.get(organizations, 'acme', team)!['status'] as {
    readonly conditions: readonly Condition[]
    readonly storage: StorageStatus
  }
const condition = (cluster: Cluster, type: string): Condition =>
  statusOf(cluster).conditions.find((found) => found.type === type)!
const askFor = ({ cluster }: Tenant, size: string) =>
  editObject(cluster, organizations, 'acme', { storage: { size, replicas: 1 } })
const claimed = ({ cluster, runtime }: Tenant): unknown =>
  cluster.get(persistentVolumeClaims, 'data-storage-node-0', runtime)?.['spec']
/** Gives the StatefulSet the template that an operator of another release made, recorded as that one did. */
async function olderTemplate({ cluster, runtime }: Tenant): Promise<KubeObject> {
  const set = cluster.get(statefulSets, 'storage-node', runtime)!
  const organization = organizationSchema.parse(cluster.get(organizations, 'acme', team))
  const input = {
    organization,
    organizationId: idOfUid(organization.metadata.uid),
    platform,
    ownerKey: Buffer.alloc(32, 7),
    existing: existingStorageNodes(set),
    claimed: null,
    retainedVersion: null,
    now: new Date(cluster.clock.nowMs()),
  }
  const spec = set['spec'] as { readonly template: { readonly metadata: object; readonly spec: object } }
  const older = { ...spec.template, spec: { ...spec.template.spec, terminationGracePeriodSeconds: 41 } }
  return cluster.kube.apply({
    ...set,
    metadata: { ...set.metadata, annotations: formAnnotations(input, formOf(chosen(input, '0.1.0'), older)) },
    spec: { ...spec, template: older },
  })
}

const template = (set: KubeObject | undefined) => ({
  kept: set?.metadata.annotations?.['holdfast.dev/template'],
  mac: set?.metadata.annotations?.['holdfast.dev/template-mac'],
  pods: (set?.['spec'] as { readonly template: unknown } | undefined)?.template,
})

describe('a volume grows', () => {
  test('under the same pod, by a StatefulSet with the same template', async () => {
    const world = await tenant()
    const { cluster, runtime, ready } = world
    const set = await olderTemplate(world)
    await pass(world, 10)
    ready.clear()
    const pod = cluster.get(pods, 'storage-node-0', runtime)!
    await askFor(world, '20Gi')
    await pass(world, 15)
    await world.operator.end()
    expect(statusOf(cluster).storage).toEqual({ size: '20Gi', replicas: 1 })
    expect([...ready]).toEqual(['True'])
    const next = cluster.get(statefulSets, 'storage-node', runtime)
    expect(next?.metadata.uid).not.toBe(set.metadata.uid)
    expect(template(next)).toEqual(template(set))
    expect(cluster.get(pods, 'storage-node-0', runtime)?.metadata.uid).toBe(pod.metadata.uid)
    expect(cluster.get(secrets, secretNames.setAside, runtime)).toBeUndefined()
  })

  test('under a pod that somebody had restarted, which stays that pod', async () => {
    const world = await tenant()
    const { cluster, runtime } = world
    const set = cluster.get(statefulSets, 'storage-node', runtime)!
    const spec = set['spec'] as { readonly template: { readonly metadata: object } }
    const annotations = { 'kubectl.kubernetes.io/restartedAt': '2026-11-23T08:00:00Z' }
    const template = { ...spec.template, metadata: { ...spec.template.metadata, annotations } }
    await cluster.kube.replace({ ...set, spec: { ...spec, template } })
    await pass(world, 10)
    const pod = cluster.get(pods, 'storage-node-0', runtime)!
    await askFor(world, '20Gi')
    await pass(world, 15)
    await world.operator.end()
    const next = cluster.get(statefulSets, 'storage-node', runtime)
    expect(next?.metadata.uid).not.toBe(set.metadata.uid)
    expect(next?.['spec']).toMatchObject({ template: { metadata: { annotations } } })
    expect(cluster.get(pods, 'storage-node-0', runtime)?.metadata.uid).toBe(pod.metadata.uid)
  })

  test('and grows again, to a size that was named on the way', async () => {
    const world = await tenant()
    await askFor(world, '20Gi')
    await pass(world, 1)
    await askFor(world, '30Gi')
    await pass(world, 25)
    await world.operator.end()
    expect(statusOf(world.cluster).storage).toEqual({ size: '30Gi', replicas: 1 })
    expect([...world.ready]).toEqual(['True'])
  })

  test('and a Database goes with its data, also while no StatefulSet stands', async () => {
    const world = await tenant()
    const { cluster, runtime } = world
    const database = cluster.get(databases, 'metrics', team)!
    await world.operator.end()
    const set = cluster.get(statefulSets, 'storage-node', runtime)!
    await cluster.kube.delete(set, { propagationPolicy: 'Orphan' })
    await cluster.tick()
    expect(cluster.get(statefulSets, 'storage-node', runtime)).toBeUndefined()
    await removeObject(cluster, databases, 'metrics', team)
    const { admit } = cluster.kube.world
    cluster.kube.world.admit = (verb, object) => {
      if (object.kind === 'StatefulSet') throw new AppError('unavailable', 'ERR_KUBE', 'not now')
      admit(verb, object)
    }
    const operator = new OperatorProcess(cluster, new Line(cluster, () => null))
    operator.start()
    await pass({ ...world, operator }, 10)
    await operator.end()
    expect(cluster.get(databases, 'metrics', team)).toBeUndefined()
    expect(cluster.nodes.dropped).toEqual([idOfUid(database.metadata.uid!)])
  })
})

describe('what was set aside for a growth that ended', () => {
  /** With an operator that has ended when it had set aside what the StatefulSet was. */
  async function leftBehind(): Promise<Tenant> {
    const first = await tenant()
    const { cluster } = first
    await first.operator.end()
    const line = new Line(cluster, ({ verb, what }) =>
      verb === 'create' && what.endsWith(`/${secretNames.setAside}`) ? 'crash' : null,
    )
    const operator = new OperatorProcess(cluster, line)
    operator.start()
    await askFor(first, '20Gi')
    await pass(first, 15)
    await operator.end()
    expect(cluster.get(secrets, secretNames.setAside, first.runtime)).toBeDefined()
    expect(statusOf(cluster).storage.growth?.step).toBe('Resizing')
    const next = new OperatorProcess(cluster, new Line(cluster, () => null))
    next.start()
    return { ...first, operator: next }
  }

  test('goes when the size goes back', async () => {
    const first = await leftBehind()
    await askFor(first, '10Gi')
    await pass(first, 10)
    await first.operator.end()
    expect(first.cluster.get(secrets, secretNames.setAside, first.runtime)).toBeUndefined()
  })

  test('is not what a StatefulSet is made from that somebody else took away', async () => {
    const { cluster, runtime, ...first } = await leftBehind()
    const record = cluster.get(secrets, secretNames.setAside, runtime)!
    const world = { ...first, cluster, runtime }
    await askFor(world, '10Gi')
    await pass(world, 10)
    const { uid: _uid, resourceVersion: _version, ...metadata } = record.metadata
    if (!cluster.get(secrets, secretNames.setAside, runtime))
      await cluster.kube.create({ ...record, metadata })
    await cluster.kube.delete(cluster.get(statefulSets, 'storage-node', runtime)!)
    await pass(world, 10)
    await world.operator.end()
    expect(statusOf(cluster).storage.size).toBe('10Gi')
  })
})

describe('a volume that cannot grow', () => {
  test('is looked at as seldom as it changes nothing, however long and new what is said of it', async () => {
    const world = await tenant()
    const { cluster } = world
    let refusals = 0
    const { admit } = cluster.kube.world
    cluster.kube.world.admit = (verb, object) => {
      admit(verb, object)
      if (verb !== 'update' || object.kind !== 'PersistentVolumeClaim') return
      refusals += 1
      if (refusals > 200) throw new Error('again and again')
      throw new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', `${refusals} ${'x'.repeat(5_000)}`)
    }
    await askFor(world, '20Gi')
    await pass(world, 60)
    await world.operator.end()
    expect(statusOf(cluster).storage.growth?.step).toBe('Refused')
    expect(refusals).toBeLessThan(20)
  })

  test.each([
    ['refused', 'Refused', 'the storage class must support resize', '10Gi'],
    ['infeasible', 'Resizing', 'the pool is full', '20Gi'],
  ] as const)('(%s) is told, serves, and the old size ends it', async (growth, step, words, asked) => {
    const world = await tenant(growth)
    const { cluster, ready } = world
    await askFor(world, '20Gi')
    await pass(world, 5)
    if (growth === 'refused') expect(condition(cluster, 'Stalled').status, 'too early').toBe('False')
    await pass(world, 15)
    expect(condition(cluster, 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'VolumeGrowthRefused',
      message: expect.stringContaining(words),
    })
    expect(condition(cluster, 'Reconciling').status).toBe('False')
    expect(statusOf(cluster).storage).toMatchObject({ size: '10Gi', growth: { size: '20Gi', step } })
    await askFor(world, '10Gi')
    await pass(world, 10)
    expect(condition(cluster, 'Stalled').status).toBe('False')
    expect(statusOf(cluster).storage).toEqual({ size: '10Gi', replicas: 1 })
    expect([...ready]).toEqual(['True'])
    // What was asked for is not taken back, and stays within the bounds of the namespace.
    expect(claimed(world)).toMatchObject({ resources: { requests: { storage: asked } } })
    const quota = cluster.get(resources.resourceQuotas, 'tenant', world.runtime)
    expect(quota?.['spec']).toMatchObject({ hard: { 'requests.storage': asked } })
    // Nor is it what is wanted, also where a StatefulSet must be made anew.
    await cluster.kube.delete(cluster.get(statefulSets, 'storage-node', world.runtime)!)
    await pass(world, 15)
    await world.operator.end()
    expect(condition(cluster, 'Stalled').status).toBe('False')
    expect(statusOf(cluster).storage).toEqual({ size: '10Gi', replicas: 1 })
  })

  test('grows by itself when its storage class may', async () => {
    const world = await tenant('refused')
    await askFor(world, '20Gi')
    await pass(world, 30)
    expect(statusOf(world.cluster).storage.growth?.step).toBe('Refused')
    world.cluster.growth = 'works'
    await pass(world, 90)
    await world.operator.end()
    expect(statusOf(world.cluster).storage).toEqual({ size: '20Gi', replicas: 1 })
  })

  test('asks for a smaller growth where the storage is too small for the first', async () => {
    const world = await tenant('infeasible')
    await askFor(world, '20Gi')
    await pass(world, 10)
    await askFor(world, '15Gi')
    await pass(world, 5)
    world.cluster.growth = 'works'
    await pass(world, 15)
    await world.operator.end()
    expect(statusOf(world.cluster).storage).toEqual({ size: '15Gi', replicas: 1 })
    expect(claimed(world)).toMatchObject({ resources: { requests: { storage: '15Gi' } } })
  })
})

test('an organization that is deleted at any moment of a growth leaves no pod, and its volume', async () => {
  let between = 0
  for (let seconds = 0; seconds < 12; seconds += 1) {
    const world = await tenant()
    const { cluster, runtime } = world
    await cluster.clock.advance(1_000)
    await askFor(world, '20Gi')
    for (let second = 0; second < seconds; second += 1) {
      await cluster.clock.advance(1_000)
      await cluster.tick()
    }
    if (!cluster.get(statefulSets, 'storage-node', runtime)) between += 1
    await removeObject(cluster, organizations, 'acme', team)
    for (let second = 0; second < 15; second += 1) {
      await cluster.tick()
      await cluster.clock.advance(1_000)
    }
    await world.operator.end()
    expect(cluster.get(organizations, 'acme', team), `after ${seconds} s`).toBeUndefined()
    expect(cluster.get(pods, 'storage-node-0', runtime), `after ${seconds} s`).toBeUndefined()
    expect(cluster.get(secrets, secretNames.setAside, runtime), `after ${seconds} s`).toBeUndefined()
    expect(cluster.get(persistentVolumeClaims, 'data-storage-node-0', runtime)).toBeDefined()
  }
  expect(between, 'moments without a StatefulSet').toBeGreaterThan(0)
})
