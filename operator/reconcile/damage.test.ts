import { describe, expect, test } from 'vitest'
import type { Condition } from '../api/conditions.ts'
import type { Organization } from '../api/organization.ts'
import { resources } from '../kube/resource.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'

// A storage node that found damage is read-only: its Organization says so, names the file and what to do, once; it
// takes that back only when the node itself says that it is well.

const damage = { file: 'log/0000000000000001.log', offsetBytes: 4_096, what: 'a record does not open' }

async function tenant(): Promise<TenantWorld> {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  await world.create('Database', 'metrics', { organization: 'acme' })
  await world.settle()
  return world
}

function condition(world: TenantWorld, type: string): Condition {
  const { conditions } = world.get(resources.organizations, 'acme')!['status'] as NonNullable<
    Organization['status']
  >
  return conditions.find((found) => found.type === type)!
}

const warnings = (world: TenantWorld) => world.events.filter((event) => event.startsWith('Warning'))

describe('damage on a storage node', () => {
  test('is told with its file and what to do, in one event', async () => {
    const world = await tenant()
    expect(condition(world, 'IntegrityVerified')).toMatchObject({ status: 'Unknown' })
    world.nodes.damage = [damage]
    await world.settle()
    const said = condition(world, 'IntegrityVerified')
    expect(said).toMatchObject({ status: 'False', reason: 'DataDamaged' })
    expect(said.message).toContain('storage-node-0: log/0000000000000001.log at byte 4096')
    expect(said.message).toContain('from a snapshot or backup')
    expect(said.message).toContain('claim data-storage-node-0')
    expect(condition(world, 'Ready')).toMatchObject({ status: 'False', reason: 'DataDamaged' })
    expect(condition(world, 'Stalled')).toMatchObject({ status: 'True', reason: 'DataDamaged' })
    await world.settle()
    world.restart()
    await world.settle()
    expect(warnings(world)).toEqual([`Warning DataDamaged ${said.message}`])
  })

  test('keeps nothing else from being served, and no token from being revoked', async () => {
    const world = await tenant()
    world.nodes.damage = [damage]
    await world.settle()
    await world.create('Database', 'events', { organization: 'acme' })
    await world.settle()
    expect(world.nodes.document?.databases.map(({ name }) => name).toSorted()).toEqual(['events', 'metrics'])
  })

  test('heals when the node is well again, and not while it is silent', async () => {
    const world = await tenant()
    world.nodes.damage = [damage]
    await world.settle()
    world.nodes.damage = []
    world.nodes.isUnreachable = true
    await world.settle()
    expect(condition(world, 'IntegrityVerified')).toMatchObject({ status: 'False', reason: 'DataDamaged' })
    expect(condition(world, 'Ready')).toMatchObject({ status: 'False', reason: 'NodeUnreachable' })
    world.nodes.isUnreachable = false
    await world.settle()
    expect(condition(world, 'IntegrityVerified')).toMatchObject({ status: 'Unknown' })
    expect(condition(world, 'Ready')).toMatchObject({ status: 'True' })
    expect(warnings(world)).toHaveLength(1)
  })

  test('is told also while the spec is refused', async () => {
    const world = await tenant()
    await world.edit(resources.organizations, 'acme', {
      backup: { schedule: '0 3 * * *', destination: 'nightly' },
    })
    world.nodes.damage = [damage]
    await world.settle()
    expect(condition(world, 'Stalled')).toMatchObject({ status: 'True', reason: 'NotYetSupported' })
    expect(condition(world, 'IntegrityVerified')).toMatchObject({ status: 'False' })
  })

  test('of many files names some and counts the others', async () => {
    const world = await tenant()
    world.nodes.damage = Array.from({ length: 100 }, (_file, index) => ({
      file: `files/${index}.parquet`,
      offsetBytes: null,
      what: 'x'.repeat(500),
    }))
    await world.settle()
    const { message } = condition(world, 'IntegrityVerified')
    expect(message).toContain('files/2.parquet: ')
    expect(message).toContain('97 more')
    expect(message).toContain('delete the pod')
  })
})
