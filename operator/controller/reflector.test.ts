import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import { silentLogger } from '../../common/log.ts'
import { FakeClock, rest } from '../../test/support/fake-clock.ts'
import { MemoryKube } from '../../test/support/memory-kube.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { Reflector, type ReflectorOptions } from './reflector.ts'

/*
 * The promise: whatever happens to lists and watches, the cache becomes what the API server has, every difference is
 * told once, in order, and time never runs backwards.
 */
const resource = resources.configMaps
const configMap = (name: string, value = '1'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'ns' },
  data: { value },
})
const text = (object: KubeObject | undefined): string =>
  object ? `${object.metadata.name}=${(object['data'] as { value: string }).value}` : '-'

async function reflector(options: { kube?: MemoryKube } & Partial<ReflectorOptions> = {}) {
  const { kube = new MemoryKube(), ...more } = options
  const clock = new FakeClock()
  const changes: string[] = []
  const made = new Reflector({
    resource,
    client: kube,
    clock,
    log: silentLogger,
    registry: new Registry(),
    random: () => 0.5,
    ...more,
  })
  made.onChange((before, after) => changes.push(`${text(before)} -> ${text(after)}`))
  const started = made.start()
  started.catch(() => undefined)
  await rest()
  const contents = () => made.list().map(text).sort()
  return { kube, clock, changes, reflector: made, started, contents }
}

const calls = (kube: MemoryKube, verb: string): number =>
  kube.world.calls.filter((call) => call.startsWith(verb)).length
const cut = new AppError('unavailable', 'ERR_KUBE_CUT', 'cut')
const expired = new AppError('unavailable', 'ERR_KUBE_EXPIRED', 'too old')
const cutAll = (kube: MemoryKube, error: Error | null) => {
  for (const watch of kube.world.watches) watch.cut(error)
}

describe('it follows', () => {
  test('what is there at first, what comes, changes and goes', async () => {
    const kube = new MemoryKube()
    const first = await kube.create(configMap('a'))
    const { reflector: made, changes, contents, started } = await reflector({ kube })
    await started
    expect([made.synced, made.size]).toEqual([true, 1])
    await kube.create(configMap('b'))
    await kube.replace({ ...first, data: { value: '2' } })
    await kube.delete(first)
    await rest()
    expect(changes).toEqual(['- -> a=1', '- -> b=1', 'a=1 -> a=2', 'a=2 -> -'])
    expect(contents()).toEqual(['b=1'])
    expect(made.get('ns', 'b')?.metadata.uid).toBeDefined()
    await made.stop()
  })

  test('it drops managedFields and what the caller drops, from lists and from watches', async () => {
    const kube = new MemoryKube()
    const heavy = (name: string) => ({
      ...configMap(name),
      metadata: { name, namespace: 'ns', managedFields: [{}] },
    })
    await kube.create(heavy('a'))
    const { reflector: made } = await reflector({
      kube,
      transform: ({ data: _dropped, ...rest }) => rest,
    })
    await kube.create(heavy('b'))
    await rest()
    for (const name of ['a', 'b']) {
      expect(made.get('ns', name)).not.toHaveProperty('data')
      expect(made.get('ns', name)?.metadata).not.toHaveProperty('managedFields')
    }
    await made.stop()
  })

  test('a listener that throws stops neither the others nor the stream', async () => {
    const { kube, reflector: made, changes } = await reflector()
    const later: string[] = []
    made.onChange(() => {
      throw new Error('listener')
    })
    made.onChange((_before, after) => later.push(text(after)))
    await kube.create(configMap('a'))
    await kube.create(configMap('b'))
    await rest()
    expect(changes).toHaveLength(2)
    expect(later).toEqual(['a=1', 'b=1'])
    expect(calls(kube, 'list')).toBe(1)
    await made.stop()
  })
})

describe('nothing is lost', () => {
  test('when the line breaks: the next watch goes on where it broke, without a list', async () => {
    const { kube, clock, reflector: made, changes } = await reflector()
    const a = await kube.create(configMap('a'))
    await rest()
    cutAll(kube, cut)
    await rest()
    expect(kube.world.watches.size).toBe(0)
    await kube.create(configMap('b'))
    await kube.delete(a)
    await clock.advance(1_000)
    expect(changes).toEqual(['- -> a=1', '- -> b=1', 'a=1 -> -'])
    expect(calls(kube, 'list')).toBe(1)
    await made.stop()
  })

  test('when the server ends the watch in time: it is opened again at once', async () => {
    const { kube, clock, reflector: made } = await reflector()
    await clock.advance(60_000)
    cutAll(kube, null)
    await rest()
    expect([kube.world.watches.size, calls(kube, 'watch')]).toEqual([1, 2])
    await made.stop()
  })

  test('when history is gone: a new list tells what was missed, deletions too', async () => {
    const { kube, clock, reflector: made, changes, contents } = await reflector()
    const a = await kube.create(configMap('a'))
    const b = await kube.create(configMap('b'))
    await rest()
    cutAll(kube, expired)
    await rest()
    await kube.delete(a)
    await kube.create(configMap('a', 'new'))
    await kube.replace({ ...b, data: { value: '2' } })
    await kube.create(configMap('c'))
    await clock.advance(1_000)
    expect(changes.slice(2).sort()).toEqual(['- -> a=new', '- -> c=1', 'a=1 -> -', 'b=1 -> b=2'])
    expect(changes.indexOf('a=1 -> -')).toBeLessThan(changes.indexOf('- -> a=new'))
    expect(contents()).toEqual(['a=new', 'b=2', 'c=1'])
    await made.stop()
  })

  test('when a watch says nothing for 90 s: it counts as dead', async () => {
    const { kube, clock, reflector: made, contents } = await reflector()
    kube.world.lose = () => true
    await kube.create(configMap('a'))
    await clock.advance(89_000)
    expect([contents(), calls(kube, 'watch')]).toEqual([[], 1])
    kube.world.lose = () => false
    await clock.advance(2_500)
    expect([contents(), calls(kube, 'watch'), calls(kube, 'list')]).toEqual([['a=1'], 2, 1])
    await made.stop()
  })

  test('a watch that bookmarks keep alive is not cut, and its successor starts from the last of them', async () => {
    const { kube, clock, reflector: made } = await reflector()
    await kube.with({}).create({ ...configMap('x'), kind: 'Secret' })
    for (let minute = 0; minute < 7; minute += 1) {
      kube.bookmark(resource)
      await clock.advance(60_000)
    }
    kube.bookmark(resource)
    await clock.advance(30_000)
    expect(kube.world.calls.filter((call) => call.startsWith('watch'))).toEqual([
      'watch configmaps 100',
      'watch configmaps 101',
    ])
    expect(kube.world.watches.size).toBe(1)
    await made.stop()
  })

  test.each(['ADDED', 'MODIFIED', 'DELETED'])('a lost %s is repaired by the next list', async (type) => {
    const { kube, clock, reflector: made, contents } = await reflector({ relistMs: 600_000 })
    const a = await kube.create(configMap('a'))
    await rest()
    kube.world.lose = (event) => event.type === type
    await kube.create(configMap('b'))
    await kube.replace({ ...a, data: { value: '2' } })
    await kube.delete((await kube.get(resource, { namespace: 'ns', name: 'b' }))!)
    await rest()
    const keepAlive = async () => {
      kube.bookmark(resource)
      await clock.advance(60_000)
    }
    for (let minute = 0; minute < 16; minute += 1) await keepAlive()
    expect(contents()).toEqual(['a=2'])
    expect(calls(kube, 'list')).toBe(2)
    await made.stop()
  })

  test.each([
    ['closes', () => null],
    ['cuts', () => cut],
  ])('that list comes also where a server %s every watch before its time', async (_, error) => {
    const { kube, clock, reflector: made, contents } = await reflector({ relistMs: 600_000 })
    kube.world.lose = () => true
    await kube.create(configMap('a'))
    for (let minute = 0; minute < 16; minute += 1) {
      await clock.advance(60_000)
      cutAll(kube, error())
      await rest()
    }
    expect(contents()).toEqual(['a=1'])
    expect(calls(kube, 'list')).toBe(2)
    await made.stop()
  })
})

describe('time never runs backwards', () => {
  test('the answer to our own write is seen at once, and its echo makes it no older', async () => {
    const { kube, reflector: made, changes } = await reflector()
    const a = await kube.create(configMap('a'))
    await rest()
    kube.world.lose = () => true
    const second = await kube.replace({ ...a, data: { value: '2' } })
    const third = await kube.replace({ ...second, data: { value: '3' } })
    made.observe(third)
    made.observe(second)
    expect(text(made.get('ns', 'a'))).toBe('a=3')
    expect(changes).toEqual(['- -> a=1'])
    await made.stop()
  })

  test('a creation that is observed late does not bring back what was deleted since', async () => {
    const { kube, reflector: made, contents } = await reflector()
    const a = await kube.create(configMap('a'))
    await kube.delete(a)
    await rest()
    made.observe(a)
    expect(contents()).toEqual([])
    await made.stop()
  })

  test('a list that was taken before our own write does not undo it', async () => {
    const { kube, clock, reflector: made, contents } = await reflector()
    await rest()
    cutAll(kube, expired)
    await rest()
    const before = kube.world.version
    const created = await kube.create(configMap('a'))
    made.observe(created)
    // The list answers with the past.
    const list = kube.list.bind(kube)
    const stale = new MemoryKube(kube.world)
    stale.list = async (...args) => ({ ...(await list(...args)), items: [], resourceVersion: String(before) })
    kube.with = () => stale
    await clock.advance(1_000)
    expect(calls(kube, 'list')).toBe(2)
    expect(contents()).toEqual(['a=1'])
    await made.stop()
  })
})

describe('a history that was taken back, as by a restore of etcd', () => {
  async function restored() {
    const { kube, ...made } = await reflector()
    const a = await kube.create(configMap('a'))
    await kube.create(configMap('b'))
    await kube.replace({ ...a, data: { value: '2' } })
    await rest()
    const { world } = kube
    world.objects.clear()
    world.history.length = 0
    world.version = 50
    // A watch from the future tells of nothing that comes before.
    world.lose = ({ type }) => type !== 'BOOKMARK'
    await kube.create(configMap('a'))
    made.changes.length = 0
    cutAll(kube, cut)
    await made.clock.advance(2_000)
    expect(kube.world.watches.size).toBe(1)
    return { kube, ...made }
  }
  const all = ['b=1 -> -', 'a=2 -> -', '- -> a=1', '- -> a=1']

  test('is seen at the first bookmark', async () => {
    const { kube, clock, changes, contents, reflector: made } = await restored()
    kube.bookmark(resource)
    await clock.advance(5_000)
    expect([changes, contents()]).toEqual([all, ['a=1']])
    kube.world.lose = () => false
    await kube.create(configMap('c'))
    await rest()
    expect(contents()).toEqual(['a=1', 'c=1'])
    await made.stop()
  })

  test('is seen where there are none, after three minutes', async () => {
    const { kube, clock, changes, contents, reflector: made } = await restored()
    await clock.advance(185_000)
    expect([changes, contents(), calls(kube, 'list')]).toEqual([all, ['a=1'], 2])
    await made.stop()
  })
})

describe('it is gentle, and it ends', () => {
  test.each(['watch', 'list'])(
    'a server that refuses every %s is asked less than five times in 10 s',
    async (verb) => {
      const kube = new MemoryKube()
      kube.world.intercept = (call) => {
        if (call.startsWith(verb)) throw expired
      }
      const { clock, reflector: made } = await reflector({ kube, random: () => 0 })
      await clock.advance(10_000)
      expect(calls(kube, verb)).toBeGreaterThan(1)
      expect(calls(kube, verb)).toBeLessThan(5)
      kube.world.intercept = () => undefined
      await clock.advance(30_000)
      expect(made.synced).toBe(true)
      expect(kube.world.watches.size).toBe(1)
      await made.stop()
    },
  )

  test('a server that ends every watch at once is not asked in a loop', async () => {
    const { kube, clock, reflector: made } = await reflector()
    for (let second = 0; second < 10; second += 1) {
      cutAll(kube, null)
      await clock.advance(1_000)
    }
    expect(calls(kube, 'watch')).toBeLessThan(6)
    await made.stop()
  })

  test('a stopped one never calls back and asks for nothing more', async () => {
    const { kube, clock, reflector: made, changes } = await reflector()
    cutAll(kube, cut)
    await rest()
    await made.stop()
    const asked = kube.world.calls.length
    await kube.create(configMap('a'))
    await clock.advance(600_000)
    expect([changes, kube.world.calls.length - asked, kube.world.watches.size]).toEqual([[], 1, 0])
  })

  test('stopped before its first list, start rejects', async () => {
    const kube = new MemoryKube()
    kube.world.intercept = () => {
      throw expired
    }
    const { reflector: made, started } = await reflector({ kube })
    await made.stop()
    await expect(started).rejects.toMatchObject({ code: 'ERR_REFLECTOR_STOPPED' })
    expect(made.synced).toBe(false)
  })
})
