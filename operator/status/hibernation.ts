import { durationMs } from '../../common/duration.ts'
import { hibernationOf, isToSleep } from '../api/hibernation.ts'
import type { HibernationStatus, Organization } from '../api/organization.ts'
import type { PodReport, Runtime } from '../observe/runtime.ts'
import { progressing, ready, wholeSeconds, type Standing } from './standing.ts'
import { everyNodeConfirmed, isServed, nowhereElse } from './storage-nodes.ts'

/** What besides its spec decides whether an organization hibernates. */
export interface Calls {
  /** Its nodes have served nobody for spec.idleAfter, and nothing else is under way. */
  readonly isIdle: boolean
  /** Somebody with a valid token asks for it. */
  readonly isWanted: boolean
}

/**
 * The way of an organization into hibernation and out of it:
 *
 *     none -> Stopping     spec.hibernation is Now, or WhenIdle and it is; from the next pass on the StatefulSet has no replicas
 *     -> Hibernated        no pod is left
 *     -> Waking            it is Never again, or WhenIdle and wanted: clients' paths are closed, and then pods are made
 *     -> none              every node has confirmed the state document, and the paths are opened
 *
 * One that takes over data begins at Waking.
 *
 * A node that starts serves the document that it kept when no newer one comes in time. While it was away tokens were
 * revoked without its confirmation, so nobody may reach it before it has the newest. What is said of the pods may be one
 * step behind them, so while they stop, as while they are to run, nothing is held to be revoked without a node's word.
 */
export function nextHibernation(
  organization: Organization,
  runtime: Runtime,
  reports: readonly PodReport[],
  calls: Calls,
  now: Date,
): HibernationStatus | null {
  const known = hibernationOf(organization)
  const step = nextStep(organization, runtime, reports, calls)
  if (step === null) return null
  return step === known?.step ? known : { step, since: wholeSeconds(now) }
}

type Step = HibernationStatus['step']

function nextStep(
  organization: Organization,
  runtime: Runtime,
  reports: readonly PodReport[],
  { isIdle, isWanted }: Calls,
): Step | null {
  const { spec } = organization
  const known = hibernationOf(organization)
  const goesByUse = spec.hibernation === 'WhenIdle'
  if (isToSleep(organization)) return goesByUse && isWanted ? 'Waking' : stepAsleep(known, runtime)
  const { pods } = runtime
  if (known) return isServed(pods, reports) && nowhereElse(pods, reports) ? null : 'Waking'
  return goesByUse && isIdle && !isWanted ? 'Stopping' : null
}

function stepAsleep(known: HibernationStatus | null, { statefulSet, pods }: Runtime): Step {
  if (statefulSet?.replicas === 0 && pods.length === 0) return 'Hibernated'
  // What was closed stays closed until the pods are gone again.
  return known?.step ?? 'Stopping'
}

/**
 * No node accepts any more what the state document does not hold, nor will one that starts next: that would serve the
 * document that it kept. So one that has served must have said so, unless its paths are closed until it has the newest.
 */
export function isRevokedEverywhere(
  organization: Organization,
  { pods }: Runtime,
  reports: readonly PodReport[],
): boolean {
  const known = hibernationOf(organization)
  const needsWord = known ? known.step === 'Stopping' : organization.status?.stateDigest !== undefined
  return nowhereElse(pods, reports) && (!needsWord || reports.some(({ result }) => result === 'confirmed'))
}

/** Whether nothing runs, as it should be. */
export const isHibernated = (organization: Organization, { pods }: Runtime): boolean =>
  isToSleep(organization) && pods.length === 0

/** Whether pods run or are to run since a time that is known: then it can be told whether they come up. */
export const isAwake = (organization: Organization): boolean => {
  const known = hibernationOf(organization)
  return !isToSleep(organization) && (known === null || known.step === 'Waking')
}

/**
 * How long until the nodes of an organization that is awake may have served nobody for spec.idleAfter: 0 or less when
 * they have. null where it does not go by that, or where a node has not said since when it has served nobody.
 */
export function untilIdleMs(
  organization: Organization,
  { pods }: Runtime,
  reports: readonly PodReport[],
): number | null {
  const { spec } = organization
  if (spec.hibernation !== 'WhenIdle' || hibernationOf(organization) !== null) return null
  if (!everyNodeConfirmed(pods, reports)) return null
  const idlesMs = reports.flatMap(({ idleMs }) => idleMs ?? [])
  if (idlesMs.length < reports.length) return null
  return durationMs(spec.idleAfter) - Math.min(...idlesMs)
}

/** How an organization stands that is to hibernate, null if it is not. */
export function asleepStanding(
  { spec }: Organization,
  { pods }: Runtime,
  next: HibernationStatus | null,
): Standing | null {
  const goes = next?.step === 'Stopping' || next?.step === 'Hibernated'
  if (spec.hibernation !== 'Now' && !goes) return null
  if (next?.step !== 'Hibernated')
    return progressing('Hibernating', `${pods.length} storage nodes are stopping${whyOf(spec)}`)
  const kept = 'data, keys and tokens are kept'
  return ready(
    spec.hibernation === 'Now'
      ? `no pod runs, as spec.hibernation says; ${kept}`
      : `no pod runs${whyOf(spec)}; ${kept}, and a request with a valid token wakes it`,
    'Hibernated',
  )
}

const whyOf = ({ hibernation, idleAfter }: Organization['spec']): string =>
  hibernation === 'WhenIdle' ? `: nobody was served for ${idleAfter}` : ''

/**
 * How an organization stands that is awake or wakes: nobody is served before the paths are open.
 * @param standing how its storage nodes stand
 */
export function wakingStanding(
  organization: Organization,
  next: HibernationStatus | null,
  standing: Standing,
): Standing {
  const isWaking = hibernationOf(organization) !== null || next !== null
  const wouldServe = standing.state === 'ready' || standing.serves !== undefined
  return isWaking && wouldServe
    ? progressing('Waking', 'the storage node is up to date; the paths to it are being opened')
    : standing
}
