import { describe, expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { namespace, TenantWorld } from '../../test/support/tenant-world.ts'
import { resources } from '../kube/resource.ts'
import { annotationKeys } from '../naming/labels.ts'

// Promise: an Organization that goes without the operator, since somebody has taken its finalizer off, leaves nothing that
// runs: its pods go, its data is kept, and its Tokens are let go only after that. What lives, is retained already, or is
// of somebody else is left alone.

async function made() {
  const world = new TenantWorld()
  await world.kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  const organization = await world.create('Organization', 'acme', { version: '0.2.0' })
  await world.create('Database', 'metrics', { organization: 'acme' })
  const permissions = [{ database: '*', access: ['read'] }]
  await world.create('Token', 'writer', { organization: 'acme', permissions })
  await world.settle()
  const runtime = runtimeNamespace(idOfUid(organization.metadata.uid!))
  world.kube.world.calls.length = 0
  return { world, runtime, organization }
}

/** By hand, as people do when a deletion does not end. */
async function tearOut(world: TenantWorld): Promise<void> {
  const live = world.get(resources.organizations, 'acme')!
  await world.kube.replace({ ...live, metadata: { ...live.metadata, finalizers: [] } })
  await world.remove(resources.organizations, 'acme')
}

const set = (world: TenantWorld, runtime: string) =>
  world.get(resources.statefulSets, 'storage-node', runtime)
const marks = (world: TenantWorld, runtime: string) =>
  world.get(resources.namespaces, runtime)?.metadata.annotations ?? {}

describe('an Organization without its finalizer', () => {
  test.each([
    ['while an operator runs', false],
    ['while none does', true],
  ])('leaves its data and nothing that runs, %s', async (_when, isRestarted) => {
    const { world, runtime } = await made()
    await tearOut(world)
    if (isRestarted) world.restart()
    await world.settle()
    expect(set(world, runtime)).toBeUndefined()
    expect(world.all(resources.pods)).toEqual([])
    expect(world.get(resources.secrets, 'data-key', runtime)).toBeDefined()
    expect(marks(world, runtime)).toMatchObject({
      [annotationKeys.retainedSince]: expect.any(String),
      [annotationKeys.retainedVersion]: '0.2.0',
      // A namespace that was made again under its name would be a stranger's.
      [annotationKeys.retainedNamespaceUid]: '',
    })
    expect(world.get(resources.roleBindings, 'holdfast-operator')).toBeUndefined()
  })

  test('has its Token let go when no pod is left', async () => {
    const { world, runtime } = await made()
    await tearOut(world)
    await world.remove(resources.tokens, 'writer')
    await world.pass()
    expect(set(world, runtime)).toBeUndefined()
    expect(world.get(resources.tokens, 'writer')).toBeDefined()
    await world.settle()
    expect(world.get(resources.tokens, 'writer')).toBeUndefined()
  })

  test('and with a new one of its name is taken down beside it', async () => {
    const { world, runtime } = await made()
    await tearOut(world)
    const next = await world.create('Organization', 'acme', {})
    await world.settle()
    expect(set(world, runtime)).toBeUndefined()
    expect(marks(world, runtime)).toHaveProperty([annotationKeys.retainedMac])
    expect(set(world, runtimeNamespace(idOfUid(next.metadata.uid!)))).toBeDefined()
  })

  test('does not hold up a new one of its name where it cannot be taken down', async () => {
    const { world, runtime } = await made()
    await tearOut(world)
    const next = await world.create('Organization', 'acme', {})
    world.kube.world.admit = (verb, object) => {
      if (verb === 'delete' && object.metadata.namespace === runtime)
        throw new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', 'a policy of the platform says no')
    }
    await world.settle()
    expect(set(world, runtimeNamespace(idOfUid(next.metadata.uid!)))).toBeDefined()
    expect((await world.pass()).requeueAfterMs).toBeLessThanOrEqual(2_000)
  })
})

describe('is left alone', () => {
  const changes = (world: TenantWorld) => world.kube.world.calls.filter((call) => !/^(get|list) /.test(call))

  test('what lives and is not in the cache yet', async () => {
    const { world, runtime } = await made()
    world.hidden = ({ kind }) => kind === 'Organization'
    await world.remove(resources.tokens, 'writer')
    world.kube.world.calls.length = 0
    expect((await world.pass()).requeueAfterMs).toBeGreaterThan(0)
    expect(changes(world)).toEqual([])
    expect(set(world, runtime)).toBeDefined()
  })

  test('what may not be read', async () => {
    const { world, runtime } = await made()
    await tearOut(world)
    const { intercept } = world.kube.world
    world.kube.world.intercept = (call) => {
      if (call.startsWith('get organizations')) throw new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', 'no')
      intercept(call)
    }
    world.kube.world.calls.length = 0
    await world.pass()
    expect(changes(world)).toEqual([])
    expect(set(world, runtime)).toBeDefined()
  })

  test('what another installation has made', async () => {
    const { world, runtime } = await made()
    await tearOut(world)
    world.authority.operatorKey.fill(9)
    world.kube.world.calls.length = 0
    await world.pass()
    expect(world.kube.world.calls.filter((call) => !call.startsWith('status '))).toEqual([])
    expect(set(world, runtime)).toBeDefined()
  })

  test('what is retained, without a request', async () => {
    const { world } = await made()
    await tearOut(world)
    await world.settle()
    world.restart()
    world.kube.world.calls.length = 0
    await world.pass()
    expect(world.kube.world.calls.filter((call) => !call.startsWith('status '))).toEqual([])
  })

  test('and in a quiet pass nothing is read for it', async () => {
    const { world } = await made()
    await world.pass()
    expect(world.kube.world.calls.filter((call) => call.startsWith('get organizations'))).toEqual([])
  })
})
