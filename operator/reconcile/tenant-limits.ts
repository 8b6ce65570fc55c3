import { runtimeNamespace } from '../../common/ids.ts'
import type { Organization } from '../api/organization.ts'
import { limitsOf } from '../api/platform.ts'
import { compareQuantities } from '../api/quantity.ts'
import type { KubeObject } from '../kube/object.ts'
import { annotationKeys } from '../naming/labels.ts'
import { organizationIdOf } from '../naming/organization-id.ts'
import { byAge, observeRuntime } from '../observe/observe.ts'
import { largestRequest } from '../observe/runtime.ts'
import { stalled, type Standing } from '../status/standing.ts'
import type { Pass } from './pass.ts'
import { isDeleting } from './write.ts'

/**
 * Why there is no place for an Organization in its namespace, null if there is one. It is asked for once, before anything
 * is made: who has one keeps it, whatever the limit becomes. Of those that wait the oldest is first.
 */
export function placeProblem(pass: Pass, organization: Organization): Standing | null {
  const { namespace, name, uid } = organization.metadata
  const { organizations: limit } = limitsOf(pass.platform, namespace)
  if (limit === null || hasPlace(pass, organization)) return null
  const before = pass.caches.organizations
    .list(namespace)
    .filter((other) => other.metadata.uid !== uid && isBefore(pass, other, organization))
  if (before.length < limit) {
    // Its namespace comes later than the decision on the next one.
    pass.memory.givePlace(uid)
    return null
  }
  return stalled(
    'LimitReached',
    `${name}: the platform’s limit of Organizations in namespace ${namespace} is ${limit}, and ${before.length} were there before; delete one of them, or have tenantLimits raised`,
  )
}

function hasPlace(pass: Pass, organization: KubeObject | Organization): boolean {
  const { uid = '' } = organization.metadata
  const made = pass.caches.namespaces.get(undefined, runtimeNamespace(organizationIdOf(organization)))
  return pass.memory.hasPlace(uid) || made?.metadata.annotations?.[annotationKeys.ownerUid] === uid
}

function isBefore(pass: Pass, other: KubeObject, own: Organization): boolean {
  return hasPlace(pass, other) || (!isDeleting(other) && byAge(other, own) < 0)
}

/** Why a volume may not be what the spec asks for, null if it may: the size that it has it keeps. */
export function sizeProblem(
  pass: Pass,
  { metadata, spec }: Organization,
  organizationId: string,
): Standing | null {
  const { storageSize: limit } = limitsOf(pass.platform, metadata.namespace)
  const { size } = spec.storage
  if (limit === null || compareQuantities(size, limit) <= 0) return null
  const { claims } = observeRuntime(runtimeNamespace(organizationId), pass.caches)
  const had = largestRequest(claims)
  if (had !== null && compareQuantities(size, had) <= 0) return null
  const isLarger = had !== null && compareQuantities(had, limit) > 0
  return stalled(
    'LimitReached',
    `spec.storage.size: at most ${isLarger ? had : limit} expected; the platform allows ${limit} in namespace ${metadata.namespace}${isLarger ? `, and the volumes have ${had}` : ''}`,
  )
}
