import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Utf8Buffer } from './utf8-buffer.ts'
import { tries } from '../../../test/support/tries.ts'

// Attacks the promise that a text is the same in pieces, whatever is written, taken and forgotten on the way.

const short = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(0, -0, 9, 10, 99, 100, -1, 999_999_999, 2_147_483_647, -2_147_483_648, 1e21, 0.1),
)
const write = fc.oneof(
  short.map((value) => ({ text: Object.is(value, -0) ? '-0' : String(value), value })),
  fc.string({ unit: 'binary', maxLength: 60 }).map((text) => ({ text, value: text })),
  fc
    .tuple(fc.constantFrom('a', 'é', '😀'), fc.constantFrom(39, 41, 1_300, 21_900, 70_000))
    .map(([unit, count]) => ({ text: unit.repeat(count), value: unit.repeat(count) })),
)

test('what is written is what is taken', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(write, fc.constantFrom('stay', 'forget', 'take')), { maxLength: 60 }),
      (all) => {
        const buffer = new Utf8Buffer()
        let taken = ''
        let expected = ''
        for (const [{ text, value }, then] of all) {
          const { length } = buffer
          if (typeof value === 'number') buffer.number(value)
          else buffer.text(value)
          if (then === 'forget') buffer.truncate(length)
          else expected += text
          if (then === 'take') taken += Buffer.concat(buffer.take()).toString()
        }
        expect(buffer.length).toBe(Buffer.byteLength(expected) - Buffer.byteLength(taken))
        expect(taken + Buffer.concat(buffer.take()).toString()).toBe(expected)
      },
    ),
    tries(200),
  )
})
