import { expect, test } from 'vitest'
import type { OrganizationStatus } from '../../operator/api/organization.ts'
import { resources } from '../../operator/kube/resource.ts'
import { Line } from './faulty-client.ts'
import { OperatorProcess } from './operator-process.ts'
import { editObject, team } from './objects.ts'
import { hibernatedTenant, settledTenant } from './scenarios.ts'
import type { Cluster } from './cluster.ts'

// Promise: who sleeps still tells what of its spec is not in force, and is ready all the same: nobody waits for what can
// only end when it wakes.

const { organizations } = resources

function started(cluster: Cluster): OperatorProcess {
  const operator = new OperatorProcess(cluster, new Line(cluster, () => null))
  operator.start()
  return operator
}

async function pass(cluster: Cluster, seconds: number, stepMs = 1_000): Promise<void> {
  for (let passedMs = 0; passedMs < seconds * 1_000; passedMs += stepMs) {
    await cluster.tick()
    await cluster.clock.advance(stepMs)
  }
}

const statusOf = (cluster: Cluster) =>
  cluster.get(organizations, 'acme', team)!['status'] as OrganizationStatus
const condition = (cluster: Cluster, type: string) =>
  statusOf(cluster).conditions.find((found) => found.type === type)

test('a version that did not come up', async () => {
  const cluster = await settledTenant('Retain')
  const operator = started(cluster)
  cluster.brokenImages.add('example/node-2')
  await editObject(cluster, organizations, 'acme', { version: '0.2.0' })
  await pass(cluster, 720, 5_000)
  expect(statusOf(cluster).upgrade?.phase).toBe('RolledBack')
  await editObject(cluster, organizations, 'acme', { hibernation: 'Now' })
  await pass(cluster, 20)
  expect(condition(cluster, 'Ready')).toMatchObject({ status: 'True', reason: 'Hibernated' })
  expect(condition(cluster, 'Stalled')).toMatchObject({ status: 'True', reason: 'UpgradeRolledBack' })
  expect(condition(cluster, 'Stalled')?.message).toContain('version 0.1.0 comes back when it wakes')
  await editObject(cluster, organizations, 'acme', { version: '0.1.0' })
  await pass(cluster, 20)
  await operator.end()
  expect(condition(cluster, 'Stalled')?.status).toBe('False')
})

test('a volume that is growing', async () => {
  const cluster = await hibernatedTenant()
  cluster.growth = 'infeasible'
  const operator = started(cluster)
  await editObject(cluster, organizations, 'acme', { storage: { size: '20Gi', replicas: 1 } })
  await pass(cluster, 1)
  expect(condition(cluster, 'Ready')).toMatchObject({ status: 'True', reason: 'Hibernated' })
  expect(condition(cluster, 'Ready')?.message).toContain('volumes are growing to 20Gi')
  await operator.end()
})
