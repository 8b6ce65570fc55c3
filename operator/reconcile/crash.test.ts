import { describe, expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { hashToken } from '../../common/token.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import { tokenSchema } from '../api/token.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'

// A tenant's whole life, with the process killed after every single write in turn: the next process ends where an
// undisturbed one does, mints no second string, overwrites no key, and asks no node for what it refuses for ever.

const ready = (object: KubeObject | undefined): string | undefined => {
  const status = object?.['status'] as { conditions?: { type: string; status: string }[] } | undefined
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status
}

const secretValue = (secret: KubeObject | undefined, field: string): string =>
  Buffer.from((secret?.['data'] as Record<string, string> | undefined)?.[field] ?? '', 'base64').toString()

/** From creation to an end that leaves nothing. Every stop on the way is checked. */
async function life(killAfter: number): Promise<TenantWorld> {
  const world = new TenantWorld()
  world.killAfter = killAfter
  await world.create('Token', 'writer', {
    organization: 'acme',
    permissions: [{ database: '*', access: ['read'] }],
  })
  await world.create('Database', 'metrics', { organization: 'acme', deletionPolicy: 'Delete' })
  const made = await world.create('Organization', 'acme', { deletionPolicy: 'Delete' })
  await world.settle()
  const runtime = runtimeNamespace(idOfUid(made.metadata.uid!))
  const dataKey = secretValue(world.get(resources.secrets, 'data-key', runtime), 'data-key')
  expect(Buffer.from(dataKey, 'base64')).toHaveLength(32)
  for (const [resource, name] of members) expect(ready(world.get(resource, name))).toBe('True')
  expectOneString(world)

  // A Secret that was deleted is a new string, at whatever write the process dies.
  const before = secretValue(world.get(resources.secrets, 'writer'), 'token')
  await world.remove(resources.secrets, 'writer')
  await world.settle()
  expect(secretValue(world.get(resources.secrets, 'writer'), 'token')).not.toBe(before)
  expectOneString(world)

  await world.remove(resources.tokens, 'writer')
  const database = world.get(resources.databases, 'metrics')!
  await world.remove(resources.databases, 'metrics')
  await world.settle()
  expect(world.nodes.document).toMatchObject({ tokens: [], databases: [] })
  expect(new Set(world.nodes.dropped)).toEqual(new Set([idOfUid(database.metadata.uid!)]))
  expect(world.get(resources.secrets, 'writer')).toBeUndefined()
  expect(secretValue(world.get(resources.secrets, 'data-key', runtime), 'data-key')).toBe(dataKey)

  await world.remove(resources.organizations, 'acme')
  await world.settle()
  expect([...world.kube.world.objects.keys()]).toEqual([])
  expect(world.nodes.refusals).toEqual([])
  return world
}

const members = [
  [resources.organizations, 'acme'],
  [resources.databases, 'metrics'],
  [resources.tokens, 'writer'],
] as const

/** Secret, status and node agree on one string. */
function expectOneString(world: TenantWorld): void {
  const hash = hashToken(secretValue(world.get(resources.secrets, 'writer'), 'token'))
  const token = tokenSchema.parse(world.get(resources.tokens, 'writer'))
  expect(token.status?.tokens.map((issued) => issued.hash)).toEqual([hash])
  expect(world.nodes.document?.tokens.map((accepted) => accepted.hash)).toEqual([hash])
}

describe('a process killed after any write', () => {
  test('leaves nothing that the next one does not finish', async () => {
    const quiet = await life(Number.POSITIVE_INFINITY)
    expect(quiet.writes).toBeGreaterThan(30)
    for (let killAfter = 1; killAfter <= quiet.writes; killAfter += 1) {
      try {
        await life(killAfter)
      } catch (error) {
        throw new Error(`killed after write ${killAfter}: ${quiet.operatorWrites[killAfter - 1]}`, {
          cause: error,
        })
      }
    }
  })

  test('under a refused spec leaves in force what is', async () => {
    const life = async (killAfter: number): Promise<TenantWorld> => {
      const world = new TenantWorld()
      await world.create('Organization', 'acme', {})
      await world.create('Database', 'metrics', { organization: 'acme', retention: '720h' })
      await world.settle()
      const before = structuredClone(world.nodes.document)
      world.writes = 0
      world.killAfter = killAfter
      await world.edit(resources.organizations, 'acme', {
        displayName: 'Acme',
        members: [{ user: 'a', role: 'Owner' }],
      })
      await world.edit(resources.databases, 'metrics', { retention: '1h', defaultRetentionPolicy: 'nowhere' })
      await world.settle()
      expect(world.nodes.document).toEqual(before)
      // What is mended comes into force, and what is refused after that leaves it there.
      world.killAfter = world.writes + killAfter
      await world.edit(resources.databases, 'metrics', {
        retention: '900h',
        defaultRetentionPolicy: 'autogen',
      })
      await world.settle()
      await world.edit(resources.databases, 'metrics', { retention: '2h', defaultRetentionPolicy: 'nowhere' })
      await world.settle()
      const [served] = world.nodes.document!.databases
      expect(served?.retentionPolicies[0]?.durationNs).toBe(String(900n * 3_600_000_000_000n))
      expect(world.nodes.document?.organization.displayName).toBe('acme')
      return world
    }
    const quiet = await life(Number.POSITIVE_INFINITY)
    expect(quiet.writes).toBeGreaterThan(5)
    for (let killAfter = 1; killAfter <= quiet.writes; killAfter += 1) await life(killAfter)
  })

  test('a settled tenant is not written to', async () => {
    const world = new TenantWorld()
    await world.create('Organization', 'acme', {})
    await world.create('Token', 'writer', {
      organization: 'acme',
      permissions: [{ database: '*', access: ['read'] }],
    })
    await world.settle()
    const { writes } = world
    await world.settle()
    expect(world.writes).toBe(writes)
  })
})
