import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { dataKeysText } from '../../common/data-key.ts'
import { mintToken } from '../../common/token.ts'
import { Needles, secretsOf } from './needles.ts'

// The search for leaks finds a secret in each form in which a program may let it out: it is the search that is tried here.

const token = mintToken('0123456789abcdef')
const key = randomBytes(32)
const older = randomBytes(32)
const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const dataKeys = dataKeysText([key, older])

const needlesIn = (value: string): Needles =>
  new Needles(new Map(secretsOf(value).map((secret, index) => [`secret ${index}`, secret])))
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('a secret is found', () => {
  test.each([
    ['a token in a log', token, `{"authorization":"Token ${token}"}`],
    ['a token as the value of a Secret', token, `{"token":"${base64(token)}"}`],
    ...['', 'a', 'ab', 'abc'].map((user) => [
      `a token as a password of "${user}"`,
      token,
      `Basic ${base64(`${user}:${token}`)}`,
    ]),
    ['a key in a log', pem, JSON.stringify({ msg: pem })],
    ['a key as the value of a Secret', pem, JSON.stringify({ 'tls.key': base64(pem) })],
    ['a data key in a log', dataKeys, JSON.stringify({ keys: dataKeys })],
    ['a data key as the value of a Secret', dataKeys, `data-key: ${base64(dataKeys)}`],
    ['a data key as hex', dataKeys, `key ${key.toString('hex')}`],
    ['a data key as large hex', dataKeys, `key ${key.toString('hex').toUpperCase()}`],
    ['a data key for URLs', dataKeys, `key=${key.toString('base64url')}`],
    ['a data key as its bytes', dataKeys, `x${key.toString('latin1')}x`],
  ])('%s', (_what, value, text) => {
    expect(needlesIn(value).heldBy(`before\n${text}\nafter`)).toContain('secret 0')
  })

  test('the second of two data keys, too', () => {
    expect(needlesIn(dataKeys).heldBy(older.toString('base64'))).toEqual(['secret 1'])
  })
})

test('what is not there is not found, and what is too short is no secret', () => {
  const noise = `${randomBytes(1_000).toString('latin1')} ${randomBytes(100).toString('base64')}`
  for (const value of [token, pem, dataKeys]) expect(needlesIn(value).heldBy(noise)).toEqual([])
  expect(secretsOf('influxdb')).toEqual([])
})
