import { beforeEach, describe, expect, test } from 'vitest'
import type { OrganizationStatus } from '../api/organization.ts'
import { resources } from '../kube/resource.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'

// What is known of an organization's closed paths is said once; an open one is no readiness, and takes nothing from what is
// served; what runs is what is tried.

let world: TenantWorld
beforeEach(async () => {
  world = new TenantWorld()
  await world.create('Organization', 'acme', { access: { from: [{ namespace: 'tools' }] } })
  await world.create('Database', 'metrics', { organization: 'acme' })
})

const { organizations } = resources
const statusOf = () => world.get(organizations, 'acme')!['status'] as OrganizationStatus
const condition = (type: string) => statusOf().conditions.find((found) => found.type === type)

test('proved: it is ready, and nothing more is written', async () => {
  await world.settle()
  expect(condition('NetworkIsolated')).toMatchObject({ status: 'True', reason: 'IsolationProved' })
  expect(condition('Ready')?.status).toBe('True')
  const { writes } = world
  await world.pass()
  expect(world.writes).toBe(writes)
})

test('what is tried is the pods that run, with the ways that the spec opens and the policies that are there', async () => {
  await world.settle()
  const subject = world.subjects.at(-1)!
  expect(subject.pods).toMatchObject([{ name: 'storage-node-0', isReady: true }])
  expect(subject.access).toMatchObject([{ namespace: 'tools' }])
  expect(subject.policies).toHaveLength(4)
  expect(subject.operatorNamespace).toBe('holdfast-system')
})

test('it is told whether one was Ready, and whether that was said of the spec that it has', async () => {
  await world.settle()
  await world.pass()
  expect(world.subjects.at(-1)).toMatchObject({ wasReady: true, isAsSaid: true })
  world.restart()
  await world.edit(organizations, 'acme', { access: { from: [{ namespace: 'others' }] } })
  await world.pass()
  expect(world.subjects.at(-1)).toMatchObject({
    access: [{ namespace: 'others' }],
    wasReady: true,
    isAsSaid: false,
  })
})

describe('not proved', () => {
  test('a new organization waits, and says for what', async () => {
    world.isolation = { state: 'untried', why: 'no probe', isLasting: false, isInVain: false }
    await world.settle()
    expect(condition('Ready')).toMatchObject({
      status: 'False',
      reason: 'IsolationNotChecked',
      message: 'no probe',
    })
    expect(condition('Reconciling')?.status).toBe('True')
    const database = world.get(resources.databases, 'metrics')!['status'] as OrganizationStatus
    expect(database.conditions.find(({ type }) => type === 'Ready')?.status).toBe('True')
  })

  test('one that was ready stays so', async () => {
    await world.settle()
    world.isolation = { state: 'untried', why: 'no probe', isLasting: true, isInVain: false }
    await world.settle()
    expect(condition('Ready')?.status).toBe('True')
    expect(condition('NetworkIsolated')).toMatchObject({ status: 'Unknown', message: 'no probe' })
  })

  test('where it is not required, nobody waits', async () => {
    world.platform = { ...world.platform, isolation: { required: false } }
    world.isolation = { state: 'untried', why: 'no probe', isLasting: false, isInVain: false }
    await world.settle()
    expect(condition('Ready')?.status).toBe('True')
    expect(condition('NetworkIsolated')?.status).toBe('Unknown')
  })
})

test('an open path is named, told as an event, and ends readiness until it is closed', async () => {
  await world.settle()
  world.isolation = { state: 'open', paths: ['from storage-node-0 to name server'], isEverything: false }
  await world.settle()
  for (const type of ['NetworkIsolated', 'Ready']) {
    expect(condition(type)).toMatchObject({ status: 'False', reason: 'NetworkNotIsolated' })
    expect(condition(type)?.message).toContain('from storage-node-0 to name server')
  }
  expect(condition('Stalled')?.status).toBe('True')
  const told = () => world.events.filter((event) => /NetworkNotIsolated|IsolationProved/.test(event))
  expect(told()).toHaveLength(1)
  world.isolation = { state: 'isolated' }
  await world.settle()
  expect(condition('Ready')?.status).toBe('True')
  expect(told()).toHaveLength(2)
})

test('an organization without pods has no paths: nothing is tried, and what was found stays', async () => {
  await world.settle()
  await world.edit(organizations, 'acme', { hibernation: 'Now' })
  await world.pass()
  for (const { metadata } of world.all(resources.pods)) {
    await world.kube.delete(world.get(resources.pods, metadata.name, metadata.namespace)!)
  }
  const before = world.subjects.length
  await world.pass()
  expect(world.subjects).toHaveLength(before)
  expect(world.forgotten.length).toBeGreaterThan(0)
  expect(condition('NetworkIsolated')?.status).toBe('True')
})

describe('an organization that is deleted is forgotten', () => {
  const victim = 'f'.repeat(16)
  test.each([
    ['with what runs for it', {}, true],
    ['but not one of another owner that it only names', { restoreFrom: { organizationId: victim } }, false],
  ])('%s', async (_what, spec, isForgotten) => {
    world = new TenantWorld()
    await world.create('Organization', 'acme', spec)
    await world.settle()
    const id = statusOf().organizationId ?? victim
    // The one that is named is there, and somebody else's.
    const named = { name: `holdfast-${victim}`, annotations: { 'holdfast.dev/owner-uid': 'another' } }
    await world.kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: named })
    world.forgotten.length = 0
    await world.remove(organizations, 'acme')
    await world.settle()
    expect(world.get(organizations, 'acme')).toBeUndefined()
    expect(world.forgotten.includes(id)).toBe(isForgotten)
  })
})

describe('a request for a proof', () => {
  const ask = async (request: string | null) => {
    const live = world.get(organizations, 'acme')!
    const { resourceVersion: _version, annotations: _before, ...metadata } = live.metadata
    const annotations = request === null ? {} : { annotations: { 'holdfast.dev/prove': request } }
    await world.kube.replace({ ...live, metadata: { ...metadata, ...annotations } })
  }
  const proof = (request: string) => ({
    request,
    at: '2026-11-22T00:00:00Z',
    paths: [
      {
        from: 'storage-node-0',
        to: 'name server',
        control: 'Reached' as const,
        result: 'Closed' as const,
      },
    ],
  })

  test('is passed on, answered in status once, and the answer goes with it', async () => {
    await world.settle()
    await ask('r1')
    await world.pass()
    expect(world.subjects.at(-1)?.request).toBe('r1')
    expect(statusOf().isolationProof).toBeUndefined()
    world.proof = proof('r1')
    await world.pass()
    expect(statusOf().isolationProof).toEqual(proof('r1'))
    const { writes } = world
    world.proof = null
    await world.pass()
    expect(world.subjects.at(-1)?.request).toBeNull()
    expect(world.writes).toBe(writes)
    await ask(null)
    await world.pass()
    expect(statusOf().isolationProof).toBeUndefined()
  })

  test('that is no short text is none', async () => {
    await world.settle()
    for (const request of ['', 'x'.repeat(65), 'a b', '<script>']) {
      await ask(request)
      await world.pass()
      expect(world.subjects.at(-1)?.request).toBeNull()
    }
  })

  test('of an organization that does not run is answered with no paths', async () => {
    await world.edit(organizations, 'acme', { hibernation: 'Now' })
    await ask('r2')
    await world.settle()
    expect(statusOf().isolationProof).toMatchObject({ request: 'r2' })
    expect(statusOf().isolationProof?.paths ?? []).toEqual([])
  })
})
