/** Names of everything that the operator makes. One place: nobody else spells them. */

/** A namespace that holds what runs for an organization; its id. */
export const runtimePattern = /^holdfast-([0-9a-f]{16})$/

/** The Service, the StatefulSet, its ServiceAccount's pods and their container are all called this. */
export const storageNode = 'storage-node'

export const secretNames = {
  /** The newest specs that could be acted on; see reconcile/last-good.ts. */
  lastGood: 'last-good',
  /** TLS identity of the storage nodes: tls.crt, tls.key, ca.crt. */
  storageNodeTls: 'storage-node-tls',
  /** The data key, under the key `data-key`. */
  dataKey: 'data-key',
  /** What of a StatefulSet must outlive it while it is replaced; see reconcile/set-aside.ts. */
  setAside: 'storage-node-set-aside',
} as const
export const dataKeyField = 'data-key'
export const lastGoodField = 'forms'
export const setAsideField = 'storage-nodes'

export const volumeClaim = 'data'

/** Name of the operator's RoleBinding, in the tenant's namespace and in the runtime namespace. */
export const roleBinding = 'holdfast-operator'

/** ClusterRoles that the chart ships and the operator binds to itself, one namespace at a time. */
export const clusterRoles = {
  /** Secrets in a namespace that holds an Organization: get, create, update, delete. */
  tenantSecrets: 'holdfast-tenant-secrets',
  /** All that the operator does in a runtime namespace. */
  runtime: 'holdfast-runtime',
} as const

export const networkPolicies = {
  defaultDeny: 'default-deny',
  gateway: 'allow-gateway',
  operator: 'allow-operator',
  direct: 'allow-direct',
} as const

export const quotaName = 'tenant'
export const limitRangeName = 'tenant'

export const finalizer = 'holdfast.dev/finalizer'

/** Names of the claims of the volumes, as the StatefulSet controller makes them. */
export function claimNames(replicas: number): readonly string[] {
  return Array.from({ length: replicas }, (_, replica) => `${volumeClaim}-${podName(replica)}`)
}

/** Name of the pod of a replica, counted from 0. */
export function podName(replica: number): string {
  return `${storageNode}-${replica}`
}
