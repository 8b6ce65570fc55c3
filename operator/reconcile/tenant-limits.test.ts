import { beforeEach, describe, expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { namespace, platform, TenantWorld } from '../../test/support/tenant-world.ts'
import type { Organization } from '../api/organization.ts'
import type { Platform } from '../api/platform.ts'
import { resources } from '../kube/resource.ts'
import { PassMemory } from './memory.ts'
import type { Pass } from './pass.ts'
import { placeProblem } from './tenant-limits.ts'

// What a platform allows the tenants of a namespace is kept to, and said in words; no limit takes away what runs.

const limited = (tenantLimits: Partial<Platform['tenantLimits']>): Platform => ({
  ...platform,
  tenantLimits: { ...platform.tenantLimits, ...tenantLimits },
})

let world: TenantWorld
beforeEach(() => {
  world = new TenantWorld()
})

const live = (name: string) => world.get(resources.organizations, name) as unknown as Organization
const condition = (name: string, type = 'Ready') =>
  live(name).status?.conditions.find((found) => found.type === type)
const runtimeOf = (name: string) =>
  world.get(resources.namespaces, runtimeNamespace(idOfUid(live(name).metadata.uid)))
const claimSize = (size: string) =>
  world.kube.create({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: 'data-storage-node-0',
      namespace: runtimeNamespace(idOfUid(live('acme').metadata.uid)),
    },
    spec: { resources: { requests: { storage: size } } },
    status: { phase: 'Bound', capacity: { storage: size } },
  })

/** Passes over all of them, until nothing changes. */
async function settle(...names: readonly string[]): Promise<void> {
  for (let round = 0; round < 8; round += 1) {
    world.clock.jump(11_000)
    for (const name of names) await world.pass(name)
    await world.cluster()
  }
}

async function make(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await world.create('Organization', name, {})
    world.clock.jump(1_000)
  }
}

describe('organizations of a namespace', () => {
  test('the oldest have their places, and nothing is made for the others', async () => {
    world.platform = limited({ organizations: 1 })
    await make('acme', 'second')
    await settle('second', 'acme')
    expect(condition('acme')).toMatchObject({ status: 'True' })
    const message =
      'second: the platform’s limit of Organizations in namespace acme-team is 1, and 1 were there before; delete one of them, or have tenantLimits raised'
    expect(condition('second')).toMatchObject({ status: 'False', reason: 'LimitReached', message })
    expect(condition('second', 'Stalled')).toMatchObject({ status: 'True', reason: 'LimitReached' })
    expect(world.events).toContain(`Warning LimitReached ${message}`)
    expect(runtimeOf('second')).toBeUndefined()
  })

  test('one that is told so costs nothing more', async () => {
    world.platform = limited({ organizations: 0 })
    await make('acme')
    await settle('acme')
    const { version } = world.kube.world
    expect(await world.pass()).toMatchObject({ requeueAfterMs: expect.any(Number) as number })
    expect(world.kube.world.version).toBe(version)
  })

  test('a place that is left is taken', async () => {
    world.platform = limited({ organizations: 1 })
    await make('acme', 'second')
    await settle('acme', 'second')
    await world.remove(resources.organizations, 'acme')
    for (let round = 0; round < 5; round += 1) {
      await world.pass('acme')
      await world.cluster()
    }
    await settle('second')
    expect(condition('second')).toMatchObject({ status: 'True' })
  })

  test('one that waits and is deleted goes at once, and had no place', async () => {
    world.platform = limited({ organizations: 1 })
    await make('acme', 'second', 'third')
    await settle('acme', 'second', 'third')
    await world.remove(resources.organizations, 'second')
    await world.pass('second')
    expect(world.get(resources.organizations, 'second')).toBeUndefined()
    expect(condition('third')?.message).toContain('and 2 were there before')
    await world.pass('third')
    expect(condition('third')?.message).toContain('and 1 were there before')
  })

  test('a limit that is lowered takes nothing away, whichever process reads it', async () => {
    await make('acme', 'second')
    await settle('acme', 'second')
    world.platform = limited({ organizations: 0 })
    world.restart()
    await settle('acme', 'second')
    for (const name of ['acme', 'second']) {
      expect(condition(name)).toMatchObject({ status: 'True' })
      expect(runtimeOf(name)).toBeDefined()
    }
  })

  test('a limit of the namespace itself goes before', async () => {
    world.platform = limited({ organizations: 0, namespaces: { [namespace]: { organizations: 2 } } })
    await make('acme', 'second', 'third')
    await settle('acme', 'second', 'third')
    expect(['acme', 'second', 'third'].map((name) => condition(name)?.status)).toEqual([
      'True',
      'True',
      'False',
    ])
  })

  test('of two of one second the one that comes later has no place, though it is before the other by its uid', () => {
    const organization = (uid: string) => {
      const creationTimestamp = '2026-11-22T00:00:00Z'
      return {
        metadata: { name: uid, namespace, uid, creationTimestamp },
        spec: {},
      } as unknown as Organization
    }
    const known = [organization('b')]
    const caches = { organizations: { list: () => known }, namespaces: { get: () => undefined } }
    const pass = {
      platform: limited({ organizations: 1 }),
      caches,
      memory: new PassMemory(),
    } as unknown as Pass
    expect(placeProblem(pass, known[0]!)).toBeNull()
    // Nothing of the first is in the caches yet.
    known.push(organization('a'))
    expect(placeProblem(pass, known[1]!)?.reason).toBe('LimitReached')
    expect(placeProblem(pass, known[0]!)).toBeNull()
  })
})

describe('sizes of volumes', () => {
  test('what asks for more is not made', async () => {
    world.platform = limited({ storageSize: '5Gi' })
    await make('acme')
    await settle('acme')
    expect(condition('acme')).toMatchObject({
      status: 'False',
      reason: 'LimitReached',
      message: 'spec.storage.size: at most 5Gi expected; the platform allows 5Gi in namespace acme-team',
    })
    expect(runtimeOf('acme')).toBeUndefined()
    await world.edit(resources.organizations, 'acme', { storage: { size: '5Gi', replicas: 1 } })
    await settle('acme')
    expect(condition('acme')).toMatchObject({ status: 'True' })
  })

  test('a volume that grows beyond it is left as it is, served and revoked from, until the spec is mended', async () => {
    await make('acme')
    await settle('acme')
    await claimSize('10Gi')
    world.platform = limited({ storageSize: '10Gi' })
    await world.create('Database', 'metrics', { organization: 'acme' })
    await world.edit(resources.organizations, 'acme', { storage: { size: '11Gi', replicas: 1 } })
    await settle('acme')
    expect(condition('acme', 'Stalled')).toMatchObject({ status: 'True', reason: 'LimitReached' })
    expect(world.nodes.document?.databases.map(({ name }) => name)).toEqual(['metrics'])
    expect(JSON.stringify(world.all(resources.persistentVolumeClaims))).not.toContain('11Gi')
    expect(live('acme').status?.storage?.growth).toBeUndefined()
    await world.edit(resources.organizations, 'acme', { storage: { size: '10Gi', replicas: 1 } })
    await settle('acme')
    expect(condition('acme')).toMatchObject({ status: 'True' })
  })

  test('a limit that is lowered takes nothing away', async () => {
    await make('acme')
    await settle('acme')
    await claimSize('10Gi')
    world.platform = limited({ storageSize: '1Gi' })
    world.restart()
    await settle('acme')
    expect(condition('acme')).toMatchObject({ status: 'True' })
    await world.edit(resources.organizations, 'acme', { storage: { size: '20Gi', replicas: 1 } })
    await settle('acme')
    expect(condition('acme')?.message).toContain(
      'at most 10Gi expected; the platform allows 1Gi in namespace acme-team, and the volumes have 10Gi',
    )
  })
})
