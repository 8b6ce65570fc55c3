import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareTimes, firstNotBefore, inTimeOrder, splitTime, timeWords } from './time-order.ts'
import { tries } from '../../test/support/tries.ts'

/** Promise: rows come in the order of time, rows of one time in the order in which they stood; times are found among them. */

function sorted(rows: Int32Array, times: BigInt64Array): number[] {
  const sorting = inTimeOrder(rows, times)
  for (;;) {
    const step = sorting.next()
    if (step.done) return [...step.value]
  }
}

const expectedOrder = (rows: readonly number[], times: BigInt64Array): number[] =>
  [...rows].sort((a, b) => (times[a]! < times[b]! ? -1 : times[a]! > times[b]! ? 1 : 0))

const anyTime = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -3n, max: 3n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 32n, 2n ** 31n, -(2n ** 32n), -(2n ** 31n)),
)

test('two times compare as numbers do', () => {
  fc.assert(
    fc.property(anyTime, anyTime, (a, b) => {
      const order = compareTimes(timeWords(BigInt64Array.of(a, b)), 0, 1)
      expect(Math.sign(order)).toBe(a < b ? -1 : a > b ? 1 : 0)
    }),
    tries(),
  )
})

test.each([20, 10_000])('%d rows of any times', (length) => {
  fc.assert(
    fc.property(fc.array(anyTime, { minLength: 20, maxLength: 20 }), fc.integer(), (some, seed) => {
      let state = seed
      const times = BigInt64Array.from({ length }, () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
        return some[(state >>> 8) % some.length]!
      })
      const rows = Array.from({ length }, (_, row) => length - 1 - row)
      expect(sorted(Int32Array.from(rows), times)).toEqual(expectedOrder(rows, times))
    }),
    tries(length > 1_000 ? 20 : 200),
  )
})

test('the first row that is not before a time is found', () => {
  fc.assert(
    fc.property(
      fc.array(anyTime),
      fc.oneof(anyTime, fc.constant(2n ** 63n)),
      fc.nat({ max: 5 }),
      fc.nat({ max: 12 }),
      (all, timeNs, skip, likely) => {
        const times = BigInt64Array.from(all).sort()
        const from = Math.min(skip, times.length)
        const expected = times.findIndex((time, row) => row >= from && time >= timeNs)
        const row = expected < 0 ? times.length : expected
        const words = timeWords(times)
        expect(firstNotBefore(words, from, times.length, splitTime(timeNs))).toBe(row)
        expect(firstNotBefore(words, from, times.length, splitTime(timeNs), likely)).toBe(row)
      },
    ),
    tries(),
  )
})
