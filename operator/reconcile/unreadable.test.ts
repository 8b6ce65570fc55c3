import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import { hashToken } from '../../common/token.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import type { Condition } from '../api/conditions.ts'
import { resources, type Resource } from '../kube/resource.ts'
import { lastGoodField } from '../naming/names.ts'

// One object that cannot be read, as one of a newer release, holds up nobody else, loses nothing that it had, and is
// said.

async function tenant(spec: object = {}): Promise<TenantWorld> {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', spec)
  await world.create('Database', 'metrics', { organization: 'acme', retention: '720h' })
  for (const name of ['writer', 'reader']) {
    await world.create('Token', name, {
      organization: 'acme',
      permissions: [{ database: '*', access: ['read'] }],
    })
  }
  await world.settle()
  return world
}

const ready = (world: TenantWorld, resource: Resource, name: string): Condition | undefined => {
  const status = world.get(resource, name)?.['status'] as { conditions: readonly Condition[] } | undefined
  return status?.conditions.find(({ type }) => type === 'Ready')
}

const statusOf = (world: TenantWorld) =>
  world.get(resources.organizations, 'acme')!['status'] as Readonly<Record<string, unknown>> & {
    readonly conditions: readonly Condition[]
  }

const hashOf = (world: TenantWorld, name: string): string => {
  const data = world.get(resources.secrets, name)?.['data'] as Readonly<Record<string, string>>
  return hashToken(Buffer.from(data['token'] ?? '', 'base64').toString())
}

const accepted = (world: TenantWorld): readonly string[] =>
  world.nodes.document!.tokens.map(({ hash }) => hash).toSorted()

describe.each([['the same process'], ['the next process']])('in %s', (process) => {
  test('a Token that cannot be read keeps its string, and others are revoked beside it', async () => {
    const world = await tenant()
    const [writer, reader] = [hashOf(world, 'writer'), hashOf(world, 'reader')]
    expect(accepted(world)).toEqual([writer, reader].toSorted())
    await world.edit(resources.tokens, 'writer', {
      permissions: [
        { database: '*', access: ['read'] },
        { newer: true, database: 7 },
      ],
    })
    if (process === 'the next process') world.restart()
    await world.settle()
    expect(accepted(world)).toEqual([writer, reader].toSorted())
    await world.remove(resources.tokens, 'reader')
    await world.settle()
    expect(world.nodes.document!.tokens).toMatchObject([
      { hash: writer, permissions: [{ database: '*', access: ['read'] }] },
    ])
    expect(world.get(resources.tokens, 'reader')).toBeUndefined()
    for (const [resource, name, reason] of [
      [resources.tokens, 'writer', 'InvalidSpec'],
      [resources.organizations, 'acme', 'MemberUnreadable'],
    ] as const) {
      expect(ready(world, resource, name)).toMatchObject({ status: 'False', reason })
      expect(ready(world, resource, name)?.message).toContain('spec.permissions.1.database')
    }
    expect(world.get(resources.tokens, 'writer')?.['status']).toMatchObject({ tokens: [{ hash: writer }] })
    // What nobody understands opens nothing, and the string comes back with the spec.
    await world.edit(resources.tokens, 'writer', { permissions: 'none' })
    await world.settle()
    expect(world.nodes.document!.tokens.map(({ permissions }) => permissions)).toEqual([
      [{ database: '/', access: ['read'] }],
    ])
    await world.edit(resources.tokens, 'writer', { permissions: [{ database: '*', access: ['read'] }] })
    await world.settle()
    expect(accepted(world)).toEqual([writer])
    expect(ready(world, resources.organizations, 'acme')?.status).toBe('True')
    expect(world.nodes.refusals).toEqual([])
  })

  test('a Database that cannot be read is served as it was', async () => {
    const world = await tenant()
    const before = structuredClone(world.nodes.document!.databases)
    await world.edit(resources.databases, 'metrics', { retention: 5 })
    if (process === 'the next process') world.restart()
    await world.remove(resources.tokens, 'reader')
    await world.settle()
    expect(world.nodes.document!.databases).toEqual(before)
    expect(accepted(world)).toEqual([hashOf(world, 'writer')])
    expect(ready(world, resources.databases, 'metrics')).toMatchObject({
      status: 'False',
      reason: 'InvalidSpec',
    })
    const said = ready(world, resources.organizations, 'acme')
    expect(said).toMatchObject({ status: 'False', reason: 'MemberUnreadable' })
    expect(said?.message).toContain('Database metrics cannot be read: spec.retention')
  })
})

test('an Organization that cannot be read says so and keeps all else that its status says', async () => {
  const world = await tenant()
  const before = statusOf(world)
  await world.edit(resources.organizations, 'acme', { hibernation: 'Later' })
  await world.settle()
  const after = statusOf(world)
  expect(ready(world, resources.organizations, 'acme')).toMatchObject({
    status: 'False',
    reason: 'InvalidSpec',
    message: expect.stringContaining('spec.hibernation'),
  })
  const { conditions, observedGeneration: _generation, ...facts } = before
  expect(Object.keys(facts)).toEqual(expect.arrayContaining(['organizationId', 'stateDigest', 'version']))
  expect(after).toMatchObject(facts)
  expect(after.conditions.map(({ type }) => type)).toEqual(conditions.map(({ type }) => type))
  const others = (said: typeof conditions) =>
    said.slice(3).map(({ observedGeneration: _generation, ...condition }) => condition)
  expect(others(after.conditions)).toEqual(others(conditions))
  await world.edit(resources.organizations, 'acme', { hibernation: 'Never' })
  await world.settle()
  expect(statusOf(world)).toMatchObject(facts)
  expect(ready(world, resources.organizations, 'acme')?.status).toBe('True')
})

describe.each([['the same process'], ['the next process']])('in %s', (process) => {
  test('what an Organization that cannot be read was last goes on: its Tokens are made and revoked, what is changed by hand is put right', async () => {
    const world = await tenant({
      limits: { databases: 7, series: 9 },
      access: { from: [{ namespace: 'x' }] },
    })
    const { limits, organization } = world.nodes.document!
    expect([limits.databases, limits.series, organization.directAccess]).toEqual([7, 9, true])
    const spec = { limits: { databases: 'many', series: 5 }, access: { from: 'everywhere' } }
    await world.edit(resources.organizations, 'acme', spec)
    if (process === 'the next process') world.restart()
    await world.settle()
    await world.remove(resources.tokens, 'reader')
    await world.create('Token', 'late', {
      organization: 'acme',
      permissions: [{ database: '*', access: ['read'] }],
    })
    const policies = world.all(resources.networkPolicies).map(({ metadata }) => metadata.name)
    for (const policy of world.all(resources.networkPolicies)) await world.kube.delete(policy)
    await world.settle()
    expect(world.get(resources.tokens, 'reader')).toBeUndefined()
    expect(accepted(world)).toEqual([hashOf(world, 'writer'), hashOf(world, 'late')].toSorted())
    expect(world.nodes.document).toMatchObject({ limits, organization })
    expect(policies.length).toBeGreaterThan(0)
    expect(world.all(resources.networkPolicies).map(({ metadata }) => metadata.name)).toEqual(policies)
    expect(ready(world, resources.organizations, 'acme')).toMatchObject({
      status: 'False',
      reason: 'InvalidSpec',
      message: expect.stringContaining('spec.access.from'),
    })
  })

  test('what a newer release has said of it stays', async () => {
    const world = await tenant()
    const { conditions, ...facts } = statusOf(world)
    const said = { status: 'True', reason: 'Done', message: 'so', lastTransitionTime: '2026-01-01T00:00:00Z' }
    const newer = [
      { type: 'BackedUp', ...said },
      { type: 'Replicated', ...said },
    ]
    await world.kube.patchStatus(world.get(resources.organizations, 'acme')!, {
      ...facts,
      backup: { lastAt: 'now' },
      conditions: [...conditions.filter(({ type }) => type !== 'BackedUp'), ...newer],
    })
    await world.edit(resources.organizations, 'acme', { hibernation: 'Later' })
    if (process === 'the next process') world.restart()
    await world.settle()
    expect(statusOf(world)).toMatchObject({ ...facts, observedGeneration: 2, backup: { lastAt: 'now' } })
    expect(statusOf(world).conditions).toEqual(expect.arrayContaining(newer))
    await world.edit(resources.organizations, 'acme', { hibernation: 'Never' })
    await world.settle()
    expect(statusOf(world).conditions.map(({ type }) => type)).not.toContain('Replicated')
  })

  test('a status that the API server does not take keeps no Token from its own', async () => {
    const world = await tenant()
    await world.edit(resources.organizations, 'acme', { hibernation: 'Later' })
    if (process === 'the next process') world.restart()
    const { intercept } = world.kube.world
    world.kube.world.intercept = (call) => {
      if (call === 'status organizations acme') throw new AppError('invalid', 'ERR_KUBE_INVALID', call)
      intercept(call)
    }
    await world.create('Token', 'late', {
      organization: 'acme',
      permissions: [{ database: '*', access: ['read'] }],
    })
    await world.settle()
    expect(accepted(world)).toContain(hashOf(world, 'late'))
    expect(ready(world, resources.tokens, 'late')).toMatchObject({ status: 'True' })
  })

  test('one that is deleted while it cannot be read keeps its data', async () => {
    const world = await tenant({ version: '0.2.0' })
    await world.edit(resources.organizations, 'acme', { deletionPolicy: 'Delete', hibernation: 'Later' })
    if (process === 'the next process') world.restart()
    const { runtimeNamespace } = statusOf(world)
    await world.remove(resources.organizations, 'acme')
    await world.settle()
    expect(world.get(resources.organizations, 'acme')).toBeUndefined()
    expect(
      world.get(resources.namespaces, String(runtimeNamespace))?.metadata.deletionTimestamp,
    ).toBeUndefined()
    expect(world.get(resources.secrets, 'data-key', String(runtimeNamespace))).toBeDefined()
  })
})

test('where what it was last cannot be read either, all stays as it stood', async () => {
  const world = await tenant()
  const names = ['writer', 'reader']
  const members = () => [
    ready(world, resources.databases, 'metrics'),
    ...names.map((name) => ready(world, resources.tokens, name)),
  ]
  const before = members()
  expect(before.map((condition) => condition?.status)).toEqual(['True', 'True', 'True'])
  const secret = world.get(resources.secrets, 'last-good', String(statusOf(world)['runtimeNamespace']))!
  const data = secret['data'] as Readonly<Record<string, string>>
  const text = gunzipSync(Buffer.from(data[lastGoodField] ?? '', 'base64')).toString()
  const record = JSON.parse(text) as { readonly organization: object }
  const newer = JSON.stringify({
    ...record,
    organization: { ...record.organization, hibernation: 'Later' },
  })
  await world.kube.replace({ ...secret, data: { [lastGoodField]: gzipSync(newer).toString('base64') } })
  await world.edit(resources.organizations, 'acme', { hibernation: 'Later' })
  world.restart()
  await world.create('Token', 'late', {
    organization: 'acme',
    permissions: [{ database: '*', access: ['read'] }],
  })
  await world.settle()
  expect(members()).toEqual(before)
  expect(ready(world, resources.tokens, 'late')).toMatchObject({ status: 'False' })
  expect(ready(world, resources.organizations, 'acme')).toMatchObject({ reason: 'InvalidSpec' })
  expect(accepted(world)).toEqual(names.map((name) => hashOf(world, name)).toSorted())
})

test('one without an Organization is told so too', async () => {
  const world = new TenantWorld()
  await world.create('Token', 'odd', { organization: 'acme', permissions: 'none' })
  await world.settle()
  expect(ready(world, resources.tokens, 'odd')).toMatchObject({ status: 'False', reason: 'InvalidSpec' })
})
