import { describe, expect, test } from 'vitest'
import { platform, token } from '../../test/golden/desired/input.ts'
import { dataKeySecret, tokenSecret, tokenSecretContent, type TokenSecretInput } from './secrets.ts'

// The Secret of a Token is enough for a workload to connect: by Service Binding and by the environment that InfluxDB
// clients read.

const input = (spec: object = {}): TokenSecretInput => ({
  token: token('writer', spec),
  tokenString: 'hfd_secret',
  organizationId: '0123456789abcdef',
  organizationName: 'marketing',
  platform,
})

test('its content', () => {
  expect(tokenSecretContent(input())).toEqual({
    type: 'influxdb',
    provider: 'holdfast',
    uri: 'https://gateway.example.com:8086',
    host: 'gateway.example.com',
    port: '8086',
    token: 'hfd_secret',
    org: 'marketing',
    'org-id': '0123456789abcdef',
    database: 'metrics',
    'ca.crt': platform.gateway.caCertificate,
    INFLUX_HOST: 'https://gateway.example.com:8086',
    INFLUX_TOKEN: 'hfd_secret',
    INFLUX_ORG: 'marketing',
    INFLUXDB_V2_URL: 'https://gateway.example.com:8086',
    INFLUXDB_V2_TOKEN: 'hfd_secret',
    INFLUXDB_V2_ORG: 'marketing',
  })
})

test('it is named, typed and owned', () => {
  const secret = tokenSecret(input({ secretName: 'campaign' }))
  expect(secret.metadata).toMatchObject({
    name: 'campaign',
    namespace: 'marketing',
    ownerReferences: [{ kind: 'Token', name: 'writer', uid: 'uid-of-writer', controller: true }],
  })
  expect(secret['type']).toBe('servicebinding.io/influxdb')
  expect(secret['data']).toMatchObject({ token: Buffer.from('hfd_secret').toString('base64') })
})

describe('the database of the binding', () => {
  const read = (database: string) => ({ database, access: ['read'] })
  test.each([
    ['the only one', [read('a')], 'a'],
    ['the only one, named twice', [read('a'), { database: 'a', access: ['write'] }], 'a'],
    ['none of several', [read('a'), read('b')], undefined],
    ['none of all', [read('*')], undefined],
    ['none for rights to manage', [{ manage: ['tokens'] }], undefined],
  ])('%s', (_, permissions, database) =>
    expect(tokenSecretContent(input({ permissions }))['database']).toBe(database),
  )
})

test('a token that is minted elsewhere has no Secret', () => {
  expect(() => tokenSecret(input({ hash: 'a'.repeat(64) }))).toThrow('has no Secret')
})

test('a data key has 32 bytes', () => {
  expect(() => dataKeySecret('0123456789abcdef', Buffer.alloc(31), new Date(0))).toThrow('32 bytes')
})
