import { expect, test } from 'vitest'
import { requestIdOf } from './request-id.ts'
import { mintToken } from './token.ts'

const token = mintToken('aaaaaaaaaaaaaaaa')

test.each([
  ['abc-1.2:3_4', 'abc-1.2:3_4'],
  [undefined, 'made'],
  ['', 'made'],
  ['with space', 'made'],
  ['x'.repeat(129), 'made'],
  ['line\nbreak', 'made'],
  [token, 'made'],
  [`id-${token}`, 'made'],
])('a request id is taken over only if it cannot spoil a log: %j', (given, expected) => {
  expect(requestIdOf(given, () => 'made')).toBe(expected)
})
