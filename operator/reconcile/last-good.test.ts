import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import type { Condition } from '../api/conditions.ts'
import { resources, type Resource } from '../kube/resource.ts'
import { lastGoodField, secretNames } from '../naming/names.ts'

// The record of what was in force, where an operator that starts cannot read some of it, or nothing: what it says besides
// still counts, and it is never written over by one that says less.

/** Data of two databases is there: one is served, of the other one nothing but the record is left. */
async function tenant() {
  const world = new TenantWorld()
  const made = await world.create('Organization', 'acme', {})
  await world.create('Database', 'kept', { organization: 'acme' })
  await world.create('Database', 'metrics', { organization: 'acme' })
  await world.create('Token', 'writer', {
    organization: 'acme',
    permissions: [{ database: '*', access: ['write'] }],
  })
  await world.settle()
  const ids = idsByName(world)
  await world.remove(resources.databases, 'kept')
  await world.settle()
  return { world, ids, runtime: runtimeNamespace(idOfUid(made.metadata.uid!)) }
}

const idsByName = (world: TenantWorld): Readonly<Record<string, string>> =>
  Object.fromEntries(world.nodes.document!.databases.map(({ id, name }) => [name, id]))

const ready = (world: TenantWorld, resource: Resource, name: string): Condition => {
  const { conditions } = world.get(resource, name)!['status'] as { conditions: readonly Condition[] }
  return conditions.find(({ type }) => type === 'Ready')!
}

interface Stored {
  formatVersion: number
  owner: unknown
  organization: Record<string, unknown>
  databases: Record<string, Record<string, unknown>>
  holdings: { id: string; name: string; holder: string }[]
}

function stored(world: TenantWorld, runtime: string): Stored {
  const data = world.get(resources.secrets, secretNames.lastGood, runtime)!['data'] as Record<string, string>
  return JSON.parse(gunzipSync(Buffer.from(data[lastGoodField]!, 'base64')).toString()) as Stored
}

/** While no operator runs. */
async function edit(world: TenantWorld, runtime: string, change: (forms: Stored) => void): Promise<void> {
  const forms = stored(world, runtime)
  change(forms)
  await put(world, runtime, gzipSync(JSON.stringify(forms)))
  world.restart()
}

async function put(world: TenantWorld, runtime: string, packed: Uint8Array): Promise<void> {
  const secret = world.get(resources.secrets, secretNames.lastGood, runtime)!
  await world.kube.replace({
    ...secret,
    data: { [lastGoodField]: Buffer.from(packed).toString('base64') },
  })
}

const eachSpec = (databases: Stored['databases'], change: (spec: Record<string, unknown>) => void): void =>
  Object.values(databases).forEach(change)

describe('a spec of another release', () => {
  test.each([
    ['of the organization', ({ organization }: Stored) => void (organization['hibernation'] = 'Later')],
    [
      'of a database',
      ({ databases }: Stored) => eachSpec(databases, (spec) => void (spec['retention'] = 'for a while')),
    ],
  ])('%s takes nothing of the rest along', async (_whose, change) => {
    const { world, ids, runtime } = await tenant()
    await edit(world, runtime, change)
    await world.settle()
    await world.create('Database', 'kept', { organization: 'acme' })
    await world.settle()
    expect(idsByName(world)).toEqual(ids)
    expect(ready(world, resources.organizations, 'acme').status).toBe('True')
  })

  test('is kept as long as today’s cannot be acted on', async () => {
    const { world, ids, runtime } = await tenant()
    const before = structuredClone(world.nodes.document)
    await world.edit(resources.databases, 'metrics', { retention: 'for a while' })
    await edit(world, runtime, ({ databases }) => {
      eachSpec(databases, (spec) => void (spec['retention'] = 'for a while'))
    })
    const forms = stored(world, runtime)
    await world.settle()
    expect(ready(world, resources.organizations, 'acme').reason).toBe('FormUnknown')
    expect(world.nodes.document).toEqual(before)
    expect(stored(world, runtime)).toEqual(forms)
    await world.edit(resources.databases, 'metrics', { retention: '0' })
    await world.settle()
    expect(idsByName(world)).toEqual({ metrics: ids['metrics'] })
  })
})

describe.each([
  ['a format of another release', (forms: Stored) => void (forms.formatVersion = 2), 'formatVersion'],
  [
    'holdings that mean more',
    ({ holdings }: Stored) => void Object.assign(holdings[0]!, { of: 'x' }),
    'holdings',
  ],
  ['an owner that is none', (forms: Stored) => void (forms.owner = 7), 'owner'],
])('%s', (_what, change, place) => {
  test('stops no revocation, serves what is served, and is never written over', async () => {
    const { world, ids, runtime } = await tenant()
    const whole = stored(world, runtime)
    await edit(world, runtime, change)
    const forms = stored(world, runtime)
    await world.create('Database', 'kept', { organization: 'acme' })
    await world.remove(resources.tokens, 'writer')
    await world.settle()
    expect(world.nodes.document!.tokens).toEqual([])
    expect(world.get(resources.tokens, 'writer')).toBeUndefined()
    expect(idsByName(world)).toEqual({ metrics: ids['metrics'] })
    expect(stored(world, runtime)).toEqual(forms)
    for (const [resource, name] of [
      [resources.organizations, 'acme'],
      [resources.databases, 'kept'],
    ] as const) {
      expect(ready(world, resource, name)).toMatchObject({ status: 'False', reason: 'FormUnknown' })
      expect(ready(world, resource, name).message).toContain(`${runtime}/last-good`)
      expect(ready(world, resource, name).message).toContain(place)
    }
    const { writes } = world
    world.clock.jump(11_000)
    await world.pass()
    expect(world.writes).toBe(writes)
    await put(world, runtime, gzipSync(JSON.stringify(whole)))
    await world.settle()
    expect(idsByName(world)).toEqual(ids)
    expect(ready(world, resources.organizations, 'acme').status).toBe('True')
  })
})

test('a record that is none drops nobody’s data, and is made anew where it is deleted', async () => {
  const { world, ids, runtime } = await tenant()
  await world.edit(resources.databases, 'metrics', { deletionPolicy: 'Delete' })
  await world.settle()
  await put(world, runtime, Buffer.from('nothing'))
  world.restart()
  await world.remove(resources.databases, 'metrics')
  await world.settle()
  expect(world.nodes.dropped).toEqual([])
  expect(ready(world, resources.databases, 'metrics')).toMatchObject({ reason: 'Deleting' })
  expect(ready(world, resources.organizations, 'acme').message).not.toContain('nothing')
  await world.kube.delete(world.get(resources.secrets, secretNames.lastGood, runtime)!)
  await world.settle()
  expect(world.nodes.dropped).toEqual([ids['metrics']])
  expect(world.get(resources.databases, 'metrics')).toBeUndefined()
  expect(ready(world, resources.organizations, 'acme').status).toBe('True')
})
