import { pathOf, resources, type Resource } from '../../operator/kube/resource.ts'

/** What somebody does by hand to one thing that the operator has made, and what must become of it. */
export interface DriftCase {
  readonly what: string
  readonly resource: Resource
  readonly where: 'runtime' | 'tenant' | 'own' | 'cluster'
  readonly name: string
  readonly act: Act
  /** repaired: it is as it was. renewed: it is there again, with other secrets. */
  readonly outcome: 'repaired' | 'renewed'
}

export type Act = { readonly patch: object } | 'delete'

const labelKeys = [
  'app.kubernetes.io/managed-by',
  'app.kubernetes.io/name',
  'holdfast.dev/organization-id',
] as const
const tenantLabelKeys = labelKeys.slice(0, 2)

const base64 = (text: string): string => Buffer.from(text).toString('base64')

const withoutLabel = (key: string) => ({ patch: { metadata: { labels: { [key]: null } } } })
const otherLabel = (key: string) => ({ patch: { metadata: { labels: { [key]: 'somebody-else' } } } })

interface Thing {
  readonly resource: Resource
  readonly where: DriftCase['where']
  readonly name: string
  readonly edits: Readonly<Record<string, object>>
  readonly isKept?: true
}

const things: readonly Thing[] = [
  {
    resource: resources.namespaces,
    where: 'cluster',
    name: '',
    // Deleting it takes the volumes along: docs/security.md says what can be done against that.
    isKept: true,
    edits: {
      'Pod Security taken away': { metadata: { labels: { 'pod-security.kubernetes.io/enforce': null } } },
      'Pod Security loosened': {
        metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
      },
    },
  },
  {
    resource: resources.roleBindings,
    where: 'runtime',
    name: 'holdfast-operator',
    edits: {
      'a subject more': {
        subjects: [
          { kind: 'ServiceAccount', name: 'holdfast-operator', namespace: 'elsewhere' },
          { kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'everybody' },
        ],
      },
      'no subject': { subjects: [] },
    },
  },
  {
    resource: resources.roleBindings,
    where: 'tenant',
    name: 'holdfast-operator',
    edits: { 'no subject': { subjects: [] } },
  },
  {
    resource: resources.resourceQuotas,
    where: 'runtime',
    name: 'tenant',
    edits: {
      'more pods': { spec: { hard: { pods: '100' } } },
      'no bound': { spec: { hard: { pods: null } } },
    },
  },
  {
    resource: resources.limitRanges,
    where: 'runtime',
    name: 'tenant',
    edits: { 'no bounds': { spec: { limits: [] } } },
  },
  ...['default-deny', 'allow-gateway', 'allow-operator'].map((name) => ({
    resource: resources.networkPolicies,
    where: 'runtime' as const,
    name,
    edits: {
      'everybody let in': { spec: { ingress: [{}] } },
      'other pods': { spec: { podSelector: { matchLabels: { a: 'b' } } } },
      'another direction': { spec: { policyTypes: ['Egress'], egress: [{}] } },
    },
  })),
  {
    resource: resources.serviceAccounts,
    where: 'runtime',
    name: 'default',
    edits: { 'a token mounted': { automountServiceAccountToken: true } },
  },
  {
    resource: resources.services,
    where: 'runtime',
    name: 'storage-node',
    edits: {
      'other pods': { spec: { selector: { app: 'somebody-else' } } },
      'a condition more': { spec: { selector: { app: 'somebody-else', more: '1' } } },
      'an address outside': { spec: { externalIPs: ['192.0.2.9'] } },
    },
  },
  {
    resource: resources.statefulSets,
    where: 'runtime',
    name: 'storage-node',
    edits: {
      'no replicas': { spec: { replicas: 0 } },
      'annotations of the operator': { metadata: { annotations: { 'holdfast.dev/applied': 'x' } } },
    },
  },
  {
    resource: resources.persistentVolumeClaims,
    where: 'runtime',
    name: 'data-storage-node-0',
    // A claim that a pod uses does not go.
    isKept: true,
    edits: {
      'one label of its selector': { metadata: { labels: { 'app.kubernetes.io/component': null } } },
    },
  },
  {
    resource: resources.secrets,
    where: 'runtime',
    name: 'last-good',
    edits: { 'its content': { data: { forms: base64('nothing') } } },
  },
]

const thingCases = things.flatMap(({ resource, where, name, edits, isKept }): DriftCase[] => {
  const keys =
    resource === resources.persistentVolumeClaims
      ? ['app.kubernetes.io/name']
      : where === 'tenant'
        ? tenantLabelKeys
        : labelKeys
  const of = (what: string, act: Act): DriftCase => ({
    what,
    resource,
    where,
    name,
    act,
    outcome: 'repaired',
  })
  return [
    ...Object.entries(edits).map(([what, patch]) => of(what, { patch })),
    ...keys.map((key) => of(`without label ${key}`, withoutLabel(key))),
    ...keys.map((key) => of(`with another label ${key}`, otherLabel(key))),
    ...(isKept ? [] : [of('deleted', 'delete')]),
  ]
})

const renewed = (
  where: DriftCase['where'],
  name: string,
  edits: Readonly<Record<string, object>>,
): readonly DriftCase[] =>
  [
    ...Object.entries(edits).map(([what, patch]) => [what, { patch }] as const),
    ['deleted', 'delete'] as const,
  ].map(([what, act]) => ({ what, resource: resources.secrets, where, name, act, outcome: 'renewed' }))

const brokenPair = {
  'another certificate': { data: { 'tls.crt': base64('nothing') } },
  'another key': { data: { 'tls.key': base64('nothing') } },
}

export const driftCases: readonly DriftCase[] = [
  ...thingCases,
  ...renewed('runtime', 'storage-node-tls', brokenPair),
  ...renewed('own', 'holdfast-gateway-identity', brokenPair),
  ...renewed('own', 'holdfast-gateway-tls', brokenPair),
  ...renewed('own', 'holdfast-isolation-probe-identity', brokenPair),
  ...renewed('tenant', 'writer', { 'another string': { data: { token: base64('x') } } }),
  ...[
    ['runtime', 'storage-node-tls', 'without authority', { patch: { data: { 'ca.crt': null } } }],
    ['runtime', 'storage-node-tls', 'without label', withoutLabel(labelKeys[2])],
    ['runtime', 'data-key', 'without label', withoutLabel(labelKeys[2])],
    ['tenant', 'writer', 'without label', withoutLabel(labelKeys[2])],
    ['tenant', 'writer', 'another address', { patch: { data: { uri: base64('https://evil.example') } } }],
    ['own', 'holdfast-ca', 'another key', brokenPatch('tls.key')],
    ['own', 'holdfast-ca', 'another certificate', brokenPatch('tls.crt')],
    ['own', 'holdfast-ca', 'deleted', 'delete'],
    ['own', 'holdfast-operator-key', 'another key', brokenPatch('key')],
    ['own', 'holdfast-operator-key', 'deleted', 'delete'],
  ].map(
    ([where, name, what, act]) =>
      ({ where, name, what, act, resource: resources.secrets, outcome: 'repaired' }) as DriftCase,
  ),
]

function brokenPatch(key: string): Act {
  return { patch: { data: { [key]: base64('nothing') } } }
}

export const pathOfCase = ({ resource, name }: DriftCase, namespace: string): string =>
  pathOf(resource, resource === resources.namespaces ? { name: namespace } : { namespace, name })
