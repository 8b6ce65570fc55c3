import { describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../common/clock.ts'
import { BodyBudget } from './body.ts'
import { QuerySlots, RequestRate, WriteRate } from './limits.ts'

describe('what one organization may use at the same time is bounded', () => {
  test('bodies in flight: a full budget refuses, and what is released can be taken again', () => {
    const budget = new BodyBudget(100)
    const [first, second] = [budget.open(), budget.open()]
    first.take(60)
    second.take(40)
    expect(() => second.take(1)).toThrow('too many bytes')
    first.release()
    first.release()
    expect(budget.usedBytes).toBe(40)
    second.take(60)
    second.release()
    expect(budget.usedBytes).toBe(0)
  })

  test('queries: one more than the limit is refused, and a slot is given back once', () => {
    const slots = new QuerySlots(1)
    const slot = slots.take(2)
    slots.take(2)
    expect(() => slots.take(2)).toThrow('max-concurrent-queries limit exceeded(2, 2)')
    slot.release()
    slot.release()
    expect(slots.running).toBe(1)
  })

  test('queries that read: the others wait in the order in which they came, and one that is ended leaves', async () => {
    const slots = new QuerySlots(2)
    const order: string[] = []
    const enter = (name: string, signal = new AbortController().signal) => {
      const slot = slots.take(10)
      const reading = slot.mayRead(signal).then(() => void order.push(name))
      return { slot, reading, again: () => slot.mayRead(signal) }
    }
    const ended = new AbortController()
    const [a, b, c, d, e] = [enter('a'), enter('b'), enter('c'), enter('d', ended.signal), enter('e')]
    await Promise.all([a.reading, b.reading])
    expect(slots.waiting).toBe(3)
    ended.abort(new Error('time is up'))
    await expect(d.reading).rejects.toThrow('time is up')
    d.slot.release()
    // A second read of one query needs no second place.
    await a.again()
    a.slot.release()
    await c.reading
    expect(order).toEqual(['a', 'b', 'c'])
    b.slot.release()
    b.slot.release()
    await e.reading
    const f = enter('f')
    expect(slots.waiting).toBe(1)
    c.slot.release()
    await f.reading
    e.slot.release()
    f.slot.release()
    expect([slots.running, slots.waiting]).toEqual([0, 0])
    const [g, h] = [enter('g'), enter('h')]
    await Promise.all([g.reading, h.reading])
  })

  test('bytes a second: a large write passes once and is paid for after', () => {
    let nowMs = 0
    const clock: Clock = { ...systemClock, monotonicMs: () => nowMs }
    const rate = new WriteRate(clock)
    rate.take(5_000, 1_000)
    expect(() => rate.take(1, 1_000)).toThrow('limit of 1000 bytes written a second exceeded')
    nowMs = 3_000
    expect(() => rate.take(1, 1_000)).toThrow('limit')
    nowMs = 3_100
    rate.take(1, 1_000)
    rate.take(1_000_000_000, null)
    rate.take(1_000_000_000, null)
  })

  test('requests a second: one second of them at once, and another limit begins anew', () => {
    let nowMs = 0
    const rate = new RequestRate({ ...systemClock, monotonicMs: () => nowMs })
    const tries = (count: number, perSecond: number | null): number => {
      let passed = 0
      for (let n = 0; n < count; n += 1) {
        try {
          rate.take(perSecond)
          passed += 1
        } catch (error) {
          expect(error).toMatchObject({ kind: 'too-many-requests', message: 'requests limit exceeded' })
        }
      }
      return passed
    }
    expect(tries(50, null)).toBe(50)
    expect(tries(50, 10)).toBe(10)
    nowMs = 500
    expect(tries(50, 10)).toBe(5)
    nowMs = 60_000
    expect(tries(50, 10)).toBe(10)
    expect(tries(50, 20)).toBe(20)
    expect(tries(50, null)).toBe(50)
  })
})
