import { describe, expect, test } from 'vitest'
import { FakeClock, rest } from '../../test/support/fake-clock.ts'
import { WorkQueue } from './work-queue.ts'

function queue(more: { readonly maxKeys?: number; readonly resyncsAtOnce?: number } = {}) {
  const clock = new FakeClock()
  return { clock, queue: new WorkQueue({ clock, random: () => 0, ...more }) }
}

/** What is handed out now, in order, without giving anything back. */
async function drain(work: WorkQueue): Promise<readonly string[]> {
  const keys: string[] = []
  while (work.depth > 0) keys.push((await work.take())!)
  return keys
}

describe('a backlog', () => {
  test('leaves room for an edit that comes while it is worked on', async () => {
    const { queue: work } = queue({ resyncsAtOnce: 2 })
    for (const key of ['a', 'b', 'c', 'd']) work.add(key, 'resync')
    const taken: (string | null)[] = []
    const take = () => work.take().then((key) => taken.push(key))
    const workers = [take(), take(), take()]
    await rest()
    expect(taken).toEqual(['a', 'b'])
    work.add('edited')
    await Promise.all(workers)
    expect(taken).toEqual(['a', 'b', 'edited'])
    const next = take()
    await rest()
    work.done('edited')
    expect(taken).toHaveLength(3)
    work.done('a')
    await next
    expect(taken.at(-1)).toBe('c')
  })

  test('goes on one at a time while an edit is worked on', async () => {
    const { queue: work } = queue({ resyncsAtOnce: 3 })
    work.add('edited')
    for (const key of ['a', 'b', 'c']) work.add(key, 'resync')
    const taken: (string | null)[] = []
    const workers = [1, 2, 3].map(() => work.take().then((key) => taken.push(key)))
    await rest()
    expect(taken).toEqual(['edited', 'a'])
    work.done('edited')
    await Promise.all(workers)
    expect(taken).toEqual(['edited', 'a', 'b'])
  })

  test('that takes all its room keeps no edit waiting, however many there were in a row', async () => {
    const { queue: work } = queue({ resyncsAtOnce: 1 })
    for (const key of ['a', 'b']) work.add(key, 'resync')
    expect(await work.take()).toBe('a')
    const edits = Array.from({ length: 20 }, (_none, index) => `edited ${index}`)
    for (const key of edits) work.add(key)
    const taken: (string | null)[] = []
    for (const _edit of edits) taken.push(await work.take())
    expect(taken).toEqual(edits)
  })
})

describe('no key is lost, and none is with two workers', () => {
  test('a key stands in line once', async () => {
    const { queue: work } = queue()
    for (const key of ['a', 'b', 'a', 'a']) work.add(key)
    expect(await drain(work)).toEqual(['a', 'b'])
  })

  test('a key that is added while it is worked on comes again, once, when it is done', async () => {
    const { queue: work } = queue()
    work.add('a')
    await work.take()
    work.add('a', 'resync')
    work.add('a')
    expect(work.depth).toBe(0)
    work.done('a')
    expect(await drain(work)).toEqual(['a'])
    work.done('a')
    expect(work.depth).toBe(0)
  })

  test('who waits is served as soon as there is something, first come first served', async () => {
    const { queue: work } = queue()
    const taken = [work.take(), work.take()]
    work.add('a')
    work.add('b')
    expect(await Promise.all(taken)).toEqual(['a', 'b'])
  })

  test('closing ends those who wait and takes nothing in', async () => {
    const { clock, queue: work } = queue()
    const waiting = work.take()
    work.addAfter('later', 10)
    work.close()
    work.add('a')
    await clock.advance(100)
    expect([await waiting, await work.take(), work.depth]).toEqual([null, null, 0])
  })

  test('a leak of keys is refused, known keys are not', () => {
    const { queue: work } = queue({ maxKeys: 2 })
    work.add('a')
    work.addAfter('b', 10)
    expect(() => work.add('c')).toThrow(expect.objectContaining({ code: 'ERR_QUEUE_FULL' }))
    expect(() => work.addAfter('c', 10)).toThrow(expect.objectContaining({ code: 'ERR_QUEUE_FULL' }))
    work.add('a', 'resync')
  })
})

describe('an edit does not wait behind routine, and routine does not starve', () => {
  test('edits first', async () => {
    const { queue: work } = queue()
    work.add('r1', 'resync')
    work.add('r2', 'resync')
    work.add('e1')
    expect(await work.take()).toBe('e1')
    work.done('e1')
    expect(await drain(work)).toEqual(['r1', 'r2'])
  })

  test('an edit of what waits as routine moves it up, never back', async () => {
    const { queue: work } = queue()
    work.add('r1', 'resync')
    work.add('r2', 'resync')
    work.add('r2')
    work.add('r2', 'resync')
    expect(await work.take()).toBe('r2')
    work.done('r2')
    expect(await drain(work)).toEqual(['r1'])
  })

  test('after eight edits in a row one of routine', async () => {
    const { queue: work } = queue()
    work.add('r', 'resync')
    for (let index = 0; index < 20; index += 1) work.add(`e${index}`)
    expect((await drain(work)).indexOf('r')).toBe(8)
  })
})

describe('delays', () => {
  test('a key comes when its time has come, and the soonest of several times counts', async () => {
    const { clock, queue: work } = queue()
    work.addAfter('a', 500)
    work.addAfter('a', 100)
    work.addAfter('a', 900)
    await clock.advance(99)
    expect(work.depth).toBe(0)
    await clock.advance(1)
    expect(await drain(work)).toEqual(['a'])
    work.done('a')
    await clock.advance(1_000)
    expect(work.depth).toBe(0)
  })

  test('starting on a key forgets the time that it waited for', async () => {
    const { clock, queue: work } = queue()
    work.addAfter('a', 100)
    work.add('a')
    expect(await work.take()).toBe('a')
    work.done('a')
    await clock.advance(1_000)
    expect(work.depth).toBe(0)
  })

  test('failures in a row wait longer and longer, a success begins anew', async () => {
    const { clock, queue: work } = queue()
    expect([work.addFailed('a'), work.failures('a')]).toEqual([125, 1])
    await clock.advance(125)
    await drain(work)
    work.done('a')
    expect(work.addFailed('a')).toBe(250)
    work.forget('a')
    await clock.advance(250)
    await rest()
    await drain(work)
    work.done('a')
    expect(work.addFailed('a')).toBe(125)
  })
})
