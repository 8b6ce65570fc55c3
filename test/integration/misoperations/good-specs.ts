import type { Json } from './samples.ts'
import type { KindName } from './schema-fields.ts'

/** Specs that are well, with something in each place that rules between fields speak of. */
export const goodSpecs: Readonly<Record<KindName, Json>> = {
  Organization: {
    displayName: 'Acme',
    description: 'All that can be had.',
    class: 'standard',
    storage: { size: '1Gi', replicas: 1 },
    version: '0.1.0',
    access: {
      from: [
        { namespace: 'grafana', podLabels: { app: 'grafana' } },
        { cidr: '10.1.0.0/16', except: ['10.1.2.0/24'] },
      ],
    },
    encryption: { rotateEvery: '2160h' },
    limits: {
      databases: 10,
      series: 1_000,
      writeBytesPerSecond: 1_000_000,
      concurrentQueries: 5,
      queryTimeout: '30s',
      requestsPerSecond: 100,
      rowsPerQuery: 1_000_000,
      queryMemory: '64Mi',
    },
    hibernation: 'Never',
    deletionPolicy: 'Retain',
  },
  Database: {
    organization: 'acme',
    retention: '720h',
    retentionPolicies: [{ name: 'week', duration: '168h', shardDuration: '24h' }],
    defaultRetentionPolicy: 'autogen',
    limits: { series: 500, fieldsPerMeasurement: 100 },
    deletionPolicy: 'Retain',
  },
  Token: {
    organization: 'acme',
    description: 'Writes.',
    permissions: [{ database: 'metrics', access: ['read', 'write'] }],
    expiresAfter: '8760h',
  },
}

/** What a pod has somewhere that no node of the tests ever serves. */
export const stuckMark = 'never-comes-up'

const nodeSelector = { 'holdfast.dev/no-such-node': 'true' }
/** Classes that a spec may name, besides `standard`. */
export const classes = {
  small: { nodeSelector, resources: { requests: { memory: '64Mi' }, limits: { memory: '256Mi' } } },
  nowhere: { nodeSelector: { 'holdfast.dev/place': stuckMark } },
  huge: {
    nodeSelector: { 'holdfast.dev/size': stuckMark },
    resources: { requests: { cpu: '4000', memory: '64Ti' }, limits: { cpu: '4000', memory: '64Ti' } },
  },
  impossible: { nodeSelector, resources: { requests: { memory: '1Gi' }, limits: { memory: '512Mi' } } },
  unbound: { nodeSelector, storageClassName: 'no-such-storage-class' },
  unranked: { nodeSelector, priorityClassName: 'no-such-priority-class' },
  old: { nodeSelector, versions: ['0.2.0'] },
}
export const images = { '0.3.0': `localhost/storage-node:${stuckMark}` }

/** Texts that mean something in a place: of what is there, taken, somebody else's, or never comes up. */
export const namedValues: Readonly<Record<string, readonly unknown[]>> = {
  'Organization spec.class': [...Object.keys(classes), 'toString'],
  'Organization spec.version': ['0.2.0', '0.3.0', '0.0.1', 'constructor'],
  'Database spec.organization': ['neighbour'],
  'Database spec.databaseName': ['other', '.', '_internal', 'autogen'],
  'Database spec.defaultRetentionPolicy': ['week'],
  'Token spec.organization': ['neighbour'],
  'Token spec.permissions[].database': ['other', 'nothing', '*'],
  'Token spec.secretName': ['foreign', 'reader'],
}
