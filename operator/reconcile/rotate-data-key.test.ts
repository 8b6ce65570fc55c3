import { describe, expect, test } from 'vitest'
import { dataKeyId } from '../../common/data-key.ts'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import type { EncryptionStatus, Organization } from '../api/organization.ts'
import { storedDataKeys, withDataKeys } from '../desired/secrets.ts'
import { resources } from '../kube/resource.ts'
import { secretNames } from '../naming/names.ts'

// A data key changes when it is due, and wherever a process ends on the way: no node ever needs a key that is not
// stored, one change makes one key, and none is left that opens what nobody needs any more.

const every = '24h'
const everyMs = 86_400_000

async function tenant(): Promise<{ readonly world: TenantWorld; readonly runtime: string }> {
  const world = new TenantWorld()
  const made = await world.create('Organization', 'acme', { encryption: { rotateEvery: every } })
  await world.settle()
  return { world, runtime: runtimeNamespace(idOfUid(made.metadata.uid!)) }
}

type Tenant = Awaited<ReturnType<typeof tenant>>

const organizationStatus = ({ world }: Tenant) =>
  world.get(resources.organizations, 'acme')!['status'] as NonNullable<Organization['status']>
const encryption = (of: Tenant): EncryptionStatus => organizationStatus(of).encryption!
const secretOf = ({ world, runtime }: Tenant) => world.get(resources.secrets, secretNames.dataKey, runtime)!
const storedIds = (of: Tenant) => storedDataKeys(secretOf(of)).keys.map(dataKeyId)

/** All keys that the Secret ever held. */
function everStored({ world }: Tenant): ReadonlySet<string> {
  const versions = world.kube.world.history.flatMap(({ event: { object } }) =>
    object.kind === 'Secret' && object.metadata.name === secretNames.dataKey ? [object] : [],
  )
  return new Set(versions.flatMap((secret) => storedDataKeys(secret).keys.map(dataKeyId)))
}

/** Settles round by round; in none does a node need a key that is not stored. */
async function settleSafely(of: Tenant): Promise<void> {
  const { world } = of
  for (let round = 0; round < 30; round += 1) {
    const before = world.kube.world.version
    for (const act of [() => world.pass(), () => world.cluster()]) {
      await act()
      expect(storedIds(of)).toEqual(expect.arrayContaining(world.nodes.dataKeys.map(dataKeyId)))
    }
    world.clock.jump(11_000)
    const wasKilled = world.killed
    if (wasKilled) world.restart()
    if (world.kube.world.version === before && !wasKilled) return
  }
  throw new Error('it never settles')
}

describe('a data key that is due', () => {
  test('changes, and nothing of the old one stays', async () => {
    const of = await tenant()
    const { world } = of
    const [old] = storedIds(of)
    expect(encryption(of)).toEqual({ keyId: old, keySince: expect.any(String) })
    world.clock.jump(everyMs * 0.89)
    await settleSafely(of)
    expect(storedIds(of)).toEqual([old])
    world.clock.jump(everyMs * 0.11)
    await settleSafely(of)
    const [fresh, ...others] = storedIds(of)
    expect(others).toEqual([])
    expect(fresh).not.toBe(old)
    expect(world.nodes.dataKeys.map(dataKeyId)).toEqual([fresh])
    expect(encryption(of)).toEqual({ keyId: fresh, keySince: expect.any(String) })
    expect(organizationStatus(of).conditions.find(({ type }) => type === 'Ready')?.status).toBe('True')
    expect(world.events.filter((event) => event.includes('DataKeyRotated'))).toHaveLength(1)
    expect(everStored(of).size).toBe(2)
  })

  test('asks to be looked at in time', async () => {
    const { world } = await tenant()
    world.clock.jump(everyMs * 0.9 - 100_000)
    const { requeueAfterMs } = await world.pass()
    expect(requeueAfterMs).toBeLessThanOrEqual(100_000 + everyMs * 0.1)
    world.clock.jump(everyMs)
    expect((await world.pass()).requeueAfterMs).toBe(0)
  })

  test('changes once, wherever a process ends', async () => {
    const rotation = async (killAfter: number): Promise<number> => {
      const of = await tenant()
      const { world } = of
      world.clock.jump(everyMs)
      world.writes = 0
      world.killAfter = killAfter
      await settleSafely(of)
      const [fresh, ...others] = storedIds(of)
      expect(others).toEqual([])
      expect(world.nodes.dataKeys.map(dataKeyId)).toEqual([fresh])
      expect(encryption(of)).toEqual({ keyId: fresh, keySince: expect.any(String) })
      expect(everStored(of).size).toBe(2)
      return world.writes
    }
    const writes = await rotation(Number.POSITIVE_INFINITY)
    // Status, Secret, status, node, status, Secret, status.
    expect(writes).toBe(7)
    for (let killAfter = 1; killAfter <= writes; killAfter += 1) {
      expect(await rotation(killAfter), `killed after write ${killAfter}`).toBeGreaterThanOrEqual(writes)
    }
  })
})

describe('a data key that was made by a clock that ran ahead', () => {
  const aheadOf = async (aheadMs: number): Promise<Tenant> => {
    const of = await tenant()
    const { keys } = storedDataKeys(secretOf(of))
    const since = new Date(of.world.clock.nowMs() + aheadMs)
    await of.world.kube.replace(withDataKeys(secretOf(of), { keys, since }))
    const { status, ...live } = of.world.get(resources.organizations, 'acme')!
    const encryptionOf = { ...encryption(of), keySince: since.toISOString() }
    await of.world.kube.patchStatus(live, { ...(status as object), encryption: encryptionOf })
    return of
  }

  test('changes, once, and is then as old as it is', async () => {
    const of = await aheadOf(30 * everyMs)
    await settleSafely(of)
    expect(everStored(of).size).toBe(2)
    expect(Date.parse(encryption(of).keySince)).toBeLessThanOrEqual(of.world.clock.nowMs())
  })

  test('stays where two clocks differ a little', async () => {
    const of = await aheadOf(600_000)
    await settleSafely(of)
    expect(everStored(of).size).toBe(1)
  })

  test('ends a change that such a clock began', async () => {
    const of = await aheadOf(30 * everyMs)
    const { status, ...live } = of.world.get(resources.organizations, 'acme')!
    const startedAt = new Date(of.world.clock.nowMs() + 60 * everyMs).toISOString()
    const begun = { ...encryption(of), rotation: { step: 'Storing', startedAt } }
    await of.world.kube.patchStatus(live, { ...(status as object), encryption: begun })
    await settleSafely(of)
    expect(encryption(of).rotation).toBeUndefined()
    expect(Date.parse(encryption(of).keySince)).toBeLessThanOrEqual(of.world.clock.nowMs())
  })
})

describe('a data key that somebody asks to change', () => {
  const ask = async ({ world }: Tenant, inMs: number) =>
    world.edit(resources.organizations, 'acme', {
      encryption: {
        rotateEvery: every,
        rotateKeysMadeBefore: new Date(world.clock.nowMs() + inMs).toISOString(),
      },
    })

  test('changes at once, and once', async () => {
    const of = await tenant()
    const [old] = storedIds(of)
    await ask(of, 0)
    await settleSafely(of)
    const [fresh, ...others] = storedIds(of)
    expect(others).toEqual([])
    expect(fresh).not.toBe(old)
    expect(encryption(of)).toMatchObject({ keyId: fresh })
    of.world.clock.jump(everyMs / 2)
    await settleSafely(of)
    expect(storedIds(of)).toEqual([fresh])
    expect(everStored(of).size).toBe(2)
  })

  test('of a moment that lies ahead: when it has come', async () => {
    const of = await tenant()
    const [old] = storedIds(of)
    await ask(of, everyMs / 2)
    await settleSafely(of)
    expect(storedIds(of)).toEqual([old])
    of.world.clock.jump(everyMs / 2)
    await settleSafely(of)
    expect(storedIds(of)).not.toContain(old)
    expect(everStored(of).size).toBe(2)
  })

  test('not of a moment before it was made', async () => {
    const of = await tenant()
    await ask(of, -everyMs)
    await settleSafely(of)
    expect(everStored(of).size).toBe(1)
  })

  test('again while it changes: both are done, one after the other', async () => {
    const of = await tenant()
    await ask(of, 0)
    await of.world.pass()
    await of.world.pass()
    of.world.clock.jump(60_000)
    await ask(of, 0)
    await settleSafely(of)
    expect(storedIds(of)).toHaveLength(1)
    expect(everStored(of).size).toBe(3)
  })
})

describe('a Secret whose content somebody changes', () => {
  const readyOf = (of: Tenant) => organizationStatus(of).conditions.find(({ type }) => type === 'Ready')
  const passes = async ({ world }: Tenant, count: number) => {
    for (let round = 0; round < count; round += 1) {
      world.clock.jump(11_000)
      await world.pass()
      await world.cluster()
    }
  }

  test('to another key is told of, left as it is, and well again when it is put back', async () => {
    const of = await tenant()
    const { world } = of
    const { keys, since } = storedDataKeys(secretOf(of))
    const foreign = new Uint8Array(32).fill(9)
    await world.kube.replace(withDataKeys(secretOf(of), { keys: [foreign], since }))
    await passes(of, 3)
    expect(readyOf(of)).toMatchObject({
      status: 'False',
      reason: 'DataKeyMissing',
      message: expect.stringContaining(`storage-node-0 needs data key ${dataKeyId(keys[0]!)}`),
    })
    expect(storedIds(of)).toEqual([dataKeyId(foreign)])
    expect(world.nodes.dataKeys.map(dataKeyId)).toEqual([dataKeyId(keys[0]!)])
    await world.kube.replace(withDataKeys(secretOf(of), { keys, since }))
    await passes(of, 2)
    expect(readyOf(of)).toMatchObject({ status: 'True' })
  })

  test('to what is no key is told of without a word of its content', async () => {
    const of = await tenant()
    const { world } = of
    const before = secretOf(of)
    const garbage = Buffer.from('my-secret-garbage').toString('base64')
    await world.kube.replace({ ...before, data: { 'data-key': garbage } })
    world.clock.jump(11_000)
    await world.pass()
    expect(readyOf(of)).toMatchObject({ status: 'False', reason: 'DataKeyMissing' })
    expect(JSON.stringify(organizationStatus(of))).not.toContain('garbage')
    expect(secretOf(of)['data']).toEqual({ 'data-key': garbage })
    await world.kube.replace({ ...secretOf(of), data: before['data'] })
    await passes(of, 2)
    expect(readyOf(of)).toMatchObject({ status: 'True' })
  })
})

describe('the old key stays while anything needs it', () => {
  async function halfWay(until: NonNullable<EncryptionStatus['rotation']>['step']) {
    const of = await tenant()
    of.world.clock.jump(everyMs)
    for (let round = 0; encryption(of).rotation?.step !== until; round += 1) {
      if (round > 10) throw new Error(`never ${until}`)
      await of.world.pass()
      await of.world.cluster()
    }
    return of
  }

  test('of a node that is silent when the old one was about to go', async () => {
    const of = await halfWay('Dropping')
    of.world.nodes.isUnreachable = true
    await settleSafely(of)
    expect(storedIds(of)).toHaveLength(2)
    of.world.nodes.isUnreachable = false
    await settleSafely(of)
    expect(storedIds(of)).toHaveLength(1)
  })

  test('of a node that came back with an older volume', async () => {
    const of = await halfWay('Dropping')
    const { world } = of
    const [fresh, old] = storedDataKeys(secretOf(of)).keys
    world.nodes.dataKeys = [old!]
    await world.pass()
    expect(storedIds(of)).toHaveLength(2)
    expect(encryption(of).rotation).toMatchObject({
      step: 'Adopting',
      message: expect.stringContaining('new key'),
    })
    await settleSafely(of)
    expect(storedIds(of)).toEqual([dataKeyId(fresh!)])
  })

  test('and no change begins on a damaged node, or one whose key is not in the Secret', async () => {
    const of = await tenant()
    const { world } = of
    world.nodes.damage = [{ file: 'log/1.log', offsetBytes: null, what: 'gone' }]
    world.clock.jump(everyMs)
    await settleSafely(of)
    expect(encryption(of).rotation).toBeUndefined()
    world.nodes.damage = []
    const stored = storedDataKeys(secretOf(of))
    world.nodes.dataKeys = [new Uint8Array(32).fill(9)]
    for (let round = 0; round < 5; round += 1) await world.pass()
    expect(encryption(of).rotation?.message).toMatch(
      /needs data key [0-9a-f]{16}, which its Secret does not hold/,
    )
    expect(storedDataKeys(secretOf(of))).toEqual(stored)
  })

  test('a new key that somebody took away again is made anew', async () => {
    const of = await halfWay('Adopting')
    const { world } = of
    const { keys, since } = storedDataKeys(secretOf(of))
    const made = new Date(since.getTime() - everyMs)
    await world.kube.replace(withDataKeys(secretOf(of), { keys: keys.slice(1), since: made }))
    await world.cluster()
    world.clock.jump(700_000)
    await settleSafely(of)
    expect(storedIds(of)).toHaveLength(1)
    expect(storedIds(of)).not.toContain(dataKeyId(keys[1]!))
    expect(world.nodes.dataKeys.map(dataKeyId)).toEqual(storedIds(of))
  })
})

test('a status that is older than the change begins no other one', async () => {
  const of = await tenant()
  const { world } = of
  const before = structuredClone(organizationStatus(of))
  world.clock.jump(everyMs)
  await settleSafely(of)
  const ids = storedIds(of)
  await world.kube.patchStatus(world.get(resources.organizations, 'acme')!, before)
  await settleSafely(of)
  expect(storedIds(of)).toEqual(ids)
  expect(everStored(of).size).toBe(2)
})
