import { AppError } from '../../common/errors.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { labelKeys, managedBy } from '../naming/labels.ts'
import { roleBinding, secretNames, storageNode } from '../naming/names.ts'
import { provenOwner } from '../naming/owner.ts'
import { goingMessage } from './going-namespace.ts'
import type { Pass } from './pass.ts'

/** On the namespace of a deleted organization whose data is kept: when its pods were taken away. */
export const retainedAnnotation = 'holdfast.dev/retained-since'

/** How far taking an organization down has come. */
export type Retired =
  | { readonly done: true }
  /** What is being waited for. */
  | { readonly done: false; readonly message: string }

/**
 * Takes away what runs for an organization. Every step reads live first, names what it deletes by uid, and can be
 * repeated.
 * @param policy Retain keeps the namespace with volumes and data key; Delete leaves nothing
 */
export async function retireRuntime(
  pass: Pass,
  owner: { readonly organizationId: string; readonly uid: string; readonly namespace: string },
  policy: 'Retain' | 'Delete',
): Promise<Retired> {
  const name = owner.namespace
  const namespace = await pass.client.get(resources.namespaces, { name })
  if (!namespace) return { done: true }
  const proven = provenOwner(pass.authority.operatorKey, owner.organizationId, namespace.metadata.annotations)
  // Not ours: never made by us for this organization, so nothing of it is ours to take away.
  if (proven?.uid !== owner.uid) return { done: true }
  if (namespace.metadata.deletionTimestamp !== undefined) {
    return { done: false, message: goingMessage(namespace) }
  }
  if (policy === 'Delete') {
    pass.log.info({ namespace: name }, 'deleting runtime namespace')
    await pass.client.delete(namespace)
    return { done: false, message: `Namespace ${name} is being deleted` }
  }
  return stopRuntime(pass, name, namespace)
}

async function stopRuntime(pass: Pass, name: string, namespace: KubeObject): Promise<Retired> {
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
  await deleteIfThere(pass, 'secrets', name, secretNames.lastGood)
  await deleteIfThere(pass, 'secrets', name, secretNames.setAside)
  if (namespace.metadata.annotations?.[retainedAnnotation] === undefined) {
    const annotations = { [retainedAnnotation]: pass.now.toISOString() }
    pass.caches.namespaces.observe(await pass.client.patchMetadata(namespace, { annotations }))
    pass.log.info({ namespace: name }, 'runtime namespace retained')
  }
  return { done: true }
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
