import { describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../common/clock.ts'
import { Remembered } from './remembered.ts'
import { RateLimit } from '../common/rate-limit.ts'
import { sourceKey } from './source-key.ts'

function fakeClock(): Clock & { advance(ms: number): void } {
  let nowMs = 0
  return { ...systemClock, monotonicMs: () => nowMs, advance: (ms) => void (nowMs += ms) }
}

describe('nobody gets more attempts than the rate gives', () => {
  test('a burst, then the rate, and one key does not eat from another', () => {
    const clock = fakeClock()
    const limit = new RateLimit({ perSecond: 2, burst: 3 }, clock)
    expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([0, 0, 0, 1])
    expect(limit.take('b')).toBe(0)
    clock.advance(500)
    expect([1, 2].map(() => limit.take('a'))).toEqual([0, 1])
    clock.advance(3_600_000)
    expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([0, 0, 0, 1])
  })

  test('memory is bounded: the key that was idle longest goes first', () => {
    const limit = new RateLimit({ perSecond: 1, burst: 1 }, fakeClock(), 2)
    limit.take('a')
    limit.take('b')
    limit.take('a')
    limit.take('c')
    expect(limit.take('a')).toBeGreaterThan(0)
    expect(limit.take('b')).toBe(0)
  })

  test.each([
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:db8::9', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ])('%s counts as %s', (address, key) => {
    expect(sourceKey(address)).toBe(key)
  })
})

describe('a credential is known for a while after a node let it in, and not longer', () => {
  test('time and number are bounded', () => {
    const clock = fakeClock()
    const accepted = new Remembered(clock, 2)
    expect(accepted.has('a')).toBe(false)
    accepted.add('a')
    expect(accepted.has('a')).toBe(true)
    clock.advance(600_000)
    expect(accepted.has('a')).toBe(false)
    accepted.add('a')
    accepted.add('b')
    accepted.add('a')
    accepted.add('c')
    expect([accepted.has('a'), accepted.has('b'), accepted.has('c')]).toEqual([true, false, true])
    accepted.delete('a')
    expect(accepted.has('a')).toBe(false)
  })
})
