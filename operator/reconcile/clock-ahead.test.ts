import { expect, test } from 'vitest'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import { resources } from '../kube/resource.ts'
import { conditionsOfRaw } from './write.ts'

// Promise: a leader whose clock runs ahead ends no token for good: nodes judge ends by their own clocks, and revoke only
// what is deleted.

const token = (more: object = {}) => ({
  organization: 'acme',
  permissions: [{ database: '*', access: ['read'] }],
  expiresAfter: '24h',
  ...more,
})
const hash = 'ab'.repeat(32)
const accepted = (world: TenantWorld) => world.nodes.document!.tokens.map(({ id }) => id)
const ready = (world: TenantWorld, name: string) =>
  conditionsOfRaw(world.get(resources.tokens, name)!).find(({ type }) => type === 'Ready')

test('what seemed to have ended is as it was when the clock is right again', async () => {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  await world.create('Token', 'own', token())
  await world.create('Token', 'foreign', token({ hash }))
  await world.settle()
  const before = accepted(world)
  expect(before).toHaveLength(2)

  const now = world.clock.nowMs.bind(world.clock)
  world.clock.nowMs = () => now() + 2 * 86_400_000
  await world.settle()
  for (const name of ['own', 'foreign']) expect(ready(world, name)?.reason).toBe('Expired')
  expect(accepted(world)).toEqual(before)

  world.clock.nowMs = now
  world.restart()
  await world.settle()
  expect(accepted(world)).toEqual(before)
  for (const name of ['own', 'foreign']) expect(ready(world, name)?.reason).toBe('Ready')
  expect(world.nodes.refusals).toEqual([])
})

test('what has ended asks for no pass, and goes when it is deleted', async () => {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  await world.create('Token', 'foreign', token({ hash }))
  await world.settle()
  world.clock.jump(86_400_000)
  await world.settle()
  expect((await world.pass()).requeueAfterMs).toBeGreaterThan(5_000)
  expect(accepted(world)).toHaveLength(1)
  await world.remove(resources.tokens, 'foreign')
  await world.settle()
  expect(accepted(world)).toEqual([])
  expect(world.get(resources.tokens, 'foreign')).toBeUndefined()
})

test('a hash whose older Token has ended is the younger one’s', async () => {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  await world.create('Token', 'older', token({ hash }))
  world.clock.jump(3_600_000)
  await world.create('Token', 'younger', token({ hash, expiresAfter: '48h' }))
  await world.settle()
  expect(ready(world, 'younger')?.reason).toBe('TokenHashTaken')
  world.clock.jump(86_400_000)
  await world.settle()
  expect(ready(world, 'older')?.reason).toBe('Expired')
  expect(ready(world, 'younger')?.reason).toBe('Ready')
  expect(world.nodes.refusals).toEqual([])
})
