import type { HibernationStatus, Organization } from './organization.ts'

/**
 * Whether no pod of an organization is to run. What hibernates when it is idle does so from when its status says that
 * until its status says that it wakes: so a spec that somebody keeps in Git is fought over by nobody, and every leader
 * finds what the one before it had decided.
 */
export function isToSleep({ spec, status }: Pick<Organization, 'spec' | 'status'>): boolean {
  const step = status?.hibernation?.step
  if (spec.hibernation === 'WhenIdle') return step === 'Stopping' || step === 'Hibernated'
  return spec.hibernation === 'Now'
}

/**
 * How far hibernation is, null of one that is awake. One that takes over data wakes, until its nodes have confirmed a
 * document of its own: on the volume they find one with tokens that nobody may use any more.
 */
export function hibernationOf({ metadata, spec, status }: Organization): HibernationStatus | null {
  if (status?.hibernation) return status.hibernation
  if (spec.restoreFrom === null || status?.stateDigest !== undefined) return null
  return { step: 'Waking', since: metadata.creationTimestamp }
}
