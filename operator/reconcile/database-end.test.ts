import { expect, test } from 'vitest'
import { idOfUid } from '../../common/ids.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import type { Condition } from '../api/conditions.ts'
import { resources } from '../kube/resource.ts'

// A database that a node cannot drop waits and says why, and keeps nobody else from going or being told.

test('one that cannot be dropped holds up nobody', async () => {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  for (const name of ['first', 'second', 'third'])
    await world.create('Database', name, { organization: 'acme', deletionPolicy: 'Delete' })
  await world.settle()
  const stuck = idOfUid(world.get(resources.databases, 'first')!.metadata.uid!)
  world.nodes.cannotDrop = stuck
  for (const name of ['first', 'second']) await world.remove(resources.databases, name)
  await world.create('Database', 'new', { organization: 'acme' })
  await world.settle()
  expect(world.get(resources.databases, 'second')).toBeUndefined()
  const ready = (name: string): Condition | undefined => {
    const status = world.get(resources.databases, name)?.['status'] as { conditions: readonly Condition[] }
    return status?.conditions.find(({ type }) => type === 'Ready')
  }
  expect(ready('new')?.status).toBe('True')
  expect(ready('first')).toMatchObject({ status: 'False', reason: 'Deleting' })
  expect(ready('first')?.message).toContain('the disk is full')
  world.nodes.cannotDrop = null
  await world.settle()
  expect(world.get(resources.databases, 'first')).toBeUndefined()
  expect(world.nodes.dropped).toContain(stuck)
})
