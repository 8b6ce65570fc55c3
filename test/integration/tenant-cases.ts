import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources, type Resource } from '../../operator/kube/resource.ts'
import { apply, create, get, merge, post, remove, type Call } from './calls.ts'

/** Where a tenant tries its neighbours; both tenants hold an Organization `acme` and a Token `writer`. */
export interface TenantScene {
  /** Its own namespace, where it is an administrator and has the chart's role for tenants. */
  readonly home: string
  /** What the operator made for it: as closed to it as to anybody else. */
  readonly runtime: string
  /** Another tenant's namespace. */
  readonly neighbour: string
  /** The operator's. */
  readonly system: string
}

/** `rights`: roles say no. `schema`: the kinds have no room for it. */
export interface TenantCase {
  /** The pitfall, as multi-tenant operators have met it. */
  readonly pitfall: string
  readonly what: string
  readonly attempt: (scene: TenantScene) => Call
  /** The like of it that is the tenant's own to do. */
  readonly control: (scene: TenantScene) => Call
  readonly refusedBy: 'rights' | 'schema'
}

const rbac = 'rbac.authorization.k8s.io'
const holdfast = 'holdfast.dev/v1alpha1'
const list = (resource: Resource, namespace: string) => get(pathOf(resource, { namespace }))
const read = (resource: Resource, namespace: string, name: string) =>
  get(pathOf(resource, { namespace, name }))
const core = (kind: string, namespace: string, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'made', namespace },
  ...more,
})
const pod = (namespace: string, spec: object = {}): Call =>
  create(core('Pod', namespace, { spec: { containers: [{ name: 'a', image: 'a' }], ...spec } }))
const service = (namespace: string): Call =>
  create(core('Service', namespace, { spec: { ports: [{ port: 80 }] } }))
const policy = (namespace: string): Call =>
  create({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'opens-all', namespace },
    spec: { podSelector: {}, ingress: [{}] },
  })
const token = (namespace: string, spec: object = {}): KubeObject => ({
  apiVersion: holdfast,
  kind: 'Token',
  metadata: { name: 'made', namespace },
  spec: { organization: 'acme', permissions: [{ database: '*', access: ['read'] }], ...spec },
})
const database = (namespace: string, spec: object = {}): KubeObject => ({
  apiVersion: holdfast,
  kind: 'Database',
  metadata: { name: 'made', namespace },
  spec: { organization: 'acme', ...spec },
})
/** Unknown fields are refused and not dropped, as kubectl asks for it. */
const strictly = (object: KubeObject): Call => {
  const call = create(object)
  return { ...call, path: `${call.path}?fieldValidation=Strict` }
}
const binding = (namespace: string, role: string): Call =>
  post(`/apis/${rbac}/v1/namespaces/${namespace}/rolebindings`, {
    metadata: { name: 'made' },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name: 'developer', namespace }],
  })
const tokenRequest = (namespace: string, name: string): Call =>
  post(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {},
  })
const endpoints = (namespace: string): Call =>
  post(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, {
    metadata: { name: 'made' },
    addressType: 'IPv4',
    endpoints: [],
  })
const describesToken = ({ home }: TenantScene) =>
  merge(pathOf(resources.tokens, { namespace: home, name: 'writer' }), { spec: { description: 'mine' } })
const readsOrganization = ({ home }: TenantScene) => read(resources.organizations, home, 'acme')

const deputies: readonly TenantCase[] = [
  {
    pitfall: 'a reference into another namespace',
    what: 'a Token that names an organization with its namespace',
    attempt: ({ home, neighbour }) => create(token(home, { organization: `${neighbour}/acme` })),
    control: ({ home }) => create(token(home)),
    refusedBy: 'schema',
  },
  {
    pitfall: 'a reference into another namespace',
    what: 'a Database that names its organization’s namespace in a field of its own',
    attempt: ({ home, neighbour }) => strictly(database(home, { namespace: neighbour })),
    control: ({ home }) => strictly(database(home)),
    refusedBy: 'schema',
  },
  {
    pitfall: 'a Secret of somebody else written over',
    what: 'a Token whose Secret is in another namespace',
    attempt: ({ home, neighbour }) => create(token(home, { secretName: `${neighbour}/writer` })),
    control: ({ home }) => create(token(home, { secretName: 'made' })),
    refusedBy: 'schema',
  },
  {
    pitfall: 'a status that somebody else has written',
    what: 'a Token’s status with the hash of a string of one’s own',
    attempt: ({ home }) => {
      const path = pathOf(resources.tokens, { namespace: home, name: 'writer' }, 'status')
      return merge(path, { status: { tokens: [] } })
    },
    control: describesToken,
    refusedBy: 'rights',
  },
  {
    pitfall: 'a status that somebody else has written',
    what: 'the Organization’s',
    attempt: ({ home }) => {
      const path = pathOf(resources.organizations, { namespace: home, name: 'acme' }, 'status')
      return merge(path, { status: { organizationId: 'f'.repeat(16) } })
    },
    control: readsOrganization,
    refusedBy: 'rights',
  },
  {
    pitfall: 'limits set by those whom they limit',
    what: 'an Organization changed by its tenant',
    attempt: ({ home }) => {
      const path = pathOf(resources.organizations, { namespace: home, name: 'acme' })
      return merge(path, { spec: { access: { from: [{ cidr: '0.0.0.0/0' }] } } })
    },
    control: readsOrganization,
    refusedBy: 'rights',
  },
]

const neighbours: readonly TenantCase[] = [
  {
    pitfall: 'another tenant’s namespace',
    what: 'its Token’s Secret',
    attempt: ({ neighbour }) => read(resources.secrets, neighbour, 'writer'),
    control: ({ home }) => read(resources.secrets, home, 'writer'),
    refusedBy: 'rights',
  },
  {
    pitfall: 'another tenant’s namespace',
    what: 'its Tokens, with their hashes',
    attempt: ({ neighbour }) => list(resources.tokens, neighbour),
    control: ({ home }) => list(resources.tokens, home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'another tenant’s namespace',
    what: 'a Token made there',
    attempt: ({ neighbour }) => create(token(neighbour)),
    control: ({ home }) => create(token(home)),
    refusedBy: 'rights',
  },
  {
    pitfall: 'another tenant’s namespace',
    what: 'everybody’s Organizations at once',
    attempt: () => get(pathOf(resources.organizations, {})),
    control: ({ home }) => list(resources.organizations, home),
    refusedBy: 'rights',
  },
]

const runtimes: readonly TenantCase[] = [
  {
    pitfall: 'whoever makes pods reads the Secrets beside them',
    what: 'a pod beside the storage nodes',
    attempt: ({ runtime }) => pod(runtime),
    control: ({ home }) => pod(home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'whoever makes pods reads the Secrets beside them',
    what: 'the data key',
    attempt: ({ runtime }) => read(resources.secrets, runtime, 'data-key'),
    control: ({ home }) => read(resources.secrets, home, 'writer'),
    refusedBy: 'rights',
  },
  {
    pitfall: 'whoever makes pods reads the Secrets beside them',
    what: 'a shell in the storage node',
    attempt: ({ runtime }) =>
      post(`/api/v1/namespaces/${runtime}/pods/storage-node-0/exec?command=sh&stdout=true`, undefined),
    control: ({ home }) => pod(home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'whoever makes pods reads the Secrets beside them',
    what: 'a container put into the storage node',
    attempt: ({ runtime }) =>
      merge(`/api/v1/namespaces/${runtime}/pods/storage-node-0/ephemeralcontainers`, { spec: {} }),
    control: ({ home }) => pod(home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'policies add up',
    what: 'a policy that opens the storage nodes',
    attempt: ({ runtime }) => policy(runtime),
    control: ({ home }) => policy(home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'policies add up',
    what: 'the policy that closes them, deleted',
    attempt: ({ runtime }) =>
      remove(pathOf(resources.networkPolicies, { namespace: runtime, name: 'default-deny' })),
    control: ({ home }) => policy(home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'endpoints that lead elsewhere',
    what: 'endpoints of the storage nodes’ Service',
    attempt: ({ runtime }) => endpoints(runtime),
    control: ({ home }) => list(resources.services, home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'endpoints that lead elsewhere',
    what: 'a Service in front of the storage nodes',
    attempt: ({ runtime }) => service(runtime),
    control: ({ home }) => service(home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'data deleted behind the operator’s back',
    what: 'the volume of one’s own storage node',
    attempt: ({ runtime }) =>
      remove(pathOf(resources.persistentVolumeClaims, { namespace: runtime, name: 'data-storage-node-0' })),
    control: ({ home }) => list(resources.persistentVolumeClaims, home),
    refusedBy: 'rights',
  },
]

const clusters: readonly TenantCase[] = [
  {
    pitfall: 'a namespace taken',
    what: 'a namespace called as the operator will call one',
    attempt: () =>
      create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: `holdfast-${'f'.repeat(16)}` } }),
    control: ({ home }) => read(resources.namespaces, home, home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'labels that pass for somebody else’s',
    what: 'a label on one’s own namespace',
    attempt: ({ home }) =>
      merge(pathOf(resources.namespaces, { name: home }), {
        metadata: { labels: { 'app.kubernetes.io/name': 'holdfast' } },
      }),
    control: ({ home }) => read(resources.namespaces, home, home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'rights passed on',
    what: 'the operator’s own rights, bound at home',
    attempt: ({ home }) => binding(home, 'holdfast-runtime'),
    control: ({ home }) => binding(home, 'holdfast-tenant'),
    refusedBy: 'rights',
  },
  {
    pitfall: 'rights passed on',
    what: 'the platform’s rights, bound at home',
    attempt: ({ home }) => binding(home, 'holdfast-platform'),
    control: ({ home }) => binding(home, 'holdfast-tenant'),
    refusedBy: 'rights',
  },
  {
    pitfall: 'rights passed on',
    what: 'a token of the operator’s account',
    attempt: ({ system }) => tokenRequest(system, 'holdfast-operator'),
    control: ({ home }) => tokenRequest(home, 'developer'),
    refusedBy: 'rights',
  },
  {
    pitfall: 'rights passed on',
    what: 'a pod that runs as the operator',
    attempt: ({ system }) => pod(system, { serviceAccountName: 'holdfast-operator' }),
    control: ({ home }) => pod(home, { serviceAccountName: 'developer' }),
    refusedBy: 'rights',
  },
  {
    pitfall: 'rights passed on',
    what: 'the key by which the operator knows its own work',
    attempt: ({ system }) => read(resources.secrets, system, 'holdfast-operator-key'),
    control: ({ home }) => read(resources.secrets, home, 'writer'),
    refusedBy: 'rights',
  },
  {
    pitfall: 'rights passed on',
    what: 'the operator’s name, put on',
    attempt: ({ home, system }) => ({
      ...list(resources.secrets, home),
      headers: { 'impersonate-user': `system:serviceaccount:${system}:holdfast-operator` },
    }),
    control: ({ home }) => list(resources.secrets, home),
    refusedBy: 'rights',
  },
  {
    pitfall: 'admission as the only guard',
    what: 'a policy of the chart, deleted',
    attempt: () =>
      remove('/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/holdfast-operator'),
    control: ({ home }) => apply(token(home)),
    refusedBy: 'rights',
  },
]

export const tenantCases: readonly TenantCase[] = [...deputies, ...neighbours, ...runtimes, ...clusters]
