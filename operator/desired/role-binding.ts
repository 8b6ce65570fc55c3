import { runtimeNamespace } from '../../common/ids.ts'
import type { Platform } from '../api/platform.ts'
import type { KubeObject } from '../kube/object.ts'
import { managedLabels, organizationLabels } from '../naming/labels.ts'
import { clusterRoles, roleBinding } from '../naming/names.ts'
import type { DesiredInput } from './input.ts'

/** The operator's own rights in the runtime namespace: it has none in namespaces where it did not take them. */
export function runtimeRoleBinding({ organizationId, platform }: DesiredInput): KubeObject {
  return binding(
    runtimeNamespace(organizationId),
    organizationLabels(organizationId),
    clusterRoles.runtime,
    platform,
  )
}

/**
 * The operator's right to write Secrets in a tenant's own namespace. It is one for all organizations of that
 * namespace, so it carries no organization's id.
 */
export function tenantRoleBinding(tenantNamespace: string, platform: Platform): KubeObject {
  return binding(tenantNamespace, managedLabels, clusterRoles.tenantSecrets, platform)
}

function binding(
  namespace: string,
  labels: Readonly<Record<string, string>>,
  clusterRole: string,
  platform: Platform,
): KubeObject {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: roleBinding, namespace, labels },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: clusterRole },
    subjects: [
      {
        kind: 'ServiceAccount',
        name: platform.operatorServiceAccount,
        namespace: platform.operatorNamespace,
      },
    ],
  }
}
