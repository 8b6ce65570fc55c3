import { AppError } from '../../common/errors.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { annotationKeys, labelKeys, managedBy } from '../naming/labels.ts'
import { roleBinding, secretNames, storageNode } from '../naming/names.ts'
import { provenOwner, type Owner } from '../naming/owner.ts'
import { provenRetention, retentionAnnotations } from '../naming/retention.ts'
import { goingMessage } from './going-namespace.ts'
import type { Pass } from './pass.ts'

/** How far taking an organization down has come. */
export type Retired =
  | { readonly done: true }
  /** What is being waited for. */
  | { readonly done: false; readonly message: string }

/** An organization that is taken down. */
export interface Leaving {
  readonly organizationId: string
  readonly uid: string
  /** Its runtime namespace. */
  readonly namespace: string
  /** The version of its storage nodes, null where nobody knows it. */
  readonly version: string | null
  /** No finalizer of ours held it, and so its namespace: that may be another one of the same name by now. */
  readonly isUnheld?: true
}

/**
 * Takes away what runs for an organization. Every step reads live first, names what it deletes by uid, and can be
 * repeated.
 * @param policy Retain keeps the namespace with volumes and data key; Delete leaves nothing
 */
export async function retireRuntime(
  pass: Pass,
  leaving: Leaving,
  policy: 'Retain' | 'Delete',
): Promise<Retired> {
  const name = leaving.namespace
  const namespace = await pass.client.get(resources.namespaces, { name })
  if (!namespace) return { done: true }
  const { operatorKey } = pass.authority
  const proven = provenOwner(operatorKey, leaving.organizationId, namespace.metadata.annotations)
  // Not ours: never made by us for this organization, or taken over by another one since.
  if (proven?.uid !== leaving.uid) return { done: true }
  pass.isolation.forget(leaving.organizationId)
  if (namespace.metadata.deletionTimestamp !== undefined) {
    return { done: false, message: goingMessage(namespace) }
  }
  if (policy === 'Delete') {
    pass.log.info({ namespace: name }, 'deleting runtime namespace')
    // As it was read: what is retained may be taken over by another one between our look and this.
    await pass.client.delete(namespace, { unchanged: true })
    return { done: false, message: `Namespace ${name} is being deleted` }
  }
  // Whoever takes the data over makes specs of their own.
  pass.memory.forgetGoodForms(leaving.organizationId)
  // The record is the last write: nothing of this one runs any more, and what comes to run is of who takes the data over.
  if (provenRetention(operatorKey, leaving.organizationId, proven, namespace.metadata.annotations))
    return { done: true }
  const stopped = await stopRuntime(pass, name)
  if (stopped.done) await retain(pass, leaving, proven, namespace)
  return stopped
}

async function stopRuntime(pass: Pass, name: string): Promise<Retired> {
  await deleteIfThere(pass, 'statefulSets', name, storageNode)
  await deleteIfThere(pass, 'services', name, storageNode)
  // The cache may not have seen a new pod yet, so that there is none is asked live.
  const pods = await pass.client.list(resources.pods, {
    namespace: name,
    labelSelector: `${labelKeys.component}=${storageNode}`,
  })
  if (pods.items.length > 0) {
    await stopOrphans(pass, pods.items)
    return { done: false, message: `${pods.items.length} storage nodes are stopping` }
  }
  await deleteIfThere(pass, 'secrets', name, secretNames.storageNodeTls)
  await deleteIfThere(pass, 'secrets', name, secretNames.setAside)
  return { done: true }
}

/** Records, with the last write, that nothing runs any more and whose the data was. What names it, `last-good`, stays. */
async function retain(pass: Pass, leaving: Leaving, owner: Owner, namespace: KubeObject): Promise<void> {
  const { organizationId, version } = leaving
  const { name } = namespace.metadata
  const { operatorKey } = pass.authority
  const tenant = leaving.isUnheld
    ? null
    : await pass.client.get(resources.namespaces, { name: owner.namespace })
  const retention = { since: pass.now.toISOString(), namespaceUid: tenant?.metadata.uid ?? '' }
  const annotations = {
    ...retentionAnnotations(operatorKey, organizationId, owner, retention),
    ...(version !== null && { [annotationKeys.retainedVersion]: version }),
  }
  // Not put into the cache: the watch tells of it, also those who wait for the data.
  await pass.client.patchMetadata(namespace, { annotations })
  pass.log.info({ namespace: name }, 'runtime namespace retained')
}

/** Pods that a StatefulSet left behind, as one does that is being replaced: nothing else would end them. */
async function stopOrphans(pass: Pass, pods: readonly KubeObject[]): Promise<void> {
  for (const pod of pods) {
    const { ownerReferences = [], deletionTimestamp } = pod.metadata
    if (ownerReferences.length === 0 && deletionTimestamp === undefined) await pass.client.delete(pod)
  }
}

async function deleteIfThere(
  pass: Pass,
  plural: 'statefulSets' | 'services' | 'secrets',
  namespace: string,
  name: string,
): Promise<void> {
  const found = await pass.client.get(resources[plural], { namespace, name })
  if (found && found.metadata.deletionTimestamp === undefined) await pass.client.delete(found)
}

/**
 * Gives up the right to a tenant namespace's Secrets when its last Organization goes. What remains of Tokens' Secrets
 * is the garbage collector's: their Tokens own them.
 */
export async function releaseTenantBinding(
  pass: Pass,
  tenantNamespace: string,
  goingUid: string,
): Promise<void> {
  const others = pass.caches.organizations
    .list(tenantNamespace)
    .filter(({ metadata }) => metadata.uid !== goingUid && metadata.deletionTimestamp === undefined)
  if (others.length > 0) return
  const binding = await pass.client.get(resources.roleBindings, {
    namespace: tenantNamespace,
    name: roleBinding,
  })
  if (binding?.metadata.labels?.[labelKeys.managedBy] !== managedBy) return
  // Another of its name that came meanwhile is a conflict: the next pass looks again.
  try {
    await pass.client.delete(binding)
  } catch (error) {
    // Who rules in a tenant's namespace, by a policy of theirs as well, does not keep an Organization from its end.
    if (!(error instanceof AppError && error.kind === 'forbidden')) throw error
    const { namespace, name } = binding.metadata
    pass.log.warn({ object: `${namespace}/${name}`, reason: error.message }, 'binding left behind')
  }
}
