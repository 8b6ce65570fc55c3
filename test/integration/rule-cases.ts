/**
 * What the three kinds accept and refuse. The API server and the operator are put through the same table, so that the
 * rules cannot drift apart.
 */
export interface RuleCase {
  readonly kind: 'Organization' | 'Database' | 'Token'
  readonly what: string
  readonly name?: string
  /** The spec before, for updates. */
  readonly before?: Spec
  readonly status?: Spec
  readonly spec: Spec
  /** The field that the refusal names, or null where it is accepted. */
  readonly refused: string | null
}

type Spec = Readonly<Record<string, unknown>>

const id = '0123456789abcdef'
const hash = 'a'.repeat(64)
const ref = { organization: 'marketing' }
const permissions = [{ database: 'metrics', access: ['read', 'write'] }]
const token = { ...ref, permissions }

const organization = (what: string, spec: Spec, refused: string | null, more: Partial<RuleCase> = {}) =>
  ({ kind: 'Organization', what, spec, refused, ...more }) as const satisfies RuleCase
const database = (what: string, spec: Spec, refused: string | null, more: Partial<RuleCase> = {}) =>
  ({ kind: 'Database', what, spec: { ...ref, ...spec }, refused, ...more }) as const satisfies RuleCase
const tokenCase = (what: string, spec: Spec, refused: string | null, more: Partial<RuleCase> = {}) =>
  ({ kind: 'Token', what, spec: { ...token, ...spec }, refused, ...more }) as const satisfies RuleCase

const from = (...entries: readonly Spec[]) => ({ access: { from: entries } })
const size = (text: string) => ({ storage: { size: text } })
const policies = (...entries: readonly Spec[]) => ({ retentionPolicies: entries })

const organizations: readonly RuleCase[] = [
  organization('an empty spec', {}, null),
  organization('null for what is left out', { version: null, backup: null, restoreFrom: null }, null),
  organization('a size', size('1.5Gi'), null),
  organization('a size that is none', size('ten'), 'spec.storage.size'),
  organization('the smallest size', size('100Mi'), null),
  organization('less than the smallest size', size('104857599'), 'spec.storage.size'),
  organization('the largest size', size('1024Ti'), null),
  organization('more than the largest size', size('1025Ti'), 'spec.storage.size'),
  organization('a size that grows', size('20Gi'), null, {
    before: size('10Gi'),
    status: { storage: { size: '10Gi' } },
  }),
  organization('a size below the volume', size('9Gi'), 'spec.storage.size', {
    before: size('10Gi'),
    status: { storage: { size: '10Gi' } },
  }),
  organization('a size in other words than the volume', size('10240Mi'), null, {
    before: size('20Gi'),
    status: { storage: { size: '10Gi' } },
  }),
  organization('three replicas', { storage: { replicas: 3 } }, null),
  organization('two replicas', { storage: { replicas: 2 } }, 'spec.storage.replicas'),
  organization('three replicas back to one', { storage: { replicas: 1 } }, 'spec.storage.replicas', {
    before: { storage: { replicas: 3 } },
    status: { storage: { replicas: 3 } },
  }),
  organization(
    'three replicas back to one, nobody knows whether there are three',
    { storage: { replicas: 1 } },
    'spec.storage.replicas',
    { before: { storage: { replicas: 3 } } },
  ),
  organization('three replicas back to one before there were three', { storage: { replicas: 1 } }, null, {
    before: { storage: { replicas: 3 } },
    status: { storage: { replicas: 1 } },
  }),
  organization('a class with a capital', { class: 'Gold' }, 'spec.class'),
  organization('a display name', { displayName: 'Marketing & Söhne' }, null),
  organization('an endless display name', { displayName: 'x'.repeat(129) }, 'spec.displayName'),
  // Each is two UTF-16 units, and one character to the API server.
  organization('a display name of 128 pictures', { displayName: '\u{1F600}'.repeat(128) }, null),
  organization(
    'a display name of 129 pictures',
    { displayName: '\u{1F600}'.repeat(129) },
    'spec.displayName',
  ),
  organization(
    'members whose names are pictures',
    { members: [{ user: '\u{1F600}'.repeat(256), role: 'Viewer' }] },
    null,
  ),
  organization('access from pods', from({ namespace: 'grafana', podLabels: { app: 'grafana' } }), null),
  organization('access from addresses', from({ cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] }), null),
  organization(
    'access from addresses of version 6',
    from({ cidr: '2001:db8::/32', except: ['2001:db8:1::/48'] }),
    null,
  ),
  organization(
    'access from pods and addresses at once',
    from({ namespace: 'a', cidr: '10.0.0.0/8' }),
    'spec.access.from',
  ),
  organization('access from nobody', from({}), 'spec.access.from'),
  organization(
    'a label that can be none',
    from({ namespace: 'a', podLabels: { 'no such label': 'b' } }),
    'spec.access.from',
  ),
  organization(
    'a label with a prefix',
    from({ namespace: 'a', podLabels: { 'example.com/app': 'b' } }),
    null,
  ),
  organization(
    'labels of pods without a namespace',
    from({ cidr: '10.0.0.0/8', podLabels: { a: 'b' } }),
    'spec.access.from',
  ),
  organization(
    'an exception without addresses',
    from({ namespace: 'a', except: ['10.0.0.0/8'] }),
    'spec.access.from',
  ),
  organization('addresses that are none', from({ cidr: '10.0.0.0/33' }), 'spec.access.from'),
  organization('one address without a range', from({ cidr: '10.0.0.1' }), 'spec.access.from'),
  organization(
    'an exception elsewhere',
    from({ cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] }),
    'spec.access.from',
  ),
  organization(
    'an exception as large as the range',
    from({ cidr: '10.0.0.0/8', except: ['10.1.0.0/8'] }),
    'spec.access.from',
  ),
  organization(
    'an exception of the other family',
    from({ cidr: '10.0.0.0/8', except: ['2001:db8::/32'] }),
    'spec.access.from',
  ),
  organization('a user', { members: [{ user: 'ann', role: 'Owner' }] }, null),
  organization(
    'a user and a group at once',
    { members: [{ user: 'a', group: 'b', role: 'Owner' }] },
    'spec.members',
  ),
  organization('a role for nobody', { members: [{ role: 'Owner' }] }, 'spec.members'),
  organization(
    'a role that there is not',
    { members: [{ user: 'a', role: 'King' }] },
    'spec.members[0].role',
  ),
  organization('no rotation of the key', { encryption: { rotateEvery: '0' } }, 'spec.encryption.rotateEvery'),
  organization(
    'too much rotation of the key',
    { encryption: { rotateEvery: '59m' } },
    'spec.encryption.rotateEvery',
  ),
  organization('a rotation of the key every month', { encryption: { rotateEvery: '30d' } }, null),
  organization('the least memory of a query', { limits: { queryMemory: '16Mi' } }, null),
  organization('the most memory of a query', { limits: { queryMemory: '1Ti' } }, null),
  organization(
    'too little memory of a query',
    { limits: { queryMemory: '16777215' } },
    'spec.limits.queryMemory',
  ),
  organization(
    'more memory of a query than there is',
    { limits: { queryMemory: '1025Gi' } },
    'spec.limits.queryMemory',
  ),
  organization('no quantity of memory', { limits: { queryMemory: '1e9' } }, 'spec.limits.queryMemory'),
  organization('no limit of memory', { limits: { queryMemory: null } }, null),
  organization('no request at all', { limits: { requestsPerSecond: 0 } }, 'spec.limits.requestsPerSecond'),
  organization('no rows at all', { limits: { rowsPerQuery: 0 } }, 'spec.limits.rowsPerQuery'),
  organization('a time limit', { limits: { queryTimeout: '1m30s' } }, null),
  organization('no time for queries', { limits: { queryTimeout: '0s' } }, 'spec.limits.queryTimeout'),
  organization('a duration without a unit', { limits: { queryTimeout: '60' } }, 'spec.limits.queryTimeout'),
  organization('no databases', { limits: { databases: 0 } }, 'spec.limits.databases'),
  organization('an issuer in clear', issuer('http://id.example.com'), 'spec.authentication.oidc.issuerURL'),
  organization(
    'an issuer with a space that is no space to all',
    issuer('https://id.example.com/\u00a0'),
    'spec.authentication.oidc.issuerURL',
  ),
  organization(
    'access from pods with the longest label',
    from({ namespace: 'a', podLabels: { [`${'a.'.repeat(126)}b/${'c'.repeat(63)}`]: 'd' } }),
    null,
  ),
  organization(
    'access from pods with a label that is too long',
    from({ namespace: 'a', podLabels: { [`${'a.'.repeat(127)}b/${'c'.repeat(63)}`]: 'd' } }),
    'spec.access.from',
  ),
  organization('an issuer', issuer('https://id.example.com'), null),
  organization('hibernation when idle, never said when', { hibernation: 'WhenIdle' }, null),
  organization('hibernation when idle', { hibernation: 'WhenIdle', idleAfter: '60s' }, null),
  organization('hibernation after days', { hibernation: 'WhenIdle', idleAfter: '2d12h' }, null),
  organization('hibernation after no time', { idleAfter: '0' }, 'spec.idleAfter'),
  organization('hibernation after moments', { idleAfter: '59s' }, 'spec.idleAfter'),
  organization('hibernation at times', { hibernation: 'Sometimes' }, 'spec.hibernation'),
  organization('a restore', { restoreFrom: { organizationId: id } }, null),
  organization(
    'a restore from no id',
    { restoreFrom: { organizationId: 'x' } },
    'spec.restoreFrom.organizationId',
  ),
  organization('a restore added later', { restoreFrom: { organizationId: id } }, 'spec.restoreFrom', {
    before: {},
  }),
  organization('a restore taken away', {}, 'spec.restoreFrom', {
    before: { restoreFrom: { organizationId: id } },
  }),
  organization('a restore from elsewhere', { restoreFrom: { organizationId: id } }, 'spec.restoreFrom', {
    before: { restoreFrom: { organizationId: 'f'.repeat(16) } },
  }),
  organization(
    'a restore where there was null',
    { restoreFrom: { organizationId: id } },
    'spec.restoreFrom',
    {
      before: { restoreFrom: null },
    },
  ),
  organization('null where there was no restore', { restoreFrom: null }, null, { before: {} }),
  organization('no restore where there was null', {}, null, { before: { restoreFrom: null } }),
  organization('null where there was a restore', { restoreFrom: null }, 'spec.restoreFrom', {
    before: { restoreFrom: { organizationId: id } },
  }),
  organization(
    'null in lists',
    {
      ...from({ namespace: 'a', cidr: null }),
      members: [{ user: 'a', group: null, role: 'Owner' }],
      description: null,
    },
    null,
  ),
  organization('null for both forms of access', from({ namespace: null, cidr: null }), 'spec.access.from'),
  organization('the same restore', { restoreFrom: { organizationId: id }, displayName: 'x' }, null, {
    before: { restoreFrom: { organizationId: id } },
  }),
  organization('a policy that there is not', { deletionPolicy: 'Forget' }, 'spec.deletionPolicy'),
]

function issuer(issuerURL: string): Spec {
  return { authentication: { oidc: { issuerURL, audience: 'holdfast' } } }
}

const databases: readonly RuleCase[] = [
  database('an organization alone', {}, null),
  database('no organization', { organization: undefined }, 'spec.organization'),
  database('another organization', { organization: 'sales' }, 'spec.organization', { before: ref }),
  database('any name', { databaseName: 'Größe 1 %' }, null),
  database('a name with a slash', { databaseName: 'a/b' }, 'spec.databaseName'),
  database('a name of the system', { databaseName: '_internal' }, 'spec.databaseName'),
  database('an empty name', { databaseName: '' }, 'spec.databaseName'),
  database('a name of 64 characters', { databaseName: 'x'.repeat(64) }, null),
  database('a name of 65 characters', { databaseName: 'x'.repeat(65) }, 'spec.databaseName'),
  database('a name with a line feed', { databaseName: 'a\nb' }, 'spec.databaseName'),
  database('the name that means all', { databaseName: '*' }, 'spec.databaseName'),
  database('a name that is a folder', { databaseName: '..' }, 'spec.databaseName'),
  database('null for a name', { databaseName: null }, null),
  database(
    'null for a name where that of the object is too long',
    { databaseName: null },
    'spec.databaseName',
    {
      name: 'x'.repeat(65),
    },
  ),
  database('a name where there was null', { databaseName: 'b' }, 'spec.databaseName', {
    before: { ...ref, databaseName: null },
  }),
  database('null where there was no name', { databaseName: null }, null, { before: ref }),
  database('null for shards', policies({ name: 'a', duration: '0', shardDuration: null }), null),
  database('a name added later', { databaseName: 'b' }, 'spec.databaseName', { before: ref }),
  database('a name taken away', {}, 'spec.databaseName', { before: { ...ref, databaseName: 'b' } }),
  database('another name', { databaseName: 'a' }, 'spec.databaseName', {
    before: { ...ref, databaseName: 'b' },
  }),
  database('the same name', { databaseName: 'b', retention: '2h' }, null, {
    before: { ...ref, databaseName: 'b' },
  }),
  database('no name where that of the object is too long', {}, 'spec.databaseName', { name: 'x'.repeat(65) }),
  database('a name where that of the object is too long', { databaseName: 'a' }, null, {
    name: 'x'.repeat(65),
  }),
  ...[
    '0',
    '0s',
    '1h',
    '60m',
    '1d',
    '720h',
    '2w',
    '1h30m',
    '99999999999w',
    '99999999999999s',
    '3600000000000ns',
    '100m',
    '50m10m',
  ].map((retention) => database(`retention ${retention}`, { retention }, null)),
  ...['59m', '1s', '', '1', 'h', '1.5h', '-1h', '1y', '3599999ms', '9999999us', '0h59m', '1m100ms'].map(
    (retention) => database(`retention "${retention}"`, { retention }, 'spec.retention'),
  ),
  database('a further policy', policies({ name: 'long', duration: '0', shardDuration: '7d' }), null),
  database(
    'a further policy that is short',
    policies({ name: 'a', duration: '5m' }),
    'spec.retentionPolicies',
  ),
  database(
    'a further policy of short shards',
    policies({ name: 'a', duration: '0', shardDuration: '5m' }),
    'spec.retentionPolicies',
  ),
  database('a second autogen', policies({ name: 'autogen', duration: '0' }), 'spec.retentionPolicies'),
  database(
    'a policy with a slash',
    policies({ name: 'a/b', duration: '0' }),
    'spec.retentionPolicies[0].name',
  ),
  database(
    'a default policy that is there',
    { ...policies({ name: 'a', duration: '0' }), defaultRetentionPolicy: 'a' },
    null,
  ),
  database(
    'a default policy that is not there',
    { defaultRetentionPolicy: 'a' },
    'spec.defaultRetentionPolicy',
  ),
  database('no fields', { limits: { fieldsPerMeasurement: 0 } }, 'spec.limits.fieldsPerMeasurement'),
]

const tokens: readonly RuleCase[] = [
  tokenCase('one database', {}, null),
  tokenCase('all databases', { permissions: [{ database: '*', access: ['read'] }] }, null),
  tokenCase('rights to manage', { permissions: [{ manage: ['databases'] }] }, null),
  tokenCase(
    'null for the other form',
    {
      permissions: [
        { database: 'a', access: ['read'], manage: null },
        { database: null, manage: ['users'] },
      ],
    },
    null,
  ),
  tokenCase('null for all forms', { permissions: [{ database: null, manage: null }] }, 'spec.permissions'),
  tokenCase('null for all that excludes a hash', { hash, secretName: null, rotation: null }, null),
  tokenCase('null for an end and a hash', { hash: null, expiresAfter: null }, null),
  tokenCase('a hash where there was null', { hash }, 'spec.hash', { before: { ...token, hash: null } }),
  tokenCase('no permissions', { permissions: [] }, 'spec.permissions'),
  tokenCase('a database without access', { permissions: [{ database: 'a' }] }, 'spec.permissions'),
  tokenCase('access without a database', { permissions: [{ access: ['read'] }] }, 'spec.permissions'),
  tokenCase(
    'both kinds in one entry',
    { permissions: [{ database: 'a', access: ['read'], manage: ['users'] }] },
    'spec.permissions',
  ),
  tokenCase('nothing in an entry', { permissions: [{}] }, 'spec.permissions'),
  tokenCase(
    'access that there is not',
    { permissions: [{ database: 'a', access: ['admin'] }] },
    'spec.permissions[0].access[0]',
  ),
  tokenCase('another organization', { organization: 'sales' }, 'spec.organization', { before: token }),
  tokenCase(
    'other permissions',
    { permissions: [{ database: 'metrics', access: ['read'] }] },
    'spec.permissions',
    { before: token },
  ),
  tokenCase('another description', { description: 'new' }, null, { before: token }),
  tokenCase('another end', { expiresAfter: '1h' }, null, { before: { ...token, expiresAfter: '2h' } }),
  tokenCase('a hash', { hash }, null),
  tokenCase('a hash that is none', { hash: 'A'.repeat(64) }, 'spec.hash'),
  tokenCase('a hash and a Secret', { hash, secretName: 'a' }, 'spec.hash'),
  tokenCase('a hash and rotation', { hash, rotation: { every: '1h' } }, 'spec.hash'),
  tokenCase('a hash added later', { hash }, 'spec.hash', { before: token }),
  tokenCase('a hash taken away', {}, 'spec.hash', { before: { ...token, hash } }),
  tokenCase('another hash', { hash: 'b'.repeat(64) }, 'spec.hash', { before: { ...token, hash } }),
  tokenCase('an end at once', { expiresAfter: '0' }, 'spec.expiresAfter'),
  tokenCase('an end', { expiresAfter: '8760h' }, null),
  tokenCase('rotation', { rotation: { every: '720h', overlap: '24h' } }, null),
  tokenCase('rotation without a pause', { rotation: { every: '0s' } }, 'spec.rotation.every'),
  tokenCase('rotation each second', { rotation: { every: '59s' } }, 'spec.rotation.every'),
  tokenCase('rotation each minute, and no overlap', { rotation: { every: '1m', overlap: '0' } }, null),
  tokenCase('another Secret', { secretName: 'b' }, 'spec.secretName', {
    before: { ...token, secretName: 'a' },
  }),
  tokenCase('a Secret named later', { secretName: 'a' }, 'spec.secretName', { before: token }),
  tokenCase('a Secret with a capital', { secretName: 'A' }, 'spec.secretName'),
]

export const ruleCases: readonly RuleCase[] = [...organizations, ...databases, ...tokens]
