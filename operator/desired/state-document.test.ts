import { describe, expect, test } from 'vitest'
import { database, organization, token } from '../../test/golden/desired/input.ts'
import { stateDigest, stateDocumentSchema } from '../../common/state-document.ts'
import { admitDatabases, expiryOf, nextExpiryMs, stateDocument } from './state-document.ts'

// Nodes get the whole truth and nothing else: no token and no database that is going, the end of each token, and the same bytes
// for the same resources, or idle clusters would push documents for ever.

const now = Date.parse('2026-06-01T00:00:00Z')
const marketing = organization({ displayName: 'Marketing', access: { from: [{ cidr: '10.0.0.0/8' }] } })
const issued = (digit: string, expiresAt: string | null = null) => ({
  id: digit.repeat(16),
  hash: digit.repeat(64),
  createdAt: '2026-01-01T00:00:00Z',
  expiresAt,
})
const deleted = { deletionTimestamp: '2026-05-01T00:00:00Z' }

test('a document, whole', () => {
  const document = stateDocument(
    marketing,
    [
      database('metrics', {
        retention: '720h',
        retentionPolicies: [
          { name: 'b', duration: '0', shardDuration: '14d' },
          { name: 'a', duration: '90m' },
        ],
        defaultRetentionPolicy: 'a',
        limits: { series: 5 },
      }),
    ],
    [token('w', {}, { tokens: [issued('a', '2026-07-01T00:00:00Z')] })],
  )
  expect(stateDocumentSchema.parse(document)).toEqual(document)
  expect(document).toEqual({
    formatVersion: 2,
    organization: { id: '94857b96368786b9', name: 'marketing', displayName: 'Marketing', directAccess: true },
    databases: [
      {
        id: 'cafcf7db0264d8d1',
        name: 'metrics',
        retentionPolicies: [
          { name: 'autogen', durationNs: '2592000000000000', shardDurationNs: '86400000000000' },
          { name: 'a', durationNs: '5400000000000', shardDurationNs: '3600000000000' },
          { name: 'b', durationNs: '0', shardDurationNs: '1209600000000000' },
        ],
        defaultRetentionPolicy: 'a',
        limits: { series: 5, fieldsPerMeasurement: 1000 },
      },
    ],
    tokens: [
      {
        id: 'a'.repeat(16),
        hash: 'a'.repeat(64),
        permissions: [{ database: 'metrics', access: ['read', 'write'] }],
        expiresAt: '2026-07-01T00:00:00.000Z',
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
  })
})

test('order changes nothing', () => {
  const databases = ['a', 'b', 'c'].map((name) => database(name))
  const policies = [
    { name: 'x', duration: '0' },
    { name: 'y', duration: '1h' },
  ]
  const tokens = ['a', 'b', 'c'].map((digit) =>
    token(digit, {}, { tokens: [issued(digit), issued(`${'def'['abc'.indexOf(digit)]}`)] }),
  )
  const one = stateDocument(marketing, [...databases, database('p', { retentionPolicies: policies })], tokens)
  const other = stateDocument(
    marketing,
    [database('p', { retentionPolicies: policies.toReversed() }), ...databases.toReversed()],
    tokens.toReversed().map((token) => ({
      ...token,
      status: { ...token.status!, tokens: token.status!.tokens.toReversed() },
    })),
  )
  expect(one.tokens).toHaveLength(6)
  expect(stateDigest(other)).toBe(stateDigest(one))
})

describe('tokens', () => {
  const idsOf = (...tokens: Parameters<typeof stateDocument>[2]) =>
    stateDocument(marketing, [], tokens).tokens.map(({ id }) => id[0])

  test('those without a string in force are left out', () => expect(idsOf(token('w'))).toEqual([]))

  test('those being deleted are left out', () =>
    expect(idsOf(token('w', {}, { tokens: [issued('a')] }, deleted))).toEqual([]))

  test('strings that have ended stay, with their ends: who leaves is revoked for ever', () => {
    const ends = ['2026-05-31T23:59:59Z', '2026-06-01T00:00:00Z', '2026-06-01T00:00:01Z']
    const tokens = ['a', 'b', 'c'].map((digit, index) => issued(digit, ends[index]))
    const document = stateDocument(marketing, [], [token('w', {}, { tokens })])
    expect(document.tokens.map(({ expiresAt }) => expiresAt)).toEqual(
      ends.map((end) => new Date(end).toISOString()),
    )
    expect(nextExpiryMs(document, now)).toBe(Date.parse('2026-06-01T00:00:01Z'))
    expect(nextExpiryMs(document, now + 1_000)).toBeNull()
  })

  test('expiresAfter ends all strings, whatever status says', () => {
    const status = { tokens: [issued('a'), issued('b', '2027-01-01T00:00:00Z')] }
    const { tokens } = stateDocument(marketing, [], [token('w', { expiresAfter: '1w' }, status)])
    expect(tokens.map(({ expiresAt }) => expiresAt)).toEqual(Array(2).fill('2026-01-08T00:00:00.000Z'))
  })

  test('the earlier end counts', () => {
    const spec = { expiresAfter: '365d' }
    const document = stateDocument(
      marketing,
      [],
      [token('w', spec, { tokens: [issued('a'), issued('b', '2026-07-01T00:00:00Z')] })],
    )
    expect(document.tokens.map(({ expiresAt }) => expiresAt)).toEqual([
      '2027-01-01T00:00:00.000Z',
      '2026-07-01T00:00:00.000Z',
    ])
    expect(nextExpiryMs(document, now)).toBe(Date.parse('2026-07-01T00:00:00Z'))
  })

  test('one hash in two Tokens belongs to the older', () => {
    const all = [{ database: '*', access: ['write'] }]
    const older = token('older', {}, { tokens: [issued('a')] })
    const younger = token(
      'younger',
      { permissions: all },
      { tokens: [issued('a')] },
      { creationTimestamp: '2026-02-01T00:00:00Z' },
    )
    const { tokens } = stateDocument(marketing, [], [younger, older])
    expect(tokens.map(({ permissions }) => permissions)).toEqual([
      [{ database: 'metrics', access: ['read', 'write'] }],
    ])
  })

  test.each([
    [null, null],
    ['1h', '2026-01-01T01:00:00.000Z'],
    ['99999999999w', '9999-12-31T23:59:59.999Z'],
  ])('expiresAfter %s ends at %s', (expiresAfter, end) =>
    expect(expiryOf(token('w', { expiresAfter }))).toBe(end),
  )
})

describe('databases', () => {
  const at = (day: string) => ({ creationTimestamp: `2026-01-${day}T00:00:00Z` })

  test('those being deleted are left out, and free their name', () => {
    const gone = database('old', { databaseName: 'm' }, { ...at('01'), ...deleted })
    const { admitted, refused } = admitDatabases(marketing, [
      gone,
      database('new', { databaseName: 'm' }, at('02')),
    ])
    expect(admitted.map(({ metadata }) => metadata.name)).toEqual(['new'])
    expect(refused).toEqual([])
  })

  test('of two with one name the older is served', () => {
    const { admitted, refused } = admitDatabases(marketing, [
      database('b', { databaseName: 'm' }, at('02')),
      database('m', {}, at('01')),
    ])
    expect(admitted.map(({ metadata }) => metadata.name)).toEqual(['m'])
    expect(refused).toMatchObject([{ reason: 'DatabaseNameTaken', database: { metadata: { name: 'b' } } }])
    expect(refused[0]!.message).toContain('spec.databaseName')
  })

  test('the newest go without a place when the limit is reached', () => {
    const small = organization({ limits: { databases: 2 } })
    const databases = ['03', '01', '02'].map((day) => database(`d${day}`, {}, at(day)))
    const { admitted, refused } = admitDatabases(small, databases)
    expect(admitted.map(({ metadata }) => metadata.name)).toEqual(['d01', 'd02'])
    expect(refused).toMatchObject([{ reason: 'LimitReached', database: { metadata: { name: 'd03' } } }])
    expect(refused[0]!.message).toContain('spec.limits.databases')
  })

  test.each([
    ['0', null, '168h'],
    ['1h', null, '1h'],
    ['47h', null, '1h'],
    ['48h', null, '24h'],
    ['179d', null, '24h'],
    ['180d', null, '168h'],
    ['1h', '24h', '1h'],
    ['90m', '2h', '90m'],
    ['0', '2h', '2h'],
  ])('retention %s and shards of %s make shards of %s', (duration, shardDuration, effective) => {
    const spec = { retentionPolicies: [{ name: 'p', duration, shardDuration }] }
    const [state] = stateDocument(marketing, [database('d', spec)], []).databases
    const hours = { '168h': 168, '1h': 1, '24h': 24, '90m': 1.5, '2h': 2 }[effective]!
    expect(state!.retentionPolicies[1]!.shardDurationNs).toBe(`${hours * 3600}000000000`)
  })

  test('a retention of more years than nanoseconds can count is the longest there is', () => {
    const [state] = stateDocument(marketing, [database('d', { retention: '99999999w' })], []).databases
    expect(state!.retentionPolicies[0]!.durationNs).toBe('9223372036854775807')
  })
})

test('an organization that took over another keeps that one’s id', () => {
  const restored = organization({ restoreFrom: { organizationId: 'f'.repeat(16) } })
  expect(stateDocument(restored, [], []).organization.id).toBe('f'.repeat(16))
})
