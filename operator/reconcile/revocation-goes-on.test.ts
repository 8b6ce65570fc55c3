import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { AppError } from '../../common/errors.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import type { Condition } from '../api/conditions.ts'
import { resources, type Resource } from '../kube/resource.ts'
import { labelKeys } from '../naming/labels.ts'
import { roleBinding } from '../naming/names.ts'

// A Token that is deleted is refused by the nodes, whatever else of its organization cannot be done.

async function tenant(spec: object = {}) {
  const world = new TenantWorld()
  const made = await world.create('Organization', 'acme', spec)
  await world.create('Database', 'metrics', { organization: 'acme' })
  await world.create('Token', 'writer', {
    organization: 'acme',
    permissions: [{ database: '*', access: ['write'] }],
  })
  await world.settle()
  return { world, runtime: runtimeNamespace(idOfUid(made.metadata.uid!)) }
}

const ready = (world: TenantWorld, resource: Resource, name: string): Condition => {
  const { conditions } = world.get(resource, name)!['status'] as { conditions: readonly Condition[] }
  return conditions.find(({ type }) => type === 'Ready')!
}

const names = (world: TenantWorld): readonly string[] =>
  world.nodes.document!.databases.map(({ name }) => name).toSorted()

const ideographs = 0x5000

/** 64 characters that hardly can be packed. */
const randomName = (): string =>
  String.fromCodePoint(...Array.from({ length: 64 }, () => 0x4e00 + randomInt(ideographs)))

/** Databases whose specs are together more than can be remembered. */
const tooMany = 160

async function tooManyDatabases(world: TenantWorld): Promise<void> {
  for (let number = 0; number < tooMany; number += 1) {
    const retentionPolicies = Array.from({ length: 63 }, () => ({ name: randomName(), duration: '24h' }))
    await world.create('Database', `d${number}`, { organization: 'acme', retentionPolicies })
  }
}

/** Passes; those that fail are made again. */
async function passes(world: TenantWorld, count: number): Promise<void> {
  for (let pass = 0; pass < count; pass += 1) {
    world.clock.jump(11_000)
    await world.pass().catch(() => undefined)
    await world.cluster()
  }
}

/** A policy of the platform refuses the operator every write of this object, which is to be mended. */
async function refuseToMend(world: TenantWorld, resource: Resource, name: string, runtime: string) {
  const object = world.get(resource, name, runtime)!
  await world.kube.patchMetadata(object, { annotations: { 'holdfast.dev/applied': 'by an older release' } })
  world.kube.world.admit = (_verb, { kind, metadata }) => {
    if (kind === object.kind && metadata.name === name && metadata.namespace === object.metadata.namespace)
      throw new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', 'a policy of the platform says no')
  }
}

test.each([
  ['Namespace', 'the same process', false],
  ['Namespace', 'another process', true],
  ['RoleBinding', 'the same process', false],
  ['RoleBinding', 'another process', true],
])('where the %s is refused, in %s', async (kind, _process, isRestarted) => {
  const { world, runtime } = await tenant()
  if (kind === 'Namespace') await refuseToMend(world, resources.namespaces, runtime, runtime)
  else await refuseToMend(world, resources.roleBindings, roleBinding, runtime)
  if (isRestarted) world.restart()
  await world.remove(resources.tokens, 'writer')
  await passes(world, 60)
  expect(world.nodes.document!.tokens).toEqual([])
  expect(world.get(resources.tokens, 'writer')).toBeUndefined()
  expect(ready(world, resources.organizations, 'acme')).toMatchObject({
    status: 'False',
    reason: 'ApiRefused',
    message: expect.stringContaining('a policy of the platform says no'),
  })
})

test('rights that are gone with the marks of their namespace are taken again by another process', async () => {
  const { world, runtime } = await tenant()
  await world.kube.delete(world.get(resources.roleBindings, roleBinding, runtime)!)
  const { intercept } = world.kube.world
  const isMarked = () =>
    world.get(resources.namespaces, runtime)?.metadata.labels?.[labelKeys.organizationId] !== undefined
  world.kube.world.intercept = (call) => {
    intercept(call)
    const isBound = world.get(resources.roleBindings, roleBinding, runtime) !== undefined
    const isRefused = call.includes('rolebindings')
      ? !isMarked()
      : call.includes(' secrets last-good') && !isBound
    if (isRefused) throw new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', `${call}: 403`)
  }
  await world.kube.patchMetadata(world.get(resources.namespaces, runtime)!, {
    labels: { [labelKeys.organizationId]: null },
  })
  world.restart()
  await world.settle()
  expect(isMarked()).toBe(true)
  expect(ready(world, resources.organizations, 'acme')?.status).toBe('True')
})

test('Databases beyond the limit of the organization take no room of those that are served', async () => {
  const { world } = await tenant({ limits: { databases: 2 } })
  await tooManyDatabases(world)
  await passes(world, 2)
  expect(names(world)).toHaveLength(2)
  expect(ready(world, resources.organizations, 'acme').status).toBe('True')
  await world.remove(resources.tokens, 'writer')
  await passes(world, 2)
  expect(world.nodes.document!.tokens).toEqual([])
}, 180_000)

test('a Database that was beyond the limit while it could not be acted on is served again', async () => {
  const { world } = await tenant()
  await world.create('Database', 'second', { organization: 'acme' })
  await world.settle()
  await world.kube.patchMetadata(world.get(resources.databases, 'second')!, {
    annotations: { 'holdfast.dev/paused': 'true' },
  })
  await world.edit(resources.organizations, 'acme', { limits: { databases: 1 } })
  await world.settle()
  world.restart()
  await world.settle()
  expect(names(world)).toEqual(['metrics'])
  expect(ready(world, resources.organizations, 'acme').status).toBe('True')
  await world.edit(resources.organizations, 'acme', { limits: { databases: 2 } })
  await world.settle()
  expect(names(world)).toEqual(['metrics', 'second'])
})

test('specs that cannot be remembered leave what is served as it is, in any process', async () => {
  const { world } = await tenant({ limits: { databases: 1_000, concurrentQueries: 7 } })
  const before = structuredClone(world.nodes.document!)
  await tooManyDatabases(world)
  await passes(world, 2)
  expect(world.nodes.document).toEqual(before)
  await world.edit(resources.databases, 'metrics', { retention: '1h' })
  await world.edit(resources.organizations, 'acme', { limits: { databases: 1_000, concurrentQueries: 9 } })
  await passes(world, 2)
  expect(world.nodes.document).toEqual(before)
  world.restart()
  await world.remove(resources.tokens, 'writer')
  await passes(world, 2)
  expect(world.nodes.document).toEqual({ ...before, tokens: [] })
  expect(world.get(resources.tokens, 'writer')).toBeUndefined()
  const said = {
    status: 'False',
    reason: 'LimitReached',
    message: expect.stringContaining('can be remembered'),
  }
  expect(ready(world, resources.organizations, 'acme')).toMatchObject(said)
  for (const name of ['metrics', 'd0']) expect(ready(world, resources.databases, name)).toMatchObject(said)
  const { writes } = world
  await passes(world, 2)
  expect(world.writes).toBe(writes)
  for (let number = 0; number < tooMany; number += 1) await world.remove(resources.databases, `d${number}`)
  await passes(world, 2)
  expect(ready(world, resources.organizations, 'acme').status).toBe('True')
  expect(world.nodes.document).toMatchObject({
    limits: { concurrentQueries: 9 },
    databases: [{ name: 'metrics' }],
  })
  expect(world.nodes.document!.databases).not.toEqual(before.databases)
}, 180_000)
