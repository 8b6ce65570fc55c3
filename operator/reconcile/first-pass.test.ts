import { expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { TenantWorld } from '../../test/support/tenant-world.ts'
import { AppError } from '../../common/errors.ts'
import { resources } from '../kube/resource.ts'

// What a new organization cannot have is not looked for, and what a pass has made that came to no end stays.

async function newTenant(world: TenantWorld): Promise<string> {
  await world.create('Database', 'metrics', { organization: 'acme' })
  const permissions = [{ database: '*', access: ['read'] }]
  await world.create('Token', 'writer', { organization: 'acme', permissions })
  const made = await world.create('Organization', 'acme', {})
  return runtimeNamespace(idOfUid(made.metadata.uid!))
}

/** Lets `see` be called before each request. */
function listen(world: TenantWorld, see: (call: string) => void): void {
  const { intercept } = world.kube.world
  world.kube.world.intercept = (call) => {
    see(call)
    intercept(call)
  }
}

test('before there are pods no request finds nothing', async () => {
  const world = new TenantWorld()
  const missed: string[] = []
  const runtime = await newTenant(world)
  listen(world, (call) => {
    const [verb, plural, name] = call.split(' ')
    const isThere = [...world.kube.world.objects.keys()].some((key) => {
      const parts = key.split('/')
      return parts.includes(plural!) && parts.at(-1) === name
    })
    const isMade = world.get(resources.statefulSets, 'storage-node', runtime) !== undefined
    if (verb === 'get' && !isThere && !isMade) missed.push(call)
  })
  await world.settle()
  expect(world.get(resources.secrets, 'writer')).toBeDefined()
  expect(missed).toEqual([])
})

test.each(['create secrets storage-node-tls', 'create secrets last-good', 'apply statefulsets storage-node'])(
  'the data key stays where "%s" failed at first',
  async (failing) => {
    const world = new TenantWorld()
    const runtime = await newTenant(world)
    const keys = new Set<string>()
    let failures = 0
    listen(world, (call) => {
      const secret = world.get(resources.secrets, 'data-key', runtime)
      if (secret) keys.add(JSON.stringify(secret['data']))
      if (call !== failing || failures === 2) return
      failures += 1
      throw new AppError('unavailable', 'ERR_KUBE_UNAVAILABLE', 'no answer')
    })
    for (let round = 0; round < 3; round += 1) await world.pass().catch(() => undefined)
    await world.settle()
    expect(failures).toBe(2)
    expect(keys.size).toBe(1)
  },
)

test('a data key that is gone is not made again where this process made the first', async () => {
  const world = new TenantWorld()
  const runtime = await newTenant(world)
  await world.settle()
  const metadata = { name: 'data-storage-node-0', namespace: runtime }
  await world.kube.create({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata })
  await world.kube.delete(world.get(resources.secrets, 'data-key', runtime)!)
  await world.kube.delete(world.get(resources.statefulSets, 'storage-node', runtime)!)
  world.clock.jump(11_000)
  await world.pass().catch(() => undefined)
  expect(world.get(resources.secrets, 'data-key', runtime)).toBeUndefined()
})

test('a process that has just begun reads one Secret of what is Ready, and looks at the others in their turn', async () => {
  const world = new TenantWorld()
  const runtime = await newTenant(world)
  await world.settle()
  const calls: string[] = []
  listen(world, (call) => call.includes(' secrets ') && calls.push(call))
  world.restart()
  await world.pass()
  await world.pass()
  expect(calls).toEqual(['get secrets last-good'])
  await world.kube.delete(world.get(resources.secrets, 'storage-node-tls', runtime)!)
  world.clock.jump(13_000)
  await world.settle()
  expect(world.get(resources.secrets, 'storage-node-tls', runtime)).toBeDefined()
  expect(calls).toContain('get secrets data-key')
})
