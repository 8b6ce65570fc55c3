import { describe, expect, test } from 'vitest'
import { inFormat, inTodaysFormat, stateBody, stateDocumentSchema1 } from './state-document-formats.ts'
import { nothingBeside, stateDigest, stateDocumentSchema, type StateDocument } from './state-document.ts'

// Nodes of the version before go on with all that they know, and nothing is lost without a word.

const document: StateDocument = {
  formatVersion: 2,
  organization: { id: '0123456789abcdef', name: 'marketing', displayName: 'Marketing', directAccess: false },
  databases: [
    {
      id: '0000000000000001',
      name: 'metrics',
      retentionPolicies: [{ name: 'autogen', durationNs: '0', shardDurationNs: '604800000000000' }],
      defaultRetentionPolicy: 'autogen',
      limits: { series: 5, fieldsPerMeasurement: 10 },
    },
  ],
  tokens: [
    {
      id: 'ba7816bf8f01cfea',
      hash: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      permissions: [{ database: '*', access: ['read', 'write'] }],
      expiresAt: '2026-01-01T00:00:00.000Z',
    },
  ],
  limits: {
    databases: 100,
    series: 1_000_000,
    writeBytesPerSecond: 1_000,
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
const limited = (limits: Partial<StateDocument['limits']>): StateDocument => ({
  ...document,
  limits: { ...document.limits, ...limits },
})
const waysIn = (ways: Partial<StateDocument['authentication']>): StateDocument => ({
  ...document,
  authentication: { ...document.authentication, ...ways },
})
const oidc: NonNullable<StateDocument['authentication']['oidc']> = {
  issuer: 'https://id.example.com',
  audience: 'holdfast',
  usernameClaim: 'sub',
  groupsClaim: null,
  requireMfa: true,
  emailDomains: ['example.com'],
  keys: [{ kty: 'EC', kid: 'a', crv: 'P-256', x: 'x', y: 'y' }],
}
const jwt = { keyIds: ['0123456789abcdef'], maxLifetimeNs: '86400000000000' }
const audit = { publicKey: Buffer.alloc(32).toString('base64') }

describe('down to format 1 and up again', () => {
  const { document: older, lost } = inFormat(document, 1)

  test('what it can say comes back whole, under another digest', () => {
    expect(lost).toEqual([])
    expect(stateDocumentSchema1.parse(older)).toEqual(older)
    expect(inTodaysFormat(older)).toEqual(document)
    expect(inTodaysFormat(document)).toBe(document)
    expect(stateDigest(older)).not.toBe(stateDigest(document))
  })

  test.each([
    ['authentication', waysIn({ oidc })],
    ['authentication', waysIn({ jwt })],
    ['authentication', waysIn({ clientCertificates: { authorities: 'PEM' } })],
    ['members', { ...document, members: [{ user: 'a', role: 'Viewer' as const }] }],
    ['audit', { ...document, audit }],
    ['limits.requestsPerSecond', limited({ requestsPerSecond: 5 })],
    ['limits.rowsPerQuery', limited({ rowsPerQuery: 5 })],
    ['limits.queryMemoryBytes', limited({ queryMemoryBytes: 5 })],
  ])('what it cannot say is named: %s', (part, more) => {
    expect(stateDocumentSchema.parse(more)).toEqual(more)
    expect(inFormat(more, 1)).toEqual({ document: older, lost: [part] })
    expect(inFormat(more, 2)).toEqual({ document: more, lost: [] })
  })

  test('format 1 is sent bare, format 2 with what travels beside it', () => {
    expect(stateBody(older)).toBe(older)
    expect(stateBody(document)).toEqual({ document, beside: nothingBeside })
  })
})

describe('nothing that is secret, and nothing that nobody knows, fits in', () => {
  const withKey = (key: object) => ({
    ...document,
    authentication: waysIn({ oidc: { ...oidc, keys: [key as never] } }).authentication,
  })
  test.each([
    ['a symmetric key', withKey({ kty: 'oct', kid: 'a', k: 'x' })],
    ['the private part of a key', withKey({ kty: 'EC', kid: 'a', crv: 'P-256', x: 'x', y: 'y', d: 'x' })],
    ['the bytes of a shared secret', waysIn({ jwt: { ...jwt, secret: 'x' } as never })],
    ['a shared secret in place of its id', waysIn({ jwt: { ...jwt, keyIds: ['correct horse battery'] } })],
    ['more shared secrets than two', waysIn({ jwt: { ...jwt, keyIds: Array(3).fill('0123456789abcdef') } })],
    ['another way in', waysIn({ saml: null } as never)],
    ['a member that is both', { ...document, members: [{ user: 'a', group: 'b', role: 'Owner' }] }],
    ['a role of another name', { ...document, members: [{ user: 'a', role: 'Root' }] }],
    ['a public key of another length', { ...document, audit: { publicKey: 'AAAA' } }],
    ['no rows at all', limited({ rowsPerQuery: 0 })],
  ])('%s', (_what, value) => {
    expect(stateDocumentSchema.safeParse(value).success).toBe(false)
  })
})
