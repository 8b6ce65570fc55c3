import { adminPort, clientPort } from '../../common/admin-api.ts'
import type { KubeObject } from '../kube/object.ts'
import { storageNodeLabels, storageNodeSelector } from '../naming/labels.ts'
import { storageNode } from '../naming/names.ts'
import { runtimeMetadata, type DesiredInput } from './input.ts'

/**
 * The one address of the organization's storage nodes. It has an address of its own, so that the name resolves as long as
 * the organization runs, also while its only pod is being replaced: then a connection is refused, which the gateway tells
 * from an organization that does not exist. Nodes that are not ready are published too: a client is better served by a
 * node's own 503.
 */
export function service(input: DesiredInput): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: runtimeMetadata(input, storageNode, storageNodeLabels(input.organizationId)),
    spec: {
      type: 'ClusterIP',
      // Somebody else's would be a way in past the gateway.
      externalIPs: [],
      publishNotReadyAddresses: true,
      selector: storageNodeSelector,
      ports: [
        { name: 'clients', port: clientPort, protocol: 'TCP', targetPort: clientPort },
        { name: 'admin', port: adminPort, protocol: 'TCP', targetPort: adminPort },
      ],
    },
  }
}
