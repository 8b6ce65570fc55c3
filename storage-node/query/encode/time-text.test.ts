import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatTime, maxTimeNs, minTimeNs } from '../time.ts'
import { Zone } from '../zone.ts'
import { TimeText } from './time-text.ts'
import { tries } from '../../../test/support/tries.ts'

// Attacks the promise that what is remembered of one time never shows in another.

test('times one after another are each what they are alone', () => {
  const zones = [null, Zone.find('Europe/Berlin')]
  const step = fc.oneof(
    fc.bigInt({ min: -3n * 86_400_000_000_000n, max: 3n * 86_400_000_000_000n }),
    fc.constantFrom(0n, 1n, -1n, 86_400_000_000_000n, 86_399_999_999_999n, -10_000_000_000n),
  )
  fc.assert(
    fc.property(
      fc.oneof(fc.bigInt({ min: minTimeNs, max: maxTimeNs }), fc.constantFrom(0n, minTimeNs, maxTimeNs)),
      fc.array(fc.tuple(step, fc.constantFrom(...zones)), { maxLength: 30 }),
      (start, steps) => {
        const text = new TimeText()
        let ns = start
        for (const [by, zone] of steps) {
          ns = ns + by > maxTimeNs || ns + by < minTimeNs ? start : ns + by
          expect(text.of(ns, zone)).toBe(formatTime(ns, zone?.offsetNs(ns) ?? 0n))
        }
      },
    ),
    tries(),
  )
})
