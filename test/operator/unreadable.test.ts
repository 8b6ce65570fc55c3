import { expect, test } from 'vitest'
import { runtimeNamespace } from '../../common/ids.ts'
import type { Condition } from '../../operator/api/conditions.ts'
import type { OrganizationStatus } from '../../operator/api/organization.ts'
import { resources } from '../../operator/kube/resource.ts'
import { annotationKeys } from '../../operator/naming/labels.ts'
import type { Cluster } from './cluster.ts'
import { createObject, editObject, team } from './objects.ts'
import { retainedTenant, withOperator } from './scenarios.ts'

// Promise: retained data is not taken over by an Organization that cannot be read, and it is once it can be.

const { namespaces, organizations, pods, persistentVolumeClaims } = resources

const statusOf = (cluster: Cluster): OrganizationStatus =>
  cluster.get(organizations, 'acme', team)!['status'] as OrganizationStatus
const readyOf = (cluster: Cluster): Condition | undefined =>
  statusOf(cluster).conditions.find(({ type }) => type === 'Ready')

test('data is taken over when the whole spec can be read', async () => {
  const { cluster, restoreFrom } = await retainedTenant()
  const runtime = runtimeNamespace(restoreFrom.organizationId)
  const volumes = () => cluster.all(persistentVolumeClaims).map(({ metadata }) => metadata.uid)
  const before = volumes()
  const ownerUid = () =>
    cluster.get(namespaces, runtime)?.metadata.annotations?.[annotationKeys.ownerUid] ?? 'nobody'
  const formerOwner = ownerUid()
  expect(before).toHaveLength(1)
  await withOperator(cluster, () =>
    createObject(cluster, 'Organization', 'acme', { restoreFrom, hibernation: 'Later' }),
  )
  expect(readyOf(cluster)).toMatchObject({ status: 'False', reason: 'InvalidSpec' })
  expect(cluster.get(pods, 'storage-node-0', runtime)).toBeUndefined()
  expect(ownerUid()).toBe(formerOwner)
  await withOperator(cluster, () => editObject(cluster, organizations, 'acme', { hibernation: 'Never' }))
  expect(readyOf(cluster)).toMatchObject({ status: 'True' })
  expect(ownerUid()).toBe(cluster.get(organizations, 'acme', team)?.metadata.uid)
  expect(volumes()).toEqual(before)
})

test('where nobody knows whose data is asked for, nothing is done about it', async () => {
  const { cluster, restoreFrom } = await retainedTenant()
  await withOperator(cluster, () => createObject(cluster, 'Organization', 'acme', { restoreFrom }))
  const { storage, organizationId, runtimeNamespace: namespace } = statusOf(cluster)
  const spec = { restoreFrom: { ...restoreFrom, pointInTime: 7 }, storage: { size: '20Gi', replicas: 1 } }
  await withOperator(cluster, () => editObject(cluster, organizations, 'acme', spec))
  expect(readyOf(cluster)?.message).toContain('spec.restoreFrom.pointInTime')
  expect(organizationId).toBe(restoreFrom.organizationId)
  expect(statusOf(cluster)).toMatchObject({ storage, organizationId, runtimeNamespace: namespace })
})
