import { describe, expect, test } from 'vitest'
import { hashToken, mintToken } from '../../common/token.ts'
import { tokenSchema, type IssuedToken } from '../api/token.ts'
import type { KubeObject } from '../kube/object.ts'
import { issuedToken, planForeignHash, planIssue } from './issue.ts'
import { markIssue, readSecret } from './issue-mark.ts'

const key = Buffer.alloc(32, 7)
const organizationId = '0123456789abcdef'
const uid = '11111111-2222-3333-4444-555555555555'
const createdAt = '2026-11-22T12:00:00Z'
const now = new Date('2026-11-22T13:00:00Z')

const token = (spec: object = {}) =>
  tokenSchema.parse({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Token',
    metadata: { name: 'writer', namespace: 'acme', uid, creationTimestamp: '2026-11-22T11:00:00Z' },
    spec: { organization: 'acme', permissions: [{ database: '*', access: ['read'] }], ...spec },
  })

const string = mintToken(organizationId)

function secret(
  content: { token?: string; at?: string; owner?: string; controller?: boolean } = {},
): KubeObject {
  const { token: text = string, at = createdAt, owner = uid, controller = true } = content
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'writer',
      annotations: { ...markIssue(key, uid, { hash: hashToken(string), createdAt: at }) },
      ownerReferences: [
        { apiVersion: 'holdfast.dev/v1alpha1', kind: 'Token', name: 'writer', uid: owner, controller },
      ],
    },
    data: { token: Buffer.from(text).toString('base64') },
  }
}

const readIt = (found: KubeObject | null) => readSecret(key, uid, organizationId, found)
const known = (hash: string, at = createdAt): IssuedToken => ({
  id: hash.slice(0, 16),
  hash,
  createdAt: at,
  expiresAt: null,
})

describe('a Secret is ours by its owner’s uid, and genuine by the operator’s mark', () => {
  test.each([
    ['none', null, 'absent'],
    ['what was written', secret(), 'issued'],
    ['another Token’s', secret({ owner: 'other' }), 'foreign'],
    ['a reference that does not control', secret({ controller: false }), 'foreign'],
    ['no owner at all', { ...secret(), metadata: { name: 'writer' } }, 'foreign'],
    ['another string, well formed', secret({ token: mintToken(organizationId) }), 'edited'],
    ['another organization’s string', secret({ token: mintToken('f'.repeat(16)) }), 'edited'],
    ['nonsense', secret({ token: 'password' }), 'edited'],
    ['no string', { ...secret(), data: {} }, 'edited'],
  ])('%s', (_what, found, kind) => {
    expect(readIt(found).kind).toBe(kind)
  })

  test('the mark is of this key, this Token and this time', () => {
    expect(readSecret(Buffer.alloc(32, 8), uid, organizationId, secret()).kind).toBe('edited')
    const moved = secret()
    const annotations = { ...moved.metadata.annotations, 'holdfast.dev/issued-at': '2027-01-01T00:00:00Z' }
    expect(readIt({ ...moved, metadata: { ...moved.metadata, annotations } }).kind).toBe('edited')
  })
})

describe('the Secret is the truth for the string', () => {
  const hash = hashToken(string)

  test('what was written before a crash is taken up', () => {
    expect(planIssue(token(), [], readIt(secret()), now)).toEqual({
      action: 'keep',
      tokens: [known(hash)],
    })
  })

  test('a deleted or edited one is a new string', () => {
    expect(planIssue(token(), [known(hash)], readIt(null), now).action).toBe('mint')
    const edited = readIt(secret({ token: mintToken(organizationId) }))
    expect(planIssue(token(), [known(hash)], edited, now).action).toBe('mint')
  })

  test('an old one that is put back is not taken up again', () => {
    const newer = known('c'.repeat(64), '2026-11-22T12:30:00Z')
    expect(planIssue(token(), [newer], readIt(secret()), now).action).toBe('mint')
  })

  test('nor is one that a node has revoked', () => {
    expect(planIssue(token(), [known(hash)], readIt(secret()), now, () => true).action).toBe('mint')
  })

  test('somebody else’s Secret leaves the Token without a string', () => {
    expect(planIssue(token(), [known(hash)], readIt(secret({ owner: 'x' })), now).action).toBe('refuse')
  })
})

describe('the end of a Token', () => {
  test('ends its string at the second', () => {
    // A period beyond the calendar must not end the pass, and with it the revocation of other Tokens.
    const longest = token({ expiresAfter: '99999999999999999999999999999w' })
    expect(issuedToken(longest, { hash: hashToken(string), createdAt }).expiresAt).toBe(
      '9999-12-31T23:59:59Z',
    )
    const short = token({ expiresAfter: '2h' })
    expect(issuedToken(short, { hash: hashToken(string), createdAt }).expiresAt).toBe('2026-11-22T13:00:00Z')
    const before = new Date(now.getTime() - 1)
    expect(planIssue(short, [], readIt(secret()), before).action).toBe('keep')
    expect(planIssue(short, [], readIt(secret()), now).action).toBe('expired')
    expect(planForeignHash(short, 'a'.repeat(64), [], now).action).toBe('expired')
  })

  test('takes no string away that nodes know: they judge its end by themselves', () => {
    const [string1, foreign] = [known(hashToken(string)), known('a'.repeat(64))]
    const short = token({ expiresAfter: '2h' })
    const ended = { action: 'expired', endedAt: '2026-11-22T13:00:00Z' }
    expect(planIssue(short, [string1], readIt(secret()), now)).toEqual({ ...ended, tokens: [string1] })
    expect(planForeignHash(short, 'a'.repeat(64), [foreign], now)).toEqual({ ...ended, tokens: [foreign] })
    // Nor does it bring one in that they may have revoked.
    expect(planForeignHash(short, 'a'.repeat(64), [], now)).toEqual({ ...ended, tokens: [] })
  })

  test('makes no string for one that came too late', () => {
    expect(planIssue(token({ expiresAfter: '1h' }), [], readIt(null), now).action).toBe('expired')
  })
})
