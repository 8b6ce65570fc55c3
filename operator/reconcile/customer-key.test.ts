import { describe, expect, test } from 'vitest'
import { dataKeyId } from '../../common/data-key.ts'
import { AppError } from '../../common/errors.ts'
import { Customer, keySecretRef } from '../../test/support/customer.ts'
import { storedDataKeys } from '../desired/secrets.ts'
import { resources } from '../kube/resource.ts'

// Whoever holds the key decides: it is taken into use when it is there, nothing is served without it, and it comes back
// to all that was there. No process ever stores the key itself, or loses one that data need.

const [a, b] = [1, 2].map((byte) => Buffer.alloc(32, byte)) as [Buffer, Buffer]

/** Ready, by the customer's key. */
async function served(key: Uint8Array = a): Promise<Customer> {
  const of = await new Customer().create()
  await of.put(key)
  await of.world.settle()
  expect(of.condition('Ready')).toMatchObject({ status: 'True' })
  return of
}

describe('a new organization', () => {
  test('waits for the key, and is never stored by another one', async () => {
    const of = await new Customer().create()
    await of.passes(3)
    expect(of.condition('Ready')).toMatchObject({
      status: 'False',
      reason: 'SecretUnusable',
      message: expect.stringContaining('Secret mine in namespace acme-team, entry "key"'),
    })
    expect(of.condition('Reconciling')?.status).toBe('True')
    expect(of.world.all(resources.statefulSets)).toEqual([])
    expect(of.secret).toBeUndefined()
    await of.put(a)
    await of.world.settle()
    expect(of.condition('Ready')).toMatchObject({ status: 'True' })
    expect(of.status.encryption).toEqual({
      keyId: of.storedIds[0],
      keySince: expect.any(String),
      source: 'Customer',
    })
    expect(of.storedIds).toHaveLength(1)
    expect(of.storedIds).not.toContain(dataKeyId(a))
    expect(of.everWritten).not.toContain(a.toString('base64'))
  })

  test.each([
    ['too short', a.subarray(1), 'key', 'Stalled'],
    ['under another name', a, 'other', 'Reconciling'],
  ])('says that the key is %s, and not what is there', async (_, key, entry, said) => {
    const of = await new Customer().create()
    await of.put(key, entry)
    await of.passes(2)
    expect(of.condition(said)).toMatchObject({ status: 'True', reason: 'SecretUnusable' })
    expect(of.condition(said)?.message).not.toMatch(/31|other/)
    expect(of.world.all(resources.statefulSets)).toEqual([])
  })

  test('of the same key by two customers is stored by two keys', async () => {
    const [one, other] = await Promise.all([served(a), served(a)])
    expect(one.storedIds).not.toEqual(other.storedIds)
  })
})

describe('another key', () => {
  test.each<[string, (of: Customer) => Promise<void>, string]>([
    ['of other content', (of) => of.put(b), 'Customer'],
    [
      'in another entry',
      async (of) => (await of.put(b, 'other'), of.refer({ ...keySecretRef, key: 'other' })),
      'Customer',
    ],
    ['that is generated', (of) => of.refer(null), 'Generated'],
  ])('%s is taken into use, and nothing of the old one stays', async (_, change, source) => {
    const of = await served()
    const before = of.storedIds
    await change(of)
    await of.passes(12)
    expect(of.condition('Ready')).toMatchObject({ status: 'True' })
    expect(of.storedIds).toHaveLength(1)
    expect(of.storedIds).not.toEqual(before)
    expect(of.world.nodes.dataKeys.map(dataKeyId)).toEqual(of.storedIds)
    expect(of.status.encryption).toEqual({ keyId: of.storedIds[0], keySince: expect.any(String), source })
    expect(storedDataKeys(of.secret).customer === null).toBe(source === 'Generated')
  })

  test('of the customer’s after a generated one; while it is missing the generated one serves', async () => {
    const of = await new Customer().create({})
    await of.world.settle()
    const before = of.storedIds
    await of.refer(keySecretRef)
    await of.passes(4)
    expect(of.condition('Ready')).toMatchObject({ status: 'True' })
    expect(of.condition('Reconciling')).toMatchObject({ status: 'True', reason: 'SecretUnusable' })
    expect(of.storedIds).toEqual(before)
    await of.put(a)
    await of.passes(12)
    expect(of.status.encryption).toMatchObject({ source: 'Customer', keyId: of.storedIds[0] })
    expect(of.storedIds).toHaveLength(1)
    expect(of.storedIds).not.toEqual(before)
    expect(of.condition('Reconciling')).toMatchObject({ status: 'False' })
  })

  test('is not changed because it is old', async () => {
    const of = await served()
    const before = of.storedIds
    of.world.clock.jump(100 * 86_400_000)
    await of.passes(5)
    expect(of.storedIds).toEqual(before)
  })
})

describe('a key that is taken away', () => {
  test('is looked for twice, then nothing is stored or served, within a minute', async () => {
    const of = await served()
    const [keyId] = of.storedIds
    await of.take()
    const takenMs = of.world.clock.nowMs()
    for (let passes = 0; of.world.nodes.lockedFor === null && passes < 10; passes += 1) {
      const { requeueAfterMs } = await of.world.pass()
      if (of.world.nodes.lockedFor === null) of.world.clock.jump(requeueAfterMs ?? Infinity)
    }
    expect(of.world.clock.nowMs() - takenMs).toBeLessThanOrEqual(30_000)
    expect(of.world.clock.nowMs() - takenMs).toBeGreaterThanOrEqual(10_000)
    expect(of.world.nodes.lockedFor).toEqual([keyId])
    expect(of.storedIds).toEqual([])
    expect(of.status.encryption).toEqual({
      keyId,
      keySince: expect.any(String),
      source: 'Customer',
      locked: { since: expect.any(String), message: expect.stringContaining(`data key ${keyId}`) },
    })
    expect(of.condition('Ready')).toMatchObject({ status: 'False', reason: 'DataKeyRevoked' })
    expect(of.condition('Stalled')).toMatchObject({ status: 'True', reason: 'DataKeyRevoked' })
    expect(of.world.events.filter((event) => event.includes('DataKeyRevoked'))).toHaveLength(1)
    await of.passes(3)
    expect(of.world.events.filter((event) => event.includes('DataKeyRevoked'))).toHaveLength(1)
    const quiet = of.world.kube.world.version
    await of.passes(3)
    expect(of.world.kube.world.version, 'nothing is written again and again').toBe(quiet)
  })

  test.each([
    ['403', new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', 'no')],
    ['500', new AppError('unavailable', 'ERR_KUBE', 'no')],
  ])('is none where the API server answers %s', async (_, error) => {
    const of = await served()
    const before = of.storedIds
    await of.take()
    await of.passes(1)
    of.answer(error)
    await of.passes(5)
    expect(of.storedIds).toEqual(before)
    expect(of.world.nodes.lockedFor).toBeNull()
    of.answer(null)
    await of.put(a)
    await of.passes(5)
    expect(of.storedIds).toEqual(before)
    expect(of.condition('Ready')).toMatchObject({ status: 'True' })
  })

  test('and one that is too short is a mistake: what is in force goes on', async () => {
    const of = await served()
    const before = of.storedIds
    await of.put(a.subarray(1))
    await of.passes(4)
    expect(of.storedIds).toEqual(before)
    expect(of.condition('Ready')).toMatchObject({ status: 'True' })
    expect(of.condition('Stalled')).toMatchObject({ status: 'True', reason: 'SecretUnusable' })
  })

  test('a node that was not reached is told again, and one that starts too', async () => {
    const of = await served()
    await of.take()
    await of.passes(1)
    of.world.nodes.isUnreachable = true
    of.world.clock.jump(11_000)
    const { requeueAfterMs } = await of.world.pass()
    expect(requeueAfterMs).toBeLessThanOrEqual(2_000)
    expect(of.storedIds).toEqual([])
    of.world.nodes.isUnreachable = false
    await of.passes(1)
    expect(of.world.nodes.lockedFor).not.toBeNull()
    // It was started with what the kubelet still had.
    of.world.nodes.lockedFor = null
    await of.passes(1)
    expect(of.world.nodes.lockedFor).not.toBeNull()
  })

  test('a node that cannot be locked, since its version does not know how, is told of', async () => {
    const of = await served()
    const answer = 'node answered POST /admin/data-key/lock with 404'
    of.world.nodes.lockDataKey = () => Promise.reject(new AppError('unavailable', 'ERR_NODE_ANSWER', answer))
    await of.take()
    await of.passes(3)
    expect(of.condition('Stalled')?.message).toContain(`storage-node-0 still serves: ${answer}`)
  })

  test('holds rollouts', async () => {
    const of = await locked()
    const image = () => JSON.stringify(of.world.all(resources.statefulSets)[0]!['spec'])
    const before = image()
    await of.world.edit(resources.organizations, 'acme', { version: '0.2.0' })
    await of.passes(5)
    expect(image()).toBe(before)
    await of.put(a)
    await of.passes(12)
    expect(image()).not.toBe(before)
    expect(of.condition('Ready')).toMatchObject({ status: 'True' })
  })
})

async function locked(): Promise<Customer> {
  const of = await served()
  await of.take()
  await of.passes(3)
  expect(of.status.encryption?.locked).toBeDefined()
  return of
}

describe('back', () => {
  test('is the same key alone; another one is told of by its id', async () => {
    const of = await locked()
    const { keyId } = of.status.encryption!
    await of.put(b)
    await of.passes(4)
    expect(of.condition('Stalled')).toMatchObject({
      reason: 'DataKeyRevoked',
      message: expect.stringMatching(
        `holds another key, which makes data key [0-9a-f]{16}: .*data key ${keyId}`,
      ),
    })
    expect(of.world.nodes.lockedFor).toEqual([keyId])
    await of.refer(null)
    await of.passes(4)
    expect(of.condition('Stalled')?.message).toContain('spec.encryption.keySecretRef names no Secret')
    await of.refer(keySecretRef)
    await of.put(a)
    await of.passes(5)
    expect(of.storedIds).toEqual([keyId])
    expect(of.world.nodes.lockedFor).toBeNull()
    expect(of.world.nodes.document).not.toBeNull()
    expect(of.status.encryption).toEqual({ keyId, keySince: expect.any(String), source: 'Customer' })
    expect(of.condition('Ready')).toMatchObject({ status: 'True' })
    expect(of.world.events.filter((event) => event.includes('DataKeyReturned'))).toHaveLength(1)
  })

  test('a token that was deleted meanwhile is revoked before anybody is served', async () => {
    const of = await served()
    await of.world.create('Token', 'writer', {
      organization: 'acme',
      permissions: [{ database: '*', access: ['read'] }],
    })
    await of.world.settle()
    expect(of.world.nodes.document?.tokens).toHaveLength(1)
    await of.take()
    await of.passes(3)
    await of.world.remove(resources.tokens, 'writer')
    await of.passes(2)
    await of.put(a)
    await of.passes(5)
    expect(of.world.nodes.document?.tokens).toEqual([])
    expect(of.world.get(resources.tokens, 'writer')).toBeUndefined()
  })

  test('in the middle of a change, which goes on', async () => {
    const of = await new Customer().create({})
    await of.world.settle()
    const [old] = of.storedIds
    await of.put(a)
    await of.refer(keySecretRef)
    // The nodes do not see the new key yet.
    const { nodes } = of.world
    for (let passes = 0; of.storedIds.length < 2 && passes < 10; passes += 1) {
      of.world.clock.jump(11_000)
      await of.world.pass()
    }
    expect(of.storedIds[1]).toBe(old)
    await of.take()
    for (let passes = 0; passes < 3; passes += 1) {
      of.world.clock.jump(11_000)
      await of.world.pass()
    }
    expect(of.storedIds).toEqual([])
    expect(nodes.lockedFor).toEqual([old])
    await of.world.cluster()
    await of.put(a)
    await of.passes(15)
    expect(of.storedIds).toHaveLength(1)
    expect(of.storedIds).not.toContain(old)
    expect(nodes.dataKeys.map(dataKeyId)).toEqual(of.storedIds)
    expect(of.condition('Ready')).toMatchObject({ status: 'True' })
    expect(of.status.encryption).toMatchObject({ source: 'Customer', keyId: of.storedIds[0] })
  })

  test('by an operator that knows nothing of before, whose status was lost', async () => {
    const of = await locked()
    const { status: _status, ...live } = of.world.get(resources.organizations, 'acme')!
    await of.world.kube.patchStatus(live, { conditions: [] })
    of.world.restart()
    await of.passes(2)
    expect(of.status.encryption?.locked).toBeDefined()
    expect(of.condition('Stalled')).toMatchObject({ reason: 'DataKeyRevoked' })
    await of.put(a)
    await of.passes(5)
    expect(of.condition('Ready')).toMatchObject({ status: 'True' })
  })
})

test('taken away while it hibernates, the organization wakes when the key is back', async () => {
  const of = await served()
  await of.world.edit(resources.organizations, 'acme', { hibernation: 'Now' })
  await of.passes(4)
  await of.take()
  await of.passes(3)
  expect(of.storedIds).toEqual([])
  expect(of.condition('Stalled')).toMatchObject({ reason: 'DataKeyRevoked' })
  await of.put(a)
  await of.passes(3)
  expect(of.storedIds).toHaveLength(1)
  expect(of.status.encryption).toMatchObject({ source: 'Customer', keyId: of.storedIds[0] })
  expect(of.status.encryption?.locked).toBeUndefined()
})

test('wherever a process ends, a key that is taken away and comes back leaves all as it was', async () => {
  const play = async (killAfter: number): Promise<number> => {
    const of = await served()
    const before = of.storedIds
    of.world.writes = 0
    of.world.killAfter = killAfter
    await of.take()
    await of.world.settle()
    expect(of.storedIds, `killed after write ${killAfter}`).toEqual([])
    expect(of.world.nodes.lockedFor).toEqual(before)
    await of.put(a)
    await of.world.settle()
    expect(of.storedIds).toEqual(before)
    expect(of.condition('Ready')).toMatchObject({ status: 'True' })
    return of.world.writes
  }
  const writes = await play(Number.POSITIVE_INFINITY)
  // Secret, node, status; Secret, node, status, document, status.
  expect(writes).toBeGreaterThanOrEqual(6)
  for (let killAfter = 1; killAfter <= writes; killAfter += 1) await play(killAfter)
})
