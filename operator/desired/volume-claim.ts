import type { KubeObject } from '../kube/object.ts'

/** All that the operator says of a claim: its size. The StatefulSet controller has made the rest. */
export function claimOfSize(
  claim: { readonly name: string; readonly uid: string },
  namespace: string,
  size: string,
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    // With the uid this claim is changed or none: never is one made.
    metadata: { name: claim.name, namespace, uid: claim.uid },
    spec: { resources: { requests: { storage: size } } },
  }
}
