import { expect, test } from 'vitest'
import { tokenId } from '../../common/ids.ts'
import { hashToken, mintToken } from '../../common/token.ts'
import type { KubeObject } from '../kube/object.ts'
import { liveTokenId } from './live-token.ts'

// What wakes an organization is a token of its own that its nodes would let in, and nothing else.

const id = 'aaaaaaaaaaaaaaaa'
const other = 'bbbbbbbbbbbbbbbb'
const text = mintToken(id)
const nowMs = Date.parse('2026-11-22T12:00:00Z')

function object(
  more: { status?: object; metadata?: object; spec?: object; issued?: object } = {},
): KubeObject {
  return {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Token',
    metadata: {
      name: 'writer',
      namespace: 'team',
      uid: 'u',
      creationTimestamp: '2026-11-22T00:00:00Z',
      ...more.metadata,
    },
    spec: { organization: 'acme', permissions: [{ database: '*', access: ['write'] }], ...more.spec },
    status: {
      conditions: [],
      organizationId: id,
      tokens: [
        {
          id: tokenId(hashToken(text)),
          hash: hashToken(text),
          createdAt: '2026-11-22T00:00:00Z',
          ...more.issued,
        },
      ],
      ...more.status,
    },
  }
}

const another = object({ issued: { hash: hashToken(mintToken(id)) }, metadata: { name: 'reader', uid: 'v' } })

test.each([
  ['a token', [object()], text, true],
  ['the first of two', [object(), another], text, true],
  ['the last of two', [another, object()], text, true],
  ['one that ends later', [object({ issued: { expiresAt: '2026-11-22T12:00:01Z' } })], text, true],
  ['one whose Token ends later', [object({ spec: { expiresAfter: '13h' } })], text, true],
  ['one that has just ended', [object({ issued: { expiresAt: '2026-11-22T12:00:00Z' } })], text, false],
  ['one whose Token has ended', [object({ spec: { expiresAfter: '12h' } })], text, false],
  ['one with an end that says nothing', [object({ issued: { expiresAt: 'soon' } })], text, false],
  [
    'one that is being deleted',
    [object({ metadata: { deletionTimestamp: '2026-11-22T11:00:00Z' } })],
    text,
    false,
  ],
  ['one that status does not hold any more', [object({ status: { tokens: [] } })], text, false],
  ['one without a status', [{ ...object(), status: undefined }], text, false],
  [
    'one of a status that speaks of another organization',
    [object({ status: { organizationId: other } })],
    text,
    false,
  ],
  ['an invented one', [object()], mintToken(id), false],
  [
    "another organization's",
    [object({ issued: { hash: hashToken(mintToken(other)) } })],
    mintToken(other),
    false,
  ],
  ['the hash in place of the token', [object()], hashToken(text), false],
  ['half a token', [object()], text.slice(0, -1), false],
  ['one while there are none', [], text, false],
  ['a hash that is none', [object({ issued: { hash: '' } })], text, false],
] as const)('%s', (_what, tokens, presented, isLive) => {
  expect(liveTokenId(tokens, id, presented, nowMs)).toBe(isLive ? tokenId(hashToken(text)) : null)
})
