import { runtimeNamespace } from '../../common/ids.ts'
import type { KubeObject } from '../kube/object.ts'
import { labelKeys, organizationLabels } from '../naming/labels.ts'
import { ownerAnnotations } from '../naming/owner.ts'
import type { DesiredInput } from './input.ts'

/** The runtime namespace, marked as the operator's own work for this Organization. */
export function namespace({ organization, organizationId, ownerKey }: DesiredInput): KubeObject {
  const name = runtimeNamespace(organizationId)
  const { namespace, name: ownerName, uid } = organization.metadata
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: {
        ...organizationLabels(organizationId),
        // The API server sets it anyway; policies select by it, so it is the operator's to restore.
        [labelKeys.namespaceName]: name,
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/audit': 'restricted',
        'pod-security.kubernetes.io/warn': 'restricted',
      },
      annotations: ownerAnnotations(ownerKey, organizationId, { namespace, name: ownerName, uid }),
    },
  }
}
