import { describe, expect, test } from 'vitest'
import { credentialsOf, tokensOf } from './credentials.ts'
import { mintToken } from './token.ts'
import { processorTime } from '../test/support/processor-time.ts'

const token = mintToken('0123456789abcdef')
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('a credential is found wherever an InfluxDB client puts one, and read one way only', () => {
  const cases: readonly [
    name: string,
    authorization: string[],
    query: string,
    expected: [string, string][],
  ][] = [
    ['nothing', [], '', []],
    ['Token <t>', [`Token ${token}`], '', [['', token]]],
    ['scheme in any case', [`token ${token}`], '', [['', token]]],
    ['Bearer <t>', [`Bearer ${token}`], '', [['', token]]],
    ['Token user:<t>', [`Token anybody:${token}`], '', [['anybody', token]]],
    ['Basic password', [basic(`anybody:${token}`)], '', [['anybody', token]]],
    ['Basic without user', [basic(`:${token}`)], '', [['', token]]],
    ['Basic password with colons', [basic('u:a:b')], '', [['u', 'a:b']]],
    ['Basic without colon', [basic('nothing')], '', []],
    ['p= with u=', [], `?u=anybody&p=${token}`, [['anybody', token]]],
    ['p= alone', [], `?p=${token}`, [['', token]]],
    [
      'two p=',
      [],
      `?u=a&p=1&p=2`,
      [
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    ['u= alone', [], '?u=anybody', []],
    ['empty p=', [], '?u=a&p=', []],
    [
      'URL and header',
      [`Token ${token}`],
      '?u=a&p=b',
      [
        ['a', 'b'],
        ['', token],
      ],
    ],
    [
      'two headers',
      ['Token a', 'Token b'],
      '',
      [
        ['', 'a'],
        ['', 'b'],
      ],
    ],
    ['another scheme', [`Digest ${token}`], '', []],
    ['a token without scheme', [token], '', []],
  ]
  test.each(cases)('%s', (_name, authorization, query, expected) => {
    const found = credentialsOf(authorization, new URLSearchParams(query))
    expect(found.map(({ user, secret }) => [user, secret])).toEqual(expected)
  })

  test('the same token twice is one token, two are two, and what is no token is none', () => {
    const other = mintToken('0123456789abcdef')
    const of = (...secrets: string[]) => tokensOf(secrets.map((secret) => ({ user: '', secret })))
    expect(of(token, token, 'password')).toEqual([token])
    expect(of(token, other)).toEqual([token, other])
    expect(of(`${token.slice(0, -1)}!`)).toEqual([])
  })
})

test('a header of many spaces is read in time that grows with its length only', () => {
  const costMs = processorTime()
  for (let round = 0; round < 100; round++)
    credentialsOf([`Token x${' '.repeat(31_500)}y`], new URLSearchParams())
  // A pattern that starts again at each space takes half a second for one such header.
  expect(costMs()).toBeLessThan(1_000)
})
