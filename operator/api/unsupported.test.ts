import { describe, expect, test } from 'vitest'
import { organizationSchema } from './organization.ts'
import { tokenSpecSchema } from './token.ts'
import { unsupportedInOrganization, unsupportedInToken } from './unsupported.ts'

// A field that this release does not act on is named, never passed over.

const organization = (spec: unknown, status?: unknown) =>
  organizationSchema.parse({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Organization',
    metadata: { name: 'x', namespace: 'x', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec,
    status,
  })
const paths = (found: readonly { readonly path: string }[]) => found.map(({ path }) => path)
const secretRef = { name: 'a', key: 'b' }

describe('Organization', () => {
  test.each([
    ['spec.storage.replicas', { storage: { replicas: 3 } }],
    [
      'spec.authentication.oidc',
      { authentication: { oidc: { issuerURL: 'https://id.example.com', audience: 'a' } } },
    ],
    ['spec.authentication.jwtSharedSecretRef', { authentication: { jwtSharedSecretRef: secretRef } }],
    [
      'spec.authentication.clientCertificates',
      { authentication: { clientCertificates: { caSecretRef: secretRef } } },
    ],
    ['spec.members', { members: [{ user: 'a', role: 'Owner' }] }],
    ['spec.encryption.keySecretRef', { encryption: { keySecretRef: secretRef } }],
    ['spec.backup', { backup: { schedule: '0 3 * * *', destination: 'nightly' } }],
    [
      'spec.restoreFrom.pointInTime',
      { restoreFrom: { organizationId: '0123456789abcdef', pointInTime: '2026-01-01T00:00:00Z' } },
    ],
  ])('%s is named', (path, spec) => {
    const found = unsupportedInOrganization(organization(spec))
    expect(paths(found)).toEqual([path])
    expect(found[0]!.message).toContain(path)
  })

  test('what is supported passes', () => {
    const spec = {
      displayName: 'M',
      description: 'm',
      hibernation: 'WhenIdle',
      idleAfter: '1h',
      class: 'large',
      storage: { size: '10Gi' },
      version: '0.1.0',
      access: { from: [{ namespace: 'grafana' }] },
      deletionPolicy: 'Delete',
      limits: {
        databases: 1,
        series: 1,
        writeBytesPerSecond: 1,
        concurrentQueries: 1,
        queryTimeout: '1s',
        requestsPerSecond: 1,
        rowsPerQuery: 1,
        queryMemory: '16Mi',
      },
      encryption: { rotateEvery: '2160h' },
      restoreFrom: { organizationId: '0123456789abcdef' },
    }
    expect(unsupportedInOrganization(organization(spec, { storage: { size: '10240Mi' } }))).toEqual([])
  })
})

test('Token: manage permissions are named, all else passes', () => {
  const spec = {
    organization: 'a',
    permissions: [{ database: '*', access: ['read'] }],
    expiresAfter: '1h',
    rotation: { every: '1h' },
  }
  expect(unsupportedInToken(tokenSpecSchema.parse(spec))).toEqual([])
  const more = { ...spec, permissions: [{ manage: ['tokens'] }] }
  expect(paths(unsupportedInToken(tokenSpecSchema.parse(more)))).toEqual(['spec.permissions'])
})
