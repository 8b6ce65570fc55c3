import { adminPort, clientPort } from '../../common/admin-api.ts'
import type { KubeObject } from '../kube/object.ts'
import { storageNodeLabels, storageNodeSelector } from '../naming/labels.ts'
import { storageNode } from '../naming/names.ts'
import { runtimeMetadata, type DesiredInput } from './input.ts'

/**
 * The names of the storage nodes. Nodes that are not ready are published too: the operator must reach them to make them
 * ready, and a client is better served by a node's own 503 than by a name that does not resolve.
 */
export function service(input: DesiredInput): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: runtimeMetadata(input, storageNode, storageNodeLabels(input.organizationId)),
    spec: {
      type: 'ClusterIP',
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: storageNodeSelector,
      ports: [
        { name: 'clients', port: clientPort, protocol: 'TCP', targetPort: clientPort },
        { name: 'admin', port: adminPort, protocol: 'TCP', targetPort: adminPort },
      ],
    },
  }
}
