import { existingStorageNodes } from '../desired/existing.ts'
import { recordedRollout } from '../desired/rollout.ts'
import { versionOf } from '../desired/template.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { annotationKeys } from '../naming/labels.ts'
import { runtimePattern, storageNode } from '../naming/names.ts'
import { namedOwner, provenOwner, type Owner } from '../naming/owner.ts'
import { provenRetention } from '../naming/retention.ts'
import type { Observed } from '../observe/observed.ts'
import type { Pass } from './pass.ts'
import { isGone } from './restore.ts'
import { releaseTenantBinding, retireRuntime } from './retire.ts'

/**
 * What runs for an Organization of this key that is not there any more, and went without the operator: as one does whose
 * finalizer somebody has taken off. Nobody knows whether its data was to go, so it is kept, and given to another one by
 * the word of the platform alone.
 */
interface Orphan {
  readonly organizationId: string
  readonly owner: Owner
  readonly namespace: KubeObject
}

/**
 * Takes orphans down. That there is none is seen in the caches alone.
 * @returns whether nothing of them runs any more
 */
export async function retireOrphans(pass: Pass, observed: Observed): Promise<boolean> {
  const left: Orphan[] = []
  for (const orphan of orphansOf(pass, observed)) if (!(await retireOrphan(pass, orphan))) left.push(orphan)
  return left.length === 0
}

function orphansOf(pass: Pass, { key, organization }: Observed): readonly Orphan[] {
  const { operatorKey } = pass.authority
  return pass.caches.namespaces.list().flatMap((namespace) => {
    const { name, annotations } = namespace.metadata
    // Nearly all are of others: each pass sees all of them, so what is costly comes last.
    if (annotations?.[annotationKeys.ownerName] !== key.name) return []
    const named = namedOwner(annotations)
    if (named?.namespace !== key.namespace) return []
    const organizationId = runtimePattern.exec(name)?.[1]
    if (organizationId === undefined || named.uid === organization?.object.metadata.uid) return []
    const owner = provenOwner(operatorKey, organizationId, annotations)
    const isOver = !owner || provenRetention(operatorKey, organizationId, owner, annotations) !== null
    return isOver ? [] : [{ organizationId, owner, namespace }]
  })
}

/** @returns whether nothing of it runs any more */
async function retireOrphan(pass: Pass, { organizationId, owner, namespace }: Orphan): Promise<boolean> {
  // A cache that is behind, or a namespace that may not be read, must not end what lives.
  if (!(await isGone(pass, owner))) return false
  const { name } = namespace.metadata
  pass.log.warn(
    { organizationId, namespace: name },
    'Organization is gone without its finalizer: data is kept',
  )
  await noteVersion(pass, organizationId, name)
  await releaseTenantBinding(pass, owner.namespace, owner.uid)
  const leaving = { organizationId, uid: owner.uid, namespace: name, version: null, isUnheld: true as const }
  return (await retireRuntime(pass, leaving, 'Retain')).done
}

/** Only the StatefulSet, which goes first, still says which version has written the data. */
async function noteVersion(pass: Pass, organizationId: string, name: string): Promise<void> {
  const set = await pass.client.get(resources.statefulSets, { namespace: name, name: storageNode })
  const nodes = existingStorageNodes(set)
  const rollout = recordedRollout({ organizationId, ownerKey: pass.authority.operatorKey }, nodes)
  const version = rollout ? versionOf(rollout.from) : (nodes?.version ?? null)
  if (version === null) return
  const namespace = await pass.client.get(resources.namespaces, { name })
  if (!namespace || namespace.metadata.annotations?.[annotationKeys.retainedVersion] === version) return
  const annotations = { [annotationKeys.retainedVersion]: version }
  await pass.client.patchMetadata(namespace, { annotations })
}
