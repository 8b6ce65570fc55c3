import { expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'

// The storage nodes' certificate is renewed when it is due and at no other time, whatever clocks do, and what somebody
// does to their Secrets is undone.

const hourMs = 3_600_000

async function tenant() {
  const world = new TenantWorld()
  const made = await world.create('Organization', 'acme', {})
  await world.settle()
  const runtime = runtimeNamespace(idOfUid(made.metadata.uid!))
  const secret = (name: string) => world.get(resources.secrets, name, runtime)
  const identity = () => {
    const data = secret('storage-node-tls')!['data'] as Readonly<Record<string, string>>
    return Buffer.from(data['tls.crt']!, 'base64').toString('utf8')
  }
  return { world, secret, identity }
}

test('nothing is written while nothing is due', async () => {
  const { world, identity } = await tenant()
  world.authority.lifeMs = 300 * hourMs
  const before = identity()
  const { writes } = world
  for (let hour = 0; hour < 190; hour += 10) {
    world.clock.jump(10 * hourMs)
    await world.pass()
  }
  expect(world.writes).toBe(writes)
  expect(identity()).toBe(before)
  world.clock.jump(20 * hourMs)
  await world.settle()
  expect(identity()).not.toBe(before)
  expect(world.writes).toBe(writes + 1)
})

test('a pass is asked for when the certificate is due', async () => {
  const { world } = await tenant()
  // Less than the pass would come by itself.
  world.authority.lifeMs = 1.5 * 3_000
  world.clock.jump(11_000)
  expect((await world.pass()).requeueAfterMs).toBeLessThanOrEqual(3_000)
})

test('another authority to trust reaches the Secret with the certificate as it was', async () => {
  const { world, secret, identity } = await tenant()
  const before = identity()
  world.authority.trustedPem = 'authority and the next one'
  await world.pass()
  const data = secret('storage-node-tls')!['data'] as Readonly<Record<string, string>>
  expect(Buffer.from(data['ca.crt']!, 'base64').toString('utf8')).toBe('authority and the next one')
  expect(identity()).toBe(before)
})

test.each([
  ['ahead', 200 * hourMs],
  ['back', -200 * hourMs],
])(
  'a wall clock that is set %s is noticed by the next pass, without waiting for its turn',
  async (_, byMs) => {
    const { world } = await tenant()
    world.authority.lifeMs = 150 * hourMs
    world.clock.jump(11_000)
    await world.pass()
    let asked = 0
    const keep = world.authority.keepNodeIdentity.bind(world.authority)
    world.authority.keepNodeIdentity = (found) => {
      asked += 1
      return keep(found)
    }
    await world.pass()
    expect(asked).toBe(0)
    world.clock.step(byMs)
    await world.pass()
    expect(asked).toBe(1)
  },
)

const without = (secret: KubeObject): KubeObject => ({ ...secret, data: {} })

test.each([
  ['storage-node-tls', 'deleted', null],
  ['storage-node-tls', 'emptied', without],
  ['storage-node-tls', 'made one of another type', (secret: KubeObject) => ({ ...secret, type: 'Opaque' })],
  [
    'storage-node-tls',
    'made one that cannot be changed',
    (secret: KubeObject) => ({ ...secret, immutable: true }),
  ],
  ['last-good', 'deleted', null],
  ['last-good', 'emptied', without],
] as const)('%s, %s, is there again, whole', async (name, _what, edit) => {
  const { world, secret } = await tenant()
  const before = secret(name)!
  if (edit) await world.kube.replace(edit(before))
  else await world.kube.delete(before)
  await world.settle()
  const { type, data, immutable } = secret(name)!
  expect(type).toBe(before['type'])
  expect(Object.keys(data as object)).toEqual(Object.keys(before['data'] as object))
  expect(immutable).not.toBe(true)
  const { writes } = world
  world.clock.jump(11_000)
  await world.pass()
  expect(world.writes).toBe(writes)
})
