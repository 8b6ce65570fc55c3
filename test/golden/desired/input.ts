import { databaseSchema, type Database } from '../../../operator/api/database.ts'
import { organizationSchema, type Organization } from '../../../operator/api/organization.ts'
import { platformSchema, type Platform } from '../../../operator/api/platform.ts'
import { tokenSchema, type Token } from '../../../operator/api/token.ts'

/** Resources as tests of the builders take them: what is not said is the schema's default. */
const resource = (kind: string, metadata: object, spec: object, status?: object) => ({
  apiVersion: 'holdfast.dev/v1alpha1',
  kind,
  metadata: {
    name: 'marketing',
    namespace: 'marketing',
    uid: 'f6f1c6de-0a5b-4d3f-8a52-0d9d3a6a4f11',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...metadata,
  },
  spec,
  status,
})

export const organization = (spec: object = {}, metadata: object = {}): Organization =>
  organizationSchema.parse(resource('Organization', metadata, spec))

export const database = (name: string, spec: object = {}, metadata: object = {}): Database =>
  databaseSchema.parse(
    resource('Database', { name, uid: `uid-of-${name}`, ...metadata }, { organization: 'marketing', ...spec }),
  )

export const token = (name: string, spec: object = {}, status: object = {}, metadata: object = {}): Token =>
  tokenSchema.parse(
    resource(
      'Token',
      { name, uid: `uid-of-${name}`, ...metadata },
      {
        organization: 'marketing',
        permissions: [{ database: 'metrics', access: ['read', 'write'] }],
        ...spec,
      },
      status,
    ),
  )

export const platform: Platform = platformSchema.parse({
  operatorNamespace: 'holdfast-system',
  installationId: '00112233445566aa',
  storageNode: {
    images: { '0.1.0': 'registry.example.com/holdfast-storage-node:0.1.0', '0.2.0': 'storage-node:0.2.0' },
    defaultVersion: '0.1.0',
  },
  classes: {
    standard: {},
    large: {
      resources: {
        requests: { memory: '4096Mi', cpu: '0.5' },
        limits: { memory: '8Gi', cpu: '4000m' },
      },
      storageClassName: 'fast',
      nodeSelector: { pool: 'data' },
      tolerations: [{ key: 'data', operator: 'Exists', effect: 'NoSchedule' }],
      priorityClassName: 'data',
      versions: ['0.2.0'],
    },
  },
  gateway: {
    url: 'https://gateway.example.com:8086',
    host: 'gateway.example.com',
    port: 8086,
    caCertificate: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  },
})
