import { canonicalJson } from '../../common/state-document.ts'
import type { KubeObject } from '../kube/object.ts'
import { claimView, podView, statefulSetView } from './runtime.ts'

/**
 * What of an object passes go by, as text: two forms of the same meaning need no pass between them. A quota counts, a
 * StatefulSet says four times how far its pods are, and a kubelet what nobody here reads.
 */
export function meaningOf(object: KubeObject): string {
  const { metadata, status: _status, ...rest } = object
  const { resourceVersion: _version, generation: _generation, ...named } = metadata
  return canonicalJson({ ...rest, metadata: named, seen: seenOf(object) })
}

/** Of the kinds whose status is read, what is read of it. */
function seenOf(object: KubeObject): unknown {
  switch (object.kind) {
    case 'StatefulSet': {
      const { object: _object, ...view } = statefulSetView(object)
      return view
    }
    case 'Pod':
      return podView(object)
    case 'PersistentVolumeClaim':
      return claimView(object)
    default:
      return null
  }
}
