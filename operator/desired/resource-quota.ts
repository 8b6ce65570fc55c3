import { timesQuantity } from '../api/quantity.ts'
import type { KubeObject } from '../kube/object.ts'
import { quotaName } from '../naming/names.ts'
import { runtimeMetadata, type DesiredInput } from './input.ts'
import { volumeSize } from './volume-size.ts'

/**
 * What may exist in the runtime namespace: exactly the storage nodes and their volumes, with one pod to spare, so that
 * a pod that hangs in termination does not keep its successor away. The LimitRange bounds each pod, so both together
 * bound the tenant.
 */
export function resourceQuota(input: DesiredInput): KubeObject {
  const { replicas } = input.organization.spec.storage
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: runtimeMetadata(input, quotaName),
    spec: {
      hard: {
        pods: String(replicas + 1),
        persistentvolumeclaims: String(replicas),
        'requests.storage': timesQuantity(volumeSize(input), replicas),
        services: '1',
        'services.loadbalancers': '0',
        'services.nodeports': '0',
      },
    },
  }
}
