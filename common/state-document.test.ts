import { describe, expect, test } from 'vitest'
import { canonicalJson, stateDigest, stateDocumentSchema, type StateDocument } from './state-document.ts'

// Equal truths have equal digests, however their objects were put together; a changed truth has another.

const document: StateDocument = {
  formatVersion: 2,
  organization: { id: '0123456789abcdef', name: 'marketing', displayName: 'Marketing', directAccess: false },
  databases: [],
  tokens: [
    {
      id: 'ba7816bf8f01cfea',
      hash: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      permissions: [{ database: '*', access: ['read', 'write'] }],
      expiresAt: null,
    },
  ],
  limits: {
    databases: 100,
    series: 1_000_000,
    writeBytesPerSecond: null,
    concurrentQueries: 10,
    queryTimeoutNs: '60000000000',
    requestsPerSecond: null,
    rowsPerQuery: 10_000_000,
    queryMemoryBytes: null,
  },
  authentication: { jwt: null, oidc: null, clientCertificates: null },
  members: [],
  audit: null,
}

describe('canonicalJson', () => {
  test('sorts keys at every depth and keeps the order of lists', () => {
    expect(canonicalJson({ b: [{ d: 1, c: null }, 2], a: 'x' })).toBe('{"a":"x","b":[{"c":null,"d":1},2]}')
  })
})

describe('stateDigest', () => {
  test('does not depend on the order in which keys were set', () => {
    const reordered = Object.fromEntries(Object.entries(document).toReversed()) as StateDocument
    expect(stateDigest(reordered)).toBe(stateDigest(document))
  })

  test('changes with a single revoked token', () => {
    expect(stateDigest({ ...document, tokens: [] })).not.toBe(stateDigest(document))
  })
})

describe('stateDocumentSchema', () => {
  test('takes what the operator sends', () => {
    expect(stateDocumentSchema.parse(document)).toEqual(document)
  })

  test.each([
    ['an unknown field', { ...document, extra: 1 }],
    ['another format version', { ...document, formatVersion: 3 }],
    [
      'a token with a readable string in place of its hash',
      { ...document, tokens: [{ ...document.tokens[0], hash: 'hfd_x' }] },
    ],
    ['a token without permissions', { ...document, tokens: [{ ...document.tokens[0], permissions: [] }] }],
  ])('refuses %s', (_what, value) => {
    expect(stateDocumentSchema.safeParse(value).success).toBe(false)
  })
})
