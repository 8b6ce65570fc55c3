import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { get, create, apply, merge, type Call } from './calls.ts'

/** Where the attempts are made. */
export interface Scene {
  /** The operator's own namespace. */
  readonly own: string
  /** The namespace of a tenant, which holds an Organization `acme` and a Token `writer`. */
  readonly tenant: string
  /** What the operator made for that tenant. */
  readonly runtime: string
  /** A namespace of somebody else's, with a Secret `theirs`. */
  readonly foreign: string
  /** One of somebody else's that is called and labelled like the operator's, without its mark. */
  readonly unmarked: string
  /**
   * One that carries a mark and is no organization's, where somebody took the Pod Security label away and made a
   * RoleBinding `holdfast-operator` of another role.
   */
  readonly damaged: string
  /** The Token's Secret. */
  readonly tokenSecret: KubeObject
  /** The operator's Secret `holdfast-ca`. */
  readonly ownSecret: KubeObject
}

/**
 * What somebody with a stolen token of the operator's account tries.
 *
 * `rights` are the chart's roles, `fence` and `tenants` its policies holdfast-operator and holdfast-operator-tenants.
 */
export interface FenceCase {
  readonly what: string
  readonly attempt: (scene: Scene) => Call
  /** The like of it that the operator's work needs. */
  readonly control: (scene: Scene) => Call
  readonly refusedBy: 'rights' | 'fence' | 'tenants'
  /** Nothing but the account's rights is in the way: what reads, and what admission policies are never asked about. */
  readonly isRightsAlone?: true
}

export const rbac = 'rbac.authorization.k8s.io'
export const id = 'feedfacefeedface'

export const namespacePath = (name: string) => pathOf(resources.namespaces, { name })
export const secretPath = (namespace: string, name: string) => pathOf(resources.secrets, { namespace, name })
export const organizationPath = (namespace: string) =>
  pathOf(resources.organizations, { namespace, name: 'acme' })

export const mark = {
  'holdfast.dev/owner-namespace': 'a',
  'holdfast.dev/owner-name': 'a',
  'holdfast.dev/owner-uid': 'a',
  'holdfast.dev/owner-mac': 'a'.repeat(64),
}
export const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' }
export const namespace = (name: string, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, ...metadata },
})
export const markedNamespace = namespace(`holdfast-${id}`, { annotations: mark, labels: restricted })

export const operatorOf = (own: string) => ({
  kind: 'ServiceAccount',
  name: 'holdfast-operator',
  namespace: own,
})
export const binding = (at: string, own: string, role: string, more: object = {}): KubeObject => ({
  apiVersion: `${rbac}/v1`,
  kind: 'RoleBinding',
  metadata: { name: 'holdfast-operator', namespace: at },
  roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
  subjects: [operatorOf(own)],
  ...more,
})
export const tenantRole = 'holdfast-tenant-secrets'
export const runtimeRole = 'holdfast-runtime'
export const labelled = { 'holdfast.dev/organization-id': id }
export const bindsInTenant = ({ tenant, own }: Scene) => apply(binding(tenant, own, tenantRole))
export const bindsInRuntime = ({ runtime, own }: Scene) =>
  apply(
    binding(runtime, own, runtimeRole, {
      metadata: { name: 'holdfast-operator', namespace: runtime, labels: labelled },
    }),
  )
export const makesNamespace = () => create(markedNamespace)

export const secret = (at: string, name: string, type: string, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: at, ...metadata },
  type,
})
export const owner = {
  apiVersion: 'holdfast.dev/v1alpha1',
  kind: 'Token',
  name: 'writer',
  uid: 'a',
  controller: true,
}
export const accountToken = { annotations: { 'kubernetes.io/service-account.name': 'default' } }
export const makesTokenSecret = ({ tenant }: Scene) =>
  create(secret(tenant, 'made', 'servicebinding.io/influxdb', { ownerReferences: [owner] }))
export const readsTokenSecret = ({ tenant }: Scene) => get(secretPath(tenant, 'writer'))
export const readsOwnSecret = ({ own }: Scene) => get(secretPath(own, 'holdfast-ca'))

export const pod = (at: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'evil', namespace: at },
  spec: { containers: [{ name: 'evil', image: 'busybox' }] },
})
export const statefulSet = (at: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'evil', namespace: at },
  spec: {
    serviceName: 'evil',
    replicas: 0,
    selector: { matchLabels: { app: 'evil' } },
    template: {
      metadata: { labels: { app: 'evil' } },
      spec: { containers: [{ name: 'evil', image: 'busybox' }] },
    },
  },
})
export const runsInRuntime = ({ runtime }: Scene) => apply(statefulSet(runtime))
export const changesService = ({ runtime }: Scene, spec: object) =>
  merge(pathOf(resources.services, { namespace: runtime, name: 'storage-node' }), { spec })
export const organization = (at: string, spec: object): KubeObject => ({
  apiVersion: 'holdfast.dev/v1alpha1',
  kind: 'Organization',
  metadata: { name: 'acme', namespace: at },
  spec,
})
export const holds = ({ tenant }: Scene) =>
  merge(organizationPath(tenant), { metadata: { finalizers: ['holdfast.dev/finalizer'] } })
