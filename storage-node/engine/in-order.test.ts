import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { InOrder } from './in-order.ts'

/** Promise: of work that must not overlap each piece has its turn, also while others are asked for again and again. */

test('one after the other, in the order of asking', async () => {
  const order = new InOrder()
  const seen: string[] = []
  const work = (name: string) => async () => {
    seen.push(`${name} begins`)
    await setImmediate()
    seen.push(`${name} ends`)
  }
  await Promise.all([order.run(work('a')), order.run(work('b')), order.run(work('c'))])
  expect(seen).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})

test('work that asks for more of its kind does not keep others waiting', async () => {
  const order = new InOrder()
  let rounds = 0
  const again = async (): Promise<void> => {
    rounds++
    await setImmediate()
    if (rounds < 100) void order.run(again)
  }
  void order.run(again)
  await order.run(async () => undefined)
  expect(rounds).toBe(1)
})

test('what fails is told to who asked for it, and to nobody else', async () => {
  const order = new InOrder()
  const failing = order.run(() => Promise.reject(new Error('no')))
  const next = order.run(() => Promise.resolve('yes'))
  await expect(failing).rejects.toThrow('no')
  expect(await next).toBe('yes')
})
