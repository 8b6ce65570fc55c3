import { expect, test } from 'vitest'
import { platform, TenantWorld } from '../../test/support/tenant-world.ts'
import type { Organization } from '../api/organization.ts'
import { resources } from '../kube/resource.ts'

// A version that does not come up is taken back after the time that the platform sets, and neither before nor much later.

const minuteMs = 60_000

async function rounds(world: TenantWorld, lastMs: number): Promise<void> {
  for (let passedMs = 0; passedMs <= lastMs; passedMs += 10_000) {
    await world.pass()
    await world.cluster()
    world.clock.jump(10_000)
  }
}

test('two minutes, where the platform says so', async () => {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  await world.settle()
  world.platform = { ...platform, storageNode: { ...platform.storageNode, rolloutLimitMinutes: 2 } }
  world.brokenImages.add('example/node-2')
  await world.edit(resources.organizations, 'acme', { version: '0.2.0' })
  const status = () => (world.get(resources.organizations, 'acme') as unknown as Organization).status!
  await rounds(world, minuteMs)
  expect(status().upgrade?.phase).toBe('Rolling')
  const said = status().conditions.find(({ type }) => type === 'Reconciling')?.message
  expect(said).toContain('within 2 min, 17 if')
  await rounds(world, 2 * minuteMs)
  expect(status().upgrade?.phase).toBe('RolledBack')
})
