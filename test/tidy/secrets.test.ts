import { createHmac, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { mintToken } from '../../common/token.ts'
import { secretsIn } from '../support/secret-scan.ts'
import { sources } from './sources.ts'

// No file of the repository holds a secret, not even one that opens nothing: a scanner of a platform that finds one cannot
// know that, and who is used to exceptions overlooks the one that matters. Tests make theirs when they run.

test('no file holds a token, a private key or a JSON Web Token', () => {
  const files = sources('')
  expect(files.length).toBeGreaterThan(1_000)
  const found = files.flatMap(({ path, text }) =>
    secretsIn(text).map(({ what, line }) => `${path}:${line}: ${what}`),
  )
  expect(found).toEqual([])
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const token = mintToken('0123456789abcdef')

function jwtOf(header: object): string {
  const [head, claims] = [header, { sub: 'a' }].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  const signature = createHmac('sha256', 'a').update(`${head}.${claims}`).digest('base64url')
  return `${head}.${claims}.${signature}`
}

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = (type: 'pkcs8' | 'sec1'): string => ec.privateKey.export({ type, format: 'pem' }).toString()
const encrypted = ec.privateKey
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'a' })
  .toString()
const ed25519 = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

describe('one that is planted is found', () => {
  test.each([
    ['a token', 'token', token],
    ['in a URL', 'token', `http://x/query?p=${token}&q=a`],
    ['with something before and behind it', 'token', `xhfd_${token}x`],
    ['as the value of a Secret', 'token', `  token: ${base64(token)}`],
    ['a PEM key', 'private key', pem('pkcs8')],
    ['an older form', 'private key', pem('sec1')],
    ['the shortest', 'private key', ed25519],
    ['encrypted', 'private key', encrypted],
    ['as a string of JSON', 'private key', JSON.stringify({ key: pem('pkcs8') })],
    ['indented, as in YAML', 'private key', pem('pkcs8').replaceAll('\n', '\n    ')],
    ['in quotes, line by line', 'private key', `'${pem('pkcs8').trim().replaceAll('\n', "\\n' +\n  '")}'`],
    ['as the value of a Secret', 'private key', `  tls.key: ${base64(pem('pkcs8'))}`],
    ['a signed JWT', 'JSON Web Token', jwtOf({ alg: 'HS256', typ: 'JWT' })],
    ['one with another first field', 'JSON Web Token', jwtOf({ typ: 'JWT', alg: 'none' })],
  ])('%s: %s', (_how, what, planted) => {
    expect(secretsIn(`one\ntwo ${planted}`)).toEqual([{ what, line: 2 }])
  })
})

describe('what is none is not called one', () => {
  const wrongChecksum = token.slice(0, -1) + (token.endsWith('0') ? '1' : '0')
  test.each([
    ['a token with another checksum', wrongChecksum],
    ['the first line of a key', '/^-----BEGIN PRIVATE KEY-----/'],
    ['a public key', ec.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
    ['three words with dots', 'eyJust.some.words and a.b.c'],
    ['JSON without an algorithm', jwtOf({ typ: 'JWT' })],
  ])('%s', (_what, text) => {
    expect(secretsIn(text)).toEqual([])
  })
})
