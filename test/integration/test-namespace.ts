import { randomBytes } from 'node:crypto'
import { resources } from '../../operator/kube/resource.ts'
import type { KubeClient, KubeObject } from '../../operator/kube/client.ts'

/** A namespace of a test's own, whose deletion takes all that is in it along. */
export async function createTestNamespace(client: KubeClient): Promise<KubeObject> {
  return client.create({
    apiVersion: 'v1',
    kind: resources.namespaces.kind,
    metadata: { name: `holdfast-test-${randomBytes(4).toString('hex')}` },
  })
}
