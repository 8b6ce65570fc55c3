import { describe, expect, test } from 'vitest'
import { mintToken } from './token.ts'
import { clientPaths, loggedPath, requestIdOf } from './request-log.ts'

const token = mintToken('aaaaaaaaaaaaaaaa')

describe('a token that a client puts in the wrong place does not come into a log', () => {
  test.each([
    `/write/${token}`,
    `/${token}`,
    `/write/${encodeURIComponent(token).replaceAll('_', '%5F')}`,
    `/query/${token.slice(0, 40)}`,
    `/${token}${token}`,
    '/write/',
    '',
  ])('%s is an unknown path', (path) => {
    expect(loggedPath(path)).toBe('unknown')
  })

  test.each(clientPaths)('%s is logged as it is', (path) => {
    expect(loggedPath(path)).toBe(path)
  })
})

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
