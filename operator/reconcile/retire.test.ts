import { expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import { resources } from '../kube/resource.ts'
import { ownerAnnotations } from '../naming/owner.ts'
import { withoutRetention } from '../naming/retention.ts'

// Promise: from when its data is retained on, the end of an Organization takes nothing from the one that takes the data
// over, whenever the process ended that had retained it.

/** A process has ended between the record that the data is retained and the finalizer. */
async function retained() {
  const world = new TenantWorld()
  const organization = await world.create('Organization', 'acme', {})
  await world.settle()
  await world.remove(resources.organizations, 'acme')
  const { intercept } = world.kube.world
  world.kube.world.intercept = (call) => {
    if (call === 'metadata organizations acme')
      throw new AppError('unavailable', 'ERR_KUBE_CONNECTION', 'ECONNRESET')
    intercept(call)
  }
  for (let passes = 0; passes < 5; passes += 1) {
    await world.pass().catch(() => undefined)
    await world.cluster()
  }
  world.kube.world.intercept = intercept
  world.restart()
  const organizationId = idOfUid(organization.metadata.uid!)
  const name = runtimeNamespace(organizationId)
  const namespace = () => world.get(resources.namespaces, name)
  expect(Object.keys(namespace()!.metadata.annotations!)).toContain('holdfast.dev/retained-mac')
  const next = { namespace: 'acme-team', name: 'next', uid: 'uid-of-the-next' }
  const takeOver = () => {
    const owner = ownerAnnotations(world.authority.operatorKey, organizationId, next)
    return world.kube.patchMetadata(namespace()!, { annotations: { ...withoutRetention, ...owner } })
  }
  return { world, name, namespace, takeOver }
}

test('what the next one runs stays where it comes up while the one before is let go', async () => {
  const { world, name } = await retained()
  const metadata = { name: 'storage-node', namespace: name }
  const { intercept } = world.kube.world
  let isMade = false
  world.kube.world.intercept = (call) => {
    intercept(call)
    if (isMade || call !== `get namespaces ${name}`) return
    isMade = true
    void world.kube.create({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata })
  }
  await world.pass()
  expect(isMade).toBe(true)
  expect(world.get(resources.organizations, 'acme')).toBeUndefined()
  expect(world.get(resources.statefulSets, 'storage-node', name)).toBeDefined()
})

test('its namespace is not deleted where it was taken over a moment before', async () => {
  const { world, name, namespace, takeOver } = await retained()
  await world.edit(resources.organizations, 'acme', { deletionPolicy: 'Delete' })
  const { intercept } = world.kube.world
  let isTaken = false
  world.kube.world.intercept = (call) => {
    intercept(call)
    if (isTaken || call !== `delete namespaces ${name}`) return
    isTaken = true
    void takeOver()
  }
  await expect(world.pass()).rejects.toMatchObject({ kind: 'conflict' })
  expect(namespace()?.metadata.deletionTimestamp).toBeUndefined()
  await world.settle()
  expect(namespace()?.metadata.deletionTimestamp).toBeUndefined()
  expect(world.get(resources.organizations, 'acme')).toBeUndefined()
})
