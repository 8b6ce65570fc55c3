import { expect, test } from 'vitest'
import { hashToken } from '../../common/token.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import type { IssuedToken } from '../api/token.ts'
import { resources } from '../kube/resource.ts'

// Promise: status names the last use of a token, at most a day behind, for at most one write a day.

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

async function tenant(): Promise<TenantWorld> {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  await world.create('Token', 'writer', {
    organization: 'acme',
    permissions: [{ database: '*', access: ['write'] }],
    rotation: { every: '720h', overlap: '1h' },
  })
  await world.settle()
  return world
}

const strings = (world: TenantWorld): readonly IssuedToken[] =>
  (world.get(resources.tokens, 'writer')!['status'] as { readonly tokens: readonly IssuedToken[] }).tokens

/** It was used just now, and the operator comes round to it. */
async function use(world: TenantWorld, id: string): Promise<string> {
  const at = new Date(world.clock.nowMs()).toISOString()
  world.nodes.uses.set(id, at)
  world.clock.jump(6 * minuteMs)
  await world.pass()
  return at
}

test('a first use is said at the next look, later ones once a day', async () => {
  const world = await tenant()
  const [{ id } = { id: '' }] = strings(world)
  expect(strings(world)).toEqual([expect.not.objectContaining({ lastUsedAt: expect.anything() })])
  const first = await use(world, id)
  expect(strings(world)[0]?.lastUsedAt).toBe(first)
  const writes = world.operatorWrites.length
  await use(world, id)
  expect(strings(world)[0]?.lastUsedAt).toBe(first)
  expect(world.operatorWrites.slice(writes)).toEqual([])
  world.clock.jump(dayMs)
  const next = await use(world, id)
  expect(strings(world)[0]?.lastUsedAt).toBe(next)
  expect(world.operatorWrites.slice(writes)).toHaveLength(1)
})

test('nodes are not asked at every pass, nor by a process that has just begun', async () => {
  const world = await tenant()
  const [{ id } = { id: '' }] = strings(world)
  await use(world, id)
  world.restart()
  world.nodes.uses.set(id, new Date(world.clock.nowMs() + 2 * dayMs).toISOString())
  const writes = world.operatorWrites.length
  await world.pass()
  world.clock.jump(4 * minuteMs)
  await world.pass()
  expect(world.operatorWrites.slice(writes)).toEqual([])
  world.clock.jump(minuteMs)
  await world.pass()
  expect(world.operatorWrites.slice(writes)).toHaveLength(1)
})

test('of a string that another one takes the place of it stays, and the new one has none before it is used', async () => {
  const world = await tenant()
  const [old = { id: '' }] = strings(world)
  const first = await use(world, old.id)
  world.clock.jump(30 * dayMs)
  await world.settle()
  const [fresh, before] = strings(world)
  const data = world.get(resources.secrets, 'writer')!['data'] as Readonly<Record<string, string>>
  expect(hashToken(Buffer.from(data['token'] ?? '', 'base64').toString())).toBe(fresh?.hash)
  expect(fresh?.lastUsedAt).toBeUndefined()
  expect(before).toMatchObject({ id: old.id, lastUsedAt: first })
})

test('a node that does not answer keeps nothing from being done', async () => {
  const world = await tenant()
  const [{ id } = { id: '' }] = strings(world)
  const first = await use(world, id)
  world.nodes.tokenUses = () => Promise.reject(new Error('silent'))
  world.clock.jump(dayMs)
  await world.create('Token', 'reader', {
    organization: 'acme',
    permissions: [{ database: '*', access: ['read'] }],
  })
  await world.settle()
  expect(world.nodes.document?.tokens).toHaveLength(2)
  expect(strings(world)[0]?.lastUsedAt).toBe(first)
})
