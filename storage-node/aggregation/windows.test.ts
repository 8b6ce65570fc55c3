import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { timeWords } from '../buffer/time-order.ts'
import { windowAt, WindowFinder } from './windows.ts'
import { tries } from '../../test/support/tries.ts'

/** Promise: a window that is remembered is the one that would be worked out, in whatever order times come. */

const anyTime = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -300n, max: 300n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 32n, 2n ** 31n, -(2n ** 32n), -(2n ** 31n)),
)

test('any times, in any order', () => {
  fc.assert(
    fc.property(
      fc.array(anyTime, { minLength: 1, maxLength: 60 }),
      fc.constantFrom(0n, 1n, 7n, 2n ** 31n, 2n ** 33n, 2n ** 62n),
      fc.constantFrom(0n, 3n, -5n),
      fc.boolean(),
      (all, durationNs, offsetNs, rises) => {
        const times = BigInt64Array.from(all)
        if (rises) times.sort()
        const windowing = { durationNs, offsetNs: durationNs === 0n ? 0n : offsetNs % durationNs }
        const finder = new WindowFinder(windowing)
        for (const [row, timeNs] of times.entries()) {
          const { startNs, endNs } = finder.of(times, timeWords(times), row)
          expect({ startNs, endNs }).toEqual(windowAt(windowing, timeNs))
        }
      },
    ),
    tries(),
  )
})

test('more windows than are remembered, for one series after the other', () => {
  const times = BigInt64Array.from({ length: 5_000 }, (_, row) => BigInt(row * 10))
  const windowing = { durationNs: 10n, offsetNs: 0n }
  const finder = new WindowFinder(windowing)
  for (let series = 0; series < 2; series++)
    for (let row = 0; row < times.length; row++)
      expect(finder.of(times, timeWords(times), row).startNs).toBe(times[row])
})
