import { describe, expect, test } from 'vitest'
import { tokenId } from '../../common/ids.ts'
import type { Permission, TokenState } from '../../common/state-document.ts'
import { hashToken, mintToken } from '../../common/token.ts'
import { claimOf, TokenTable } from './authenticate.ts'
import type { Managed } from '../query/influxql/ast.ts'
import { everybody, mayAccess, refusalOf, type Principal } from './principal.ts'

const own = 'aaaaaaaaaaaaaaaa'
const nowMs = Date.parse('2026-01-01T00:00:00Z')

function stateOf(text: string, expiresAt: string | null = null): TokenState {
  const hash = hashToken(text)
  return { id: tokenId(hash), hash, permissions: [{ database: '*', access: ['read'] }], expiresAt }
}

test('what cannot be a token of this organization is told so by its form alone, without any document', () => {
  const claim = (...secrets: string[]) =>
    claimOf(
      secrets.map((secret) => ({ user: '', secret })),
      own,
    )
  const token = mintToken(own)
  expect(claim(token, token, 'root')).toEqual({ token })
  expect(claim()).toEqual({ refused: 'no-credential' })
  expect(claim('root')).toEqual({ refused: 'malformed-credential' })
  expect(claim(token, mintToken(own))).toEqual({ refused: 'contradicting-credentials' })
  expect(claim(mintToken('bbbbbbbbbbbbbbbb'))).toEqual({ refused: 'other-organization' })
})

describe('only a token of this organization that is in the document and not expired gets in', () => {
  const valid = mintToken(own)
  const expired = mintToken(own)
  const expiring = mintToken(own)
  const foreign = mintToken('bbbbbbbbbbbbbbbb')
  const table = new TokenTable(own, [
    stateOf(valid),
    stateOf(expired, '2026-01-01T00:00:00Z'),
    stateOf(expiring, '2026-01-01T00:00:00.001Z'),
    stateOf(foreign), // A document may hold what it likes: the node looks at the token itself.
  ])
  const decide = (...secrets: string[]) =>
    table.authenticate(
      secrets.map((secret) => ({ user: 'any', secret })),
      nowMs,
    )

  test.each([
    ['in the document', [valid]],
    ['a millisecond before it expires', [expiring]],
    ['twice the same', [valid, valid]],
    ['beside a password that is none', ['root', valid]],
  ])('let in: %s', (_name, secrets) => {
    expect(decide(...secrets)).toMatchObject({ ok: true })
  })

  test.each([
    ['nothing', [], 'no-credential', null],
    ['a password', ['root'], 'malformed-credential', null],
    ['a mistyped token', [`${valid.slice(0, -1)}_`], 'malformed-credential', null],
    ['an unknown token', [mintToken(own)], 'unknown-token', null],
    ['an expired token', [expired], 'expired-token', tokenId(hashToken(expired))],
    ["another organization's", [foreign], 'other-organization', null],
    ['two tokens', [valid, expiring], 'contradicting-credentials', null],
    ['its hash', [hashToken(valid)], 'malformed-credential', null],
  ])('refused: %s', (_name, secrets, reason, id) => {
    expect(decide(...secrets)).toEqual({ ok: false, reason, tokenId: id })
  })
})

describe('permissions are per database, read and write apart, and nothing more', () => {
  const principal = (...permissions: Permission[]): Principal => ({
    tokenId: '0123456789abcdef',
    permissions,
  })
  const reader = principal({ database: 'metrics', access: ['read'] })
  const writer = principal({ database: 'metrics', access: ['write'] })
  const all = principal({ database: '*', access: ['read', 'write'] })
  const manager = principal({ manage: ['databases'] })
  const users = principal({ manage: ['users', 'tokens'] })

  test.each([
    ['reader reads', reader, 'read', 'metrics', true],
    ['reader does not write', reader, 'write', 'metrics', false],
    ['writer writes', writer, 'write', 'metrics', true],
    ['writer does not read', writer, 'read', 'metrics', false],
    ['another database', reader, 'read', 'metrics2', false],
    ['case counts', reader, 'read', 'Metrics', false],
    ['no database', reader, 'read', null, false],
    ['all of them', all, 'write', 'anything', true],
    ['all, and none named', all, 'read', null, true],
    ['a database called * is not all', principal({ database: 'x', access: ['read'] }), 'read', '*', false],
    ['managing is not reading', manager, 'read', 'metrics', false],
    ['authentication is off', everybody, 'write', null, true],
  ] as const)('%s', (_name, who, access, database, expected) => {
    expect(mayAccess(who, access, database)).toBe(expected)
  })

  test('a refusal says what was missing, as InfluxDB 1.8 does', () => {
    const needs = (kind: 'read' | 'write', database: string | null = 'other') =>
      refusalOf(reader, { kind, database, text: 'X' })
    const start = "0123456789abcdef not authorized to execute statement 'X', requires"
    expect(refusalOf(reader, { kind: 'none', text: 'X' })).toBeNull()
    expect(needs('read', 'metrics')).toBeNull()
    expect(needs('read')).toBe(`${start} READ on other`)
    expect(needs('write')).toBe(`${start} WRITE on other`)
  })

  test('an admin of InfluxDB 1.8 is here who may manage what the statement is about, and not the other', () => {
    const refused = (who: Principal, manages: Managed) =>
      refusalOf(who, { kind: 'admin', manages, text: 'X' })
    const text = "0123456789abcdef not authorized to execute statement 'X', requires admin privilege"
    expect([manager, users, all, everybody].map((who) => refused(who, 'databases'))).toEqual([
      null,
      text,
      text,
      null,
    ])
    expect([manager, users, all, everybody].map((who) => refused(who, 'users'))).toEqual([
      text,
      null,
      text,
      null,
    ])
  })
})
