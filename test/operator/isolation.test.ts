import { beforeAll, describe, expect, test } from 'vitest'
import type { OrganizationStatus } from '../../operator/api/organization.ts'
import { resources } from '../../operator/kube/resource.ts'
import { Cluster } from './cluster.ts'
import { Line } from './faulty-client.ts'
import { OperatorProcess } from './operator-process.ts'
import { createObject, team } from './objects.ts'
import { settledTenant } from './scenarios.ts'

// Promise: a network that lets packets through is told on the organization and ends its readiness, also under an operator that
// has just started, and a network that closes is readiness again; a probe that is away holds up new organizations alone; and
// while nothing changes nothing is written, however often the paths are tried.

const { organizations } = resources

let settled: Cluster
beforeAll(async () => {
  settled = await settledTenant('Retain')
})

const statusOf = (cluster: Cluster, name = 'acme') =>
  cluster.get(organizations, name, team)?.['status'] as OrganizationStatus | undefined
const says = (cluster: Cluster, type: string, name = 'acme') => {
  const found = statusOf(cluster, name)?.conditions.find((condition) => condition.type === type)
  return `${found?.status} ${found?.reason}`
}

function started(cluster: Cluster): { cluster: Cluster; operator: OperatorProcess; line: Line } {
  const line = new Line(cluster, () => null)
  const operator = new OperatorProcess(cluster, line)
  operator.start()
  return { cluster, operator, line }
}

async function pass(cluster: Cluster, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await cluster.tick()
    await cluster.clock.advance(1_000)
  }
}

test('proved, a quarter of an hour goes by without a write', async () => {
  const { cluster, operator, line } = started(settled.fork())
  await pass(cluster, 5)
  expect(says(cluster, 'NetworkIsolated')).toBe('True IsolationProved')
  const before = line.effects.length
  for (let minute = 0; minute < 15; minute += 1) {
    await cluster.tick()
    await cluster.clock.advance(60_000)
  }
  expect(line.effects.length).toBe(before)
  await operator.end()
})

describe('a network that opens', () => {
  test('is told within six minutes, by an operator that starts at once, and both again when it closes', async () => {
    const first = started(settled.fork())
    const { cluster } = first
    await pass(cluster, 5)
    cluster.isOpen = true
    for (let minute = 0; minute < 6; minute += 1) {
      await cluster.tick()
      await cluster.clock.advance(60_000)
    }
    await pass(cluster, 5)
    expect(says(cluster, 'NetworkIsolated')).toBe('False NetworkNotIsolated')
    expect(says(cluster, 'Ready')).toBe('False NetworkNotIsolated')
    await first.operator.end()

    const second = started(cluster)
    await pass(cluster, 2)
    expect(says(cluster, 'NetworkIsolated')).toBe('False NetworkNotIsolated')
    cluster.isOpen = false
    await pass(cluster, 35)
    expect(says(cluster, 'NetworkIsolated')).toBe('True IsolationProved')
    expect(says(cluster, 'Ready')).toBe('True Ready')
    await second.operator.end()
  })

  test('keeps a new organization from being ready', async () => {
    const cluster = Cluster.create()
    cluster.isOpen = true
    await cluster.kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: team } })
    const { operator } = started(cluster)
    await createObject(cluster, 'Organization', 'acme', {})
    await pass(cluster, 30)
    expect(says(cluster, 'Ready')).toBe('False NetworkNotIsolated')
    await operator.end()
  })
})

describe('a probe that is away', () => {
  test('takes nothing from an organization that is ready, also while its pod is made anew', async () => {
    const { cluster, operator } = started(settled.fork())
    await pass(cluster, 5)
    cluster.hasProbe = false
    const [pod] = cluster.all(resources.pods)
    await cluster.kube.delete(pod!)
    await pass(cluster, 30)
    expect(says(cluster, 'Ready')).toBe('True Ready')
    expect(says(cluster, 'NetworkIsolated')).toBe('True IsolationProved')
    for (let minute = 0; minute < 20; minute += 1) {
      await cluster.tick()
      await cluster.clock.advance(60_000)
    }
    expect(says(cluster, 'NetworkIsolated')).toBe('Unknown IsolationNotChecked')
    expect(says(cluster, 'Ready')).toBe('True Ready')
    await operator.end()
  })

  test('holds a new one up until it is there', async () => {
    const cluster = Cluster.create()
    cluster.hasProbe = false
    await cluster.kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: team } })
    const { operator } = started(cluster)
    await createObject(cluster, 'Organization', 'acme', {})
    await pass(cluster, 30)
    expect(says(cluster, 'Ready')).toBe('False IsolationNotChecked')
    cluster.hasProbe = true
    await pass(cluster, 61)
    expect(says(cluster, 'Ready')).toBe('True Ready')
    await operator.end()
  })
})
