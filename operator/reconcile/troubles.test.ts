import { expect, test } from 'vitest'
import type { NodeTrouble } from '../../common/admin-api.ts'
import type { Condition } from '../api/conditions.ts'
import type { Organization } from '../api/organization.ts'
import { resources } from '../kube/resource.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'

// A storage node whose flushes fail again and again: its Organization says so and stays Ready while writes are taken; it
// is not Ready, with one event, while they are refused, and Ready again without anybody's doing.

const trouble: NodeTrouble = {
  work: 'flush',
  failures: 3,
  since: '2026-01-01T00:00:00.000Z',
  message: 'buffers cannot be put into files: the disk is full',
  refusesWrites: false,
}

function condition(world: TenantWorld, type: string): Condition {
  const { conditions } = world.get(resources.organizations, 'acme')!['status'] as NonNullable<
    Organization['status']
  >
  return conditions.find((found) => found.type === type)!
}

const warnings = (world: TenantWorld) => world.events.filter((event) => event.startsWith('Warning'))

test('is said while writes are taken, and is a Warning while they are refused', async () => {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  await world.settle()
  world.nodes.troubles = [trouble]
  await world.settle()
  const said = condition(world, 'Ready')
  expect(said).toMatchObject({ status: 'True', reason: 'Ready' })
  expect(said.message).toContain(
    'storage-node-0: buffers cannot be put into files: the disk is full, again and again since 2026-01-01T00:00:00.000Z',
  )
  world.nodes.troubles = [{ ...trouble, failures: 4 }]
  await world.settle()
  expect(condition(world, 'Ready')).toEqual(said)

  world.nodes.troubles = [{ ...trouble, failures: 9, refusesWrites: true }]
  await world.settle()
  await world.settle()
  for (const [type, status] of [
    ['Ready', 'False'],
    ['Stalled', 'True'],
  ] as const)
    expect(condition(world, type)).toMatchObject({ status, reason: 'WritesRefused' })
  const { message } = condition(world, 'Ready')
  expect(message).toContain('the disk is full')
  expect(message).toContain('writes are answered 503')
  expect(warnings(world)).toEqual([`Warning WritesRefused ${message}`])

  world.nodes.troubles = []
  await world.settle()
  expect(condition(world, 'Ready')).toMatchObject({ status: 'True', message: '1 of 1 storage nodes ready' })
  expect(condition(world, 'Stalled')).toMatchObject({ status: 'False' })
  expect(warnings(world)).toHaveLength(1)
})
