import { expect, test } from 'vitest'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import { resources } from '../kube/resource.ts'
import { secretNames } from '../naming/names.ts'

// A Database that is made again under its name has its data again if that was kept, and never if it was dropped; what is
// dropped is never what somebody else has.

async function tenant(deletionPolicy: 'Retain' | 'Delete') {
  const world = new TenantWorld()
  await world.create('Organization', 'acme', {})
  await world.create('Database', 'metrics', { organization: 'acme', deletionPolicy })
  await world.settle()
  return { world, id: idsOf(world)[0]! }
}

const idsOf = (world: TenantWorld): readonly string[] => world.nodes.document!.databases.map(({ id }) => id)
const sameName = (deletionPolicy: 'Retain' | 'Delete') => ({
  organization: 'acme',
  databaseName: 'metrics',
  deletionPolicy,
})
const databaseIdOf = (world: TenantWorld, name: string): unknown =>
  (world.get(resources.databases, name)?.['status'] as { databaseId?: string } | undefined)?.databaseId

test.each([
  ['by the same process', false],
  ['by another process', true],
])('kept data comes back, %s', async (_how, isRestarted) => {
  const { world, id } = await tenant('Retain')
  await world.remove(resources.databases, 'metrics')
  await world.settle()
  expect(idsOf(world)).toEqual([])
  if (isRestarted) world.restart()
  await world.create('Database', 'again', sameName('Retain'))
  await world.settle()
  expect(idsOf(world)).toEqual([id])
  expect(databaseIdOf(world, 'again')).toBe(id)
  expect(world.nodes.dropped).toEqual([])
})

test('also where the one before is still going', async () => {
  const { world, id } = await tenant('Retain')
  world.nodes.isUnreachable = true
  await world.remove(resources.databases, 'metrics')
  await world.create('Database', 'again', sameName('Retain'))
  await world.pass()
  world.nodes.isUnreachable = false
  await world.settle()
  expect(idsOf(world)).toEqual([id])
  expect(world.get(resources.databases, 'metrics')).toBeUndefined()
})

test('dropped data does not, and what takes its name is not dropped with it', async () => {
  const { world, id } = await tenant('Delete')
  world.nodes.cannotDrop = id
  await world.remove(resources.databases, 'metrics')
  await world.create('Database', 'again', sameName('Delete'))
  for (let passes = 0; passes < 5; passes += 1) await world.pass()
  expect(idsOf(world)).toHaveLength(1)
  expect(idsOf(world)).not.toContain(id)
  world.nodes.cannotDrop = null
  world.restart()
  await world.settle()
  expect(world.nodes.dropped).toEqual([id])
  const [second] = idsOf(world)
  await world.remove(resources.databases, 'again')
  await world.settle()
  expect(world.nodes.dropped).toEqual([id, second])
  await world.create('Database', 'third', sameName('Delete'))
  await world.settle()
  expect(idsOf(world)).toHaveLength(1)
  expect([id, second]).not.toContain(idsOf(world)[0])
})

test('what was taken over is dropped by its own id', async () => {
  const { world, id } = await tenant('Retain')
  await world.remove(resources.databases, 'metrics')
  await world.settle()
  await world.create('Database', 'again', sameName('Delete'))
  await world.settle()
  world.restart()
  await world.remove(resources.databases, 'again')
  await world.settle()
  expect(world.nodes.dropped).toEqual([id])
})

test('what was taken over stays so where the memory of it is lost', async () => {
  const { world, id } = await tenant('Retain')
  await world.remove(resources.databases, 'metrics')
  await world.settle()
  await world.create('Database', 'again', sameName('Retain'))
  await world.settle()
  const memory = world.all(resources.secrets).find(({ metadata }) => metadata.name === secretNames.lastGood)
  await world.kube.delete(memory!)
  world.restart()
  await world.settle()
  expect(idsOf(world)).toEqual([id])
})
