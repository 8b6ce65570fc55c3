import { hibernationOf } from '../api/hibernation.ts'
import type { HibernationStatus, Organization } from '../api/organization.ts'
import type { PodReport, Runtime } from '../observe/runtime.ts'
import { nextHibernation, untilIdleMs } from '../status/hibernation.ts'
import type { Pass } from './pass.ts'
import { eventTarget } from './write.ts'

interface Scene {
  readonly pass: Pass
  readonly organization: Organization
  readonly organizationId: string
  readonly runtime: Runtime
  readonly reports: readonly PodReport[]
}

/** Where an organization's hibernation stands after this pass. */
interface HibernationStand {
  /** null of one that is awake. */
  readonly hibernation: HibernationStatus | null
  /** When to look again at the latest, null for no such time. */
  readonly lookAgainMs: number | null
}

/**
 * The next step of hibernation, by what the spec says, what the nodes say of their use, and who asks for the
 * organization.
 * @param isSettled nothing else is under way that needs its nodes
 */
export function hibernate(scene: Scene, isSettled: boolean): HibernationStand {
  const { pass, organization, organizationId, runtime, reports } = scene
  const restMs = untilIdleMs(organization, runtime, reports)
  const isWell = reports.every(({ damage = [], troubles = [] }) => damage.length + troubles.length === 0)
  const wantedBy = pass.wakes.wantedBy(organizationId)
  const calls = {
    isIdle: restMs !== null && restMs <= 0 && isSettled && isWell,
    isWanted: wantedBy !== null,
  }
  const hibernation = nextHibernation(organization, runtime, reports, calls, pass.now)
  const step = hibernation?.step
  if (step === hibernationOf(organization)?.step)
    return { hibernation, lookAgainMs: restMs !== null && restMs > 0 ? restMs : null }
  sayStep(pass, organization, step, wantedBy)
  // Status is nothing that a watch asks for a pass by.
  return { hibernation, lookAgainMs: 0 }
}

/** What goes by use is told of: nobody has changed a spec. */
function sayStep(
  { events, log }: Pass,
  organization: Organization,
  step: HibernationStatus['step'] | undefined,
  wantedBy: string | null,
): void {
  const { hibernation, idleAfter } = organization.spec
  log.info({ step: step ?? 'awake', wantedBy }, 'hibernation')
  if (hibernation !== 'WhenIdle') return
  const target = eventTarget(organization)
  if (step === 'Stopping') {
    events.record(target, 'Normal', 'Hibernating', `nobody was served for ${idleAfter}`)
  } else if (step === 'Waking' && wantedBy !== null) {
    events.record(target, 'Normal', 'Waking', `a request with token ${wantedBy} came`)
  }
}
