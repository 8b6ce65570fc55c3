import type { KubeObject, ObjectMeta } from '../kube/object.ts'
import { annotationKeys } from '../naming/labels.ts'
import { finalizer, roleBinding, runtimePattern, storageNode } from '../naming/names.ts'
import { seenClaim, seenPod, seenStatefulSet } from './runtime.ts'

/**
 * What is kept of an object that is watched: what passes read, and never more than a bounded part of what others may write
 * into it. Whoever may make an object may give it megabytes of labels, annotations, finalizers and owners, and all tenants
 * share the operator's memory.
 */

/** Stands for finalizers that are not kept. No finalizer can be called so: written by mistake, it would be refused. */
export const moreFinalizers = '…'

const finalizersLimit = 4_096
/** Of annotations that people give our kinds: none of them means more when it is longer. */
const annotationLimit = 128
const objectLimit = 128 * 1024
const tenantAnnotations: readonly string[] = [
  annotationKeys.paused,
  annotationKeys.retry,
  annotationKeys.prove,
  annotationKeys.rotate,
]

/**
 * An Organization, Database or Token. What of it is not metadata has limits in the schemas; of a thousand members, on which this
 * release does not act, that there are some is all that is read.
 */
export function keepTenantObject({ metadata, ...whole }: KubeObject): KubeObject {
  const object = withFewMembers(whole)
  const { creationTimestamp, finalizers } = metadata
  const annotations = tenantAnnotations.flatMap((key) => {
    const value = metadata.annotations?.[key]
    return value === undefined ? [] : [[key, value.slice(0, annotationLimit)] as const]
  })
  return {
    ...object,
    metadata: {
      ...identityOf(metadata),
      ...lifeOf(metadata),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
      ...(finalizers !== undefined && { finalizers: boundedFinalizers(finalizers) }),
      ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
    },
  }
}

function withFewMembers<Rest extends object>(object: Rest & { readonly spec?: unknown }): Rest {
  const { spec } = object
  if (typeof spec !== 'object' || spec === null || !('members' in spec)) return object
  const { members } = spec
  return Array.isArray(members) && members.length > 1
    ? { ...object, spec: { ...spec, members: members.slice(0, 1) } }
    : object
}

/**
 * Something in a runtime namespace, or the binding in a tenant's; of all else with such labels, and of what is far larger
 * than anything of ours, only that it is there: it differs from everything that is wanted.
 */
export function keepChild(object: KubeObject): KubeObject {
  if (!isRead(object)) return bare(object)
  const kept = withoutUnread(object)
  // What the one StatefulSet holds decides how its pods go on: it is never taken for another.
  if (object.kind === 'StatefulSet' || JSON.stringify(kept).length <= objectLimit) return kept
  return bare(object)
}

function isRead({ kind, metadata: { namespace, name } }: KubeObject): boolean {
  if (!runtimePattern.test(namespace ?? name)) return kind === 'RoleBinding' && name === roleBinding
  return kind !== 'StatefulSet' || name === storageNode
}

function withoutUnread(object: KubeObject): KubeObject {
  const kept: KubeObject = { ...object, metadata: childMetadata(object.metadata) }
  switch (kept.kind) {
    case 'Pod':
      return seenPod(kept)
    case 'PersistentVolumeClaim':
      return seenClaim(kept)
    case 'StatefulSet':
      return seenStatefulSet(kept)
    // Of the conditions of one that is going, who waits for its end is told.
    case 'Namespace':
      return kept
    default: {
      const { status: _status, ...rest } = kept
      return rest
    }
  }
}

function childMetadata(metadata: ObjectMeta): ObjectMeta {
  const { labels } = metadata
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) =>
    key.startsWith('holdfast.dev/'),
  )
  return {
    ...identityOf(metadata),
    ...lifeOf(metadata),
    ...(labels !== undefined && { labels }),
    ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
  }
}

function bare({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata: identityOf(metadata) }
}

function identityOf({ name, namespace, uid, resourceVersion }: ObjectMeta): ObjectMeta {
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
  }
}

function lifeOf({ generation, deletionTimestamp }: ObjectMeta) {
  return {
    ...(generation !== undefined && { generation }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
  }
}

function boundedFinalizers(finalizers: readonly string[]): readonly string[] {
  const length = finalizers.reduce((sum, name) => sum + name.length, 0)
  if (length <= finalizersLimit) return finalizers
  return [...finalizers.filter((name) => name === finalizer), moreFinalizers]
}
