import { assert, AssertionError } from '../../common/errors.ts'

/** A kind of object as the API server's addresses name it. */
export interface Resource {
  /** "" is the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
}

const define = (apiVersion: string, plural: string, kind: string, namespaced = true): Resource => {
  const [version, group = ''] = apiVersion.split('/').toReversed()
  return { group, version: version!, plural, kind, namespaced }
}

/** All that the operator ever reads or writes. */
export const resources = {
  pods: define('v1', 'pods', 'Pod'),
  namespaces: define('v1', 'namespaces', 'Namespace', false),
  secrets: define('v1', 'secrets', 'Secret'),
  services: define('v1', 'services', 'Service'),
  configMaps: define('v1', 'configmaps', 'ConfigMap'),
  serviceAccounts: define('v1', 'serviceaccounts', 'ServiceAccount'),
  persistentVolumeClaims: define('v1', 'persistentvolumeclaims', 'PersistentVolumeClaim'),
  resourceQuotas: define('v1', 'resourcequotas', 'ResourceQuota'),
  limitRanges: define('v1', 'limitranges', 'LimitRange'),
  events: define('v1', 'events', 'Event'),
  statefulSets: define('apps/v1', 'statefulsets', 'StatefulSet'),
  networkPolicies: define('networking.k8s.io/v1', 'networkpolicies', 'NetworkPolicy'),
  podDisruptionBudgets: define('policy/v1', 'poddisruptionbudgets', 'PodDisruptionBudget'),
  roleBindings: define('rbac.authorization.k8s.io/v1', 'rolebindings', 'RoleBinding'),
  leases: define('coordination.k8s.io/v1', 'leases', 'Lease'),
  organizations: define('holdfast.dev/v1alpha1', 'organizations', 'Organization'),
  databases: define('holdfast.dev/v1alpha1', 'databases', 'Database'),
  tokens: define('holdfast.dev/v1alpha1', 'tokens', 'Token'),
} as const satisfies Record<string, Resource>

export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

const byKind = new Map(
  Object.values(resources).map((resource) => [`${apiVersionOf(resource)} ${resource.kind}`, resource]),
)

/** @throws AssertionError for a kind that is not among `resources` */
export function resourceOf(object: { readonly apiVersion: string; readonly kind: string }): Resource {
  const resource = byKind.get(`${object.apiVersion} ${object.kind}`)
  if (!resource)
    throw new AssertionError(`not a resource of this operator: ${object.apiVersion} ${object.kind}`)
  return resource
}

/**
 * The path of a collection or of one object.
 * @param at namespace and name; without a namespace the collection spans all of them
 */
export function pathOf(
  resource: Resource,
  at: { readonly namespace?: string | undefined; readonly name?: string },
  subresource?: string,
): string {
  const isOne = at.name !== undefined
  assert(!(resource.namespaced && isOne && at.namespace === undefined), `${resource.kind} needs a namespace`)
  const parts = [resource.group === '' ? '/api' : `/apis/${resource.group}`, resource.version]
  if (resource.namespaced && at.namespace !== undefined)
    parts.push('namespaces', encodeURIComponent(at.namespace))
  parts.push(resource.plural)
  if (at.name !== undefined) parts.push(encodeURIComponent(at.name))
  if (subresource !== undefined) parts.push(subresource)
  return parts.join('/')
}
