import { describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../common/clock.ts'
import { BodyBudget } from './body.ts'
import { QuerySlots, WriteRate } from './limits.ts'

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
    const slots = new QuerySlots()
    const release = slots.take(2)
    slots.take(2)
    expect(() => slots.take(2)).toThrow('max-concurrent-queries limit exceeded(2, 2)')
    release()
    release()
    expect(slots.running).toBe(1)
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
})
