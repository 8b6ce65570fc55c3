import { describe, expect, test } from 'vitest'
import type { Condition } from '../api/conditions.ts'
import { resources, type Resource } from '../kube/resource.ts'
import { secretNames } from '../naming/names.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'

// What cannot be acted on changes nothing: neither at once nor after a restart is anything of a refused spec in force,
// and what was in force before stays, drift and all.

const hourNs = 3_600_000_000_000n

async function tenant(): Promise<{ readonly world: TenantWorld; readonly runtime: string }> {
  const world = new TenantWorld()
  const made = await world.create('Organization', 'acme', {})
  await world.create('Database', 'metrics', { organization: 'acme', retention: '720h' })
  await world.create('Database', 'events', { organization: 'acme' })
  await world.create('Token', 'writer', {
    organization: 'acme',
    permissions: [{ database: '*', access: ['write'] }],
  })
  await world.settle()
  return { world, runtime: runtimeNamespace(idOfUid(made.metadata.uid!)) }
}

function condition(
  world: TenantWorld,
  resource: Resource,
  name: string,
  type: string,
): Condition | undefined {
  const status = world.get(resource, name)?.['status'] as { conditions: readonly Condition[] } | undefined
  return status?.conditions.find((found) => found.type === type)
}

async function refuseBoth(world: TenantWorld): Promise<void> {
  await world.edit(resources.organizations, 'acme', {
    limits: { databases: 1 },
    backup: { schedule: '0 3 * * *', destination: 'nightly' },
  })
  await world.edit(resources.databases, 'metrics', { retention: '1h', defaultRetentionPolicy: 'nowhere' })
}

describe('a refused spec is not in force', () => {
  test('neither at once nor after a restart', async () => {
    const { world } = await tenant()
    const before = structuredClone(world.nodes.document)
    expect(before?.databases.map(({ name }) => name).toSorted()).toEqual(['events', 'metrics'])
    await refuseBoth(world)
    for (const restarts of [0, 1, 2]) {
      await world.settle()
      expect(condition(world, resources.organizations, 'acme', 'Stalled')?.reason).toBe('NotYetSupported')
      expect(condition(world, resources.databases, 'metrics', 'Stalled')?.reason).toBe('InvalidSpec')
      expect(world.nodes.document, `after ${restarts} restarts`).toEqual(before)
      world.restart()
    }
  })

  test('nor if it came while no operator ran', async () => {
    const { world } = await tenant()
    const before = structuredClone(world.nodes.document)
    world.restart()
    await refuseBoth(world)
    await world.settle()
    expect(world.nodes.document).toEqual(before)
  })

  test('nor is an edit under pause', async () => {
    const { world } = await tenant()
    const before = structuredClone(world.nodes.document)
    const live = world.get(resources.databases, 'metrics')!
    await world.kube.patchMetadata(live, { annotations: { 'holdfast.dev/paused': 'true' } })
    await world.edit(resources.databases, 'metrics', { retention: '1h' })
    world.restart()
    await world.settle()
    expect(world.nodes.document).toEqual(before)
  })

  test('a spec that is mended is in force, and the other one stays held', async () => {
    const { world } = await tenant()
    await refuseBoth(world)
    await world.settle()
    world.restart()
    await world.edit(resources.databases, 'metrics', {
      retention: '2h',
      defaultRetentionPolicy: 'autogen',
    })
    await world.settle()
    const served = world.nodes.document!.databases.find(({ name }) => name === 'metrics')
    expect(served?.retentionPolicies[0]?.durationNs).toBe(String(2n * hourNs))
    expect(world.nodes.document!.databases).toHaveLength(2)
    expect(condition(world, resources.databases, 'metrics', 'Ready')?.status).toBe('True')
  })

  test('where the memory of the good form is gone nothing is changed, and that is said', async () => {
    const { world, runtime } = await tenant()
    const before = structuredClone(world.nodes.document)
    await world.kube.delete(world.get(resources.secrets, secretNames.lastGood, runtime)!)
    world.restart()
    await world.edit(resources.databases, 'metrics', { retention: '1h', defaultRetentionPolicy: 'nowhere' })
    await world.settle()
    expect(world.nodes.document).toEqual(before)
    const said = condition(world, resources.organizations, 'acme', 'Ready')
    expect(said).toMatchObject({ status: 'False', reason: 'FormUnknown' })
    expect(said?.message).toContain('Database metrics')
    await world.edit(resources.databases, 'metrics', { defaultRetentionPolicy: 'autogen' })
    await world.settle()
    expect(condition(world, resources.organizations, 'acme', 'Ready')?.status).toBe('True')
  })
})

describe('an Organization that is held stays closed', () => {
  const policyNames = (world: TenantWorld, runtime: string): readonly string[] =>
    world
      .all(resources.networkPolicies)
      .filter(({ metadata }) => metadata.namespace === runtime)
      .map(({ metadata }) => metadata.name)
      .toSorted()

  async function damage(world: TenantWorld, runtime: string): Promise<void> {
    for (const name of ['default-deny', 'allow-gateway'])
      await world.kube.delete(world.get(resources.networkPolicies, name, runtime)!)
    const namespace = world.get(resources.namespaces, runtime)!
    await world.kube.patchMetadata(namespace, {
      labels: { 'pod-security.kubernetes.io/enforce': 'privileged' },
    })
    await world.kube.delete(world.get(resources.secrets, secretNames.storageNodeTls, runtime)!)
  }

  test.each([
    ['and its last good form is known', { backup: { schedule: '0 3 * * *', destination: 'nightly' } }, true],
    ['and its class is gone', { class: 'gone' }, true],
    ['and nothing is known of it', { backup: { schedule: '0 3 * * *', destination: 'nightly' } }, false],
  ])('%s', async (_how, spec, isKnown) => {
    const { world, runtime } = await tenant()
    await world.edit(resources.organizations, 'acme', { access: { from: [{ cidr: '10.0.0.0/8' }] } })
    await world.settle()
    const before = policyNames(world, runtime)
    expect(before).toEqual(['allow-direct', 'allow-gateway', 'allow-operator', 'default-deny'])
    const statefulSet = world.get(resources.statefulSets, 'storage-node', runtime)
    if (!isKnown) await world.kube.delete(world.get(resources.secrets, secretNames.lastGood, runtime)!)
    await world.edit(resources.organizations, 'acme', { ...spec, access: { from: [] } })
    world.restart()
    await world.settle()
    expect(condition(world, resources.organizations, 'acme', 'Stalled')?.status).toBe('True')
    await damage(world, runtime)
    world.restart()
    await world.settle()
    expect(policyNames(world, runtime)).toEqual(before)
    expect(world.get(resources.namespaces, runtime)?.metadata.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'restricted',
    })
    expect(world.get(resources.secrets, secretNames.storageNodeTls, runtime)).toBeDefined()
    expect(world.get(resources.statefulSets, 'storage-node', runtime)).toEqual(statefulSet)
  })

  test('repairs its StatefulSet from the last good form', async () => {
    const { world, runtime } = await tenant()
    const before = world.get(resources.statefulSets, 'storage-node', runtime)!
    await world.edit(resources.organizations, 'acme', {
      backup: { schedule: '0 3 * * *', destination: 'nightly' },
      storage: { size: '10Gi', replicas: 3 },
    })
    await world.settle()
    await world.kube.apply({ ...before, spec: { ...(before['spec'] as object), replicas: 0 } })
    await world.settle()
    const after = world.get(resources.statefulSets, 'storage-node', runtime)
    expect(after?.['spec']).toEqual(before['spec'])
  })
})

describe('a data key that is gone', () => {
  test.each([
    ['beside its StatefulSet', false],
    ['beside nothing but its volume', true],
  ])('%s is never made anew: somebody must restore it', async (_how, isSetGone) => {
    const { world, runtime } = await tenant()
    const key = world.get(resources.secrets, secretNames.dataKey, runtime)!
    const metadata = { name: 'data-storage-node-0', namespace: runtime }
    await world.kube.create({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata })
    await world.kube.delete(key)
    if (isSetGone) await world.kube.delete(world.get(resources.statefulSets, 'storage-node', runtime)!)
    world.restart()
    await world.settle()
    expect(world.get(resources.secrets, secretNames.dataKey, runtime)).toBeUndefined()
    const said = condition(world, resources.organizations, 'acme', 'Stalled')
    expect(said).toMatchObject({ status: 'True', reason: 'DataKeyMissing' })
    expect(said?.message).toContain(`${runtime}/data-key`)
    await world.kube.create({ ...key, metadata: { ...key.metadata, resourceVersion: '' } })
    await world.settle()
    expect(condition(world, resources.organizations, 'acme', 'Stalled')?.status).toBe('False')
  })
})

test('a runtime namespace that is being deleted is called so', async () => {
  const { world, runtime } = await tenant()
  const namespace = world.get(resources.namespaces, runtime)!
  await world.kube.patchMetadata(namespace, { finalizers: ['kubernetes'] })
  await world.kube.delete(world.get(resources.namespaces, runtime)!)
  await world.settle()
  expect(condition(world, resources.organizations, 'acme', 'Reconciling')).toMatchObject({
    status: 'True',
    reason: 'NamespaceTerminating',
  })
})

test('another secretName is refused: the string and its Secret stay, and go with the Token', async () => {
  const { world } = await tenant()
  const before = structuredClone(world.nodes.document)
  const secret = world.get(resources.secrets, 'writer')
  await world.edit(resources.tokens, 'writer', { secretName: 'another' })
  world.restart()
  await world.settle()
  expect(condition(world, resources.tokens, 'writer', 'Stalled')).toMatchObject({
    status: 'True',
    reason: 'InvalidSpec',
    message: expect.stringContaining('spec.secretName'),
  })
  expect(world.nodes.document).toEqual(before)
  expect(world.get(resources.secrets, 'writer')).toEqual(secret)
  expect(world.get(resources.secrets, 'another')).toBeUndefined()
  await world.remove(resources.tokens, 'writer')
  await world.settle()
  expect(world.get(resources.secrets, 'writer')).toBeUndefined()
})
