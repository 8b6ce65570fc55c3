import { expect, test } from 'vitest'
import { inFormat, inTodaysFormat, type AnyStateDocument } from '../../common/state-document-formats.ts'
import { stateDigest } from '../../common/state-document.ts'
import type { TenantWorld } from '../../test/support/tenant-world.ts'
import { condition, status, tenant } from '../../test/support/rolling-tenant.ts'
import { resources } from '../kube/resource.ts'

// Promise: beside nodes of the version before nothing changes but what their format cannot say, and that is told. An upgrade
// of nodes or of the operator costs a document each, one status at most, and no refusal.

const inForce = ({ nodes }: TenantWorld): AnyStateDocument => nodes.document!
const todaysDigest = (world: TenantWorld) => stateDigest(inTodaysFormat(inForce(world)))

async function tenantOfBefore() {
  const of = await tenant()
  const permissions = [{ database: '*', access: ['read'] }]
  for (const name of ['reader', 'writer'])
    await of.world.create('Token', name, { organization: 'acme', permissions })
  of.world.nodes.formatVersions = [1]
  of.world.nodes.document = inFormat(inTodaysFormat(inForce(of.world)), 1).document
  await of.world.settle()
  return of
}

test('nodes are upgraded and taken back: one document each, and nothing is written', async () => {
  const of = await tenantOfBefore()
  const { world } = of
  expect(inForce(world)).toMatchObject({ formatVersion: 1, tokens: [{}, {}] })
  expect(condition(of, 'Ready')).toMatchObject({ status: 'True' })
  expect(status(of).stateDigest).toBe(todaysDigest(world))
  for (const formats of [[1, 2], [1], [1, 2]]) {
    world.nodes.formatVersions = formats
    world.operatorWrites.length = 0
    await world.settle()
    expect(world.operatorWrites).toEqual([expect.stringMatching(/^node document /)])
    expect(inForce(world).formatVersion).toBe(formats.at(-1))
    expect(status(of).stateDigest).toBe(todaysDigest(world))
  }
})

test('an operator that comes from the version before writes a document and a status, and none when it starts again', async () => {
  const { world } = await tenant()
  const live = world.get(resources.organizations, 'acme')!
  const before = inFormat(inTodaysFormat(inForce(world)), 1).document
  world.nodes.document = before
  await world.kube.patchStatus(live, {
    ...(live['status'] as object),
    stateDigest: stateDigest(before),
  })
  world.restart()
  world.operatorWrites.length = 0
  await world.settle()
  expect(world.operatorWrites).toEqual([
    expect.stringMatching(/^node document /),
    expect.stringMatching(/organizations.*status|status.*organizations/),
  ])
  world.restart()
  world.operatorWrites.length = 0
  await world.settle()
  expect([world.operatorWrites, world.nodes.refusals]).toEqual([[], []])
})

test('a limit that the node does not know is told; tokens are revoked all the same, and all heals with the limit or the node', async () => {
  const of = await tenantOfBefore()
  const { world } = of
  await world.edit(resources.organizations, 'acme', { limits: { rowsPerQuery: 5 } })
  await world.settle()
  expect(condition(of, 'Stalled')).toMatchObject({
    status: 'True',
    reason: 'NodeRefused',
    message: expect.stringContaining('does not know spec.limits.rowsPerQuery; set spec.version'),
  })
  await world.remove(resources.tokens, 'reader')
  await world.settle()
  expect(inForce(world).tokens).toHaveLength(1)
  await world.edit(resources.organizations, 'acme', { limits: {} })
  await world.settle()
  expect(condition(of, 'Ready')).toMatchObject({ status: 'True' })
  expect(world.get(resources.tokens, 'reader')).toBeUndefined()

  await world.edit(resources.organizations, 'acme', { limits: { rowsPerQuery: 5 } })
  await world.settle()
  expect(condition(of, 'Ready')).toMatchObject({ status: 'False' })
  world.nodes.formatVersions = [1, 2]
  await world.settle()
  expect(condition(of, 'Ready')).toMatchObject({ status: 'True' })
  expect(inForce(world).limits).toMatchObject({ rowsPerQuery: 5 })
  expect(world.nodes.refusals).toEqual([])
})
