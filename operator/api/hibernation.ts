import type { Organization } from './organization.ts'

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
