import type { HibernationStatus, Organization } from '../api/organization.ts'
import type { PodReport, Runtime } from '../observe/runtime.ts'
import { progressing, ready, wholeSeconds, type Standing } from './standing.ts'
import { everyNodeConfirmed, nowhereElse } from './storage-nodes.ts'

/**
 * The way of an organization into hibernation and out of it:
 *
 *     none -> Stopping     spec.hibernation is Now; from the next pass on the StatefulSet has no replicas
 *     -> Hibernated        no pod is left
 *     -> Waking            it is Never again: clients' paths are closed, and then pods are made
 *     -> none              every node has confirmed the state document, and the paths are opened
 *
 * A node that starts serves the document that it kept when no newer one comes in time. While it was away tokens were
 * revoked without its confirmation, so nobody may reach it before it has the newest. What is said of the pods may be one
 * step behind them, so while they stop nothing is held to be revoked without a node's word.
 */
export function nextHibernation(
  { spec, status }: Organization,
  runtime: Runtime,
  reports: readonly PodReport[],
  now: Date,
): HibernationStatus | null {
  const known = status?.hibernation ?? null
  const step =
    spec.hibernation === 'Now'
      ? stepAsleep(known, runtime)
      : known && (everyNodeConfirmed(runtime.pods, reports) ? null : 'Waking')
  if (step === null) return null
  return step === known?.step ? known : { step, since: wholeSeconds(now) }
}

type Step = HibernationStatus['step']

function stepAsleep(known: HibernationStatus | null, { statefulSet, pods }: Runtime): Step {
  if (statefulSet?.replicas === 0 && pods.length === 0) return 'Hibernated'
  // What was closed stays closed until the pods are gone again.
  return known?.step ?? 'Stopping'
}

/** No node accepts any more what the state document does not hold, nor will one that starts next. */
export function isRevokedEverywhere(
  { status }: Organization,
  { pods }: Runtime,
  reports: readonly PodReport[],
): boolean {
  const needsWord = status?.hibernation?.step === 'Stopping'
  return nowhereElse(pods, reports) && (!needsWord || reports.some(({ result }) => result === 'confirmed'))
}

/** Whether nothing runs, as it should be. */
export const isHibernated = ({ spec }: Organization, { pods }: Runtime): boolean =>
  spec.hibernation === 'Now' && pods.length === 0

/** Whether pods run or are to run since a time that is known: then it can be told whether they come up. */
export const isAwake = ({ spec, status }: Organization): boolean =>
  spec.hibernation !== 'Now' && (status?.hibernation === undefined || status.hibernation.step === 'Waking')

/** How an organization stands that is to hibernate, null if it is not. */
export function asleepStanding(
  { spec }: Organization,
  { pods }: Runtime,
  next: HibernationStatus | null,
): Standing | null {
  if (spec.hibernation !== 'Now') return null
  return next?.step === 'Hibernated'
    ? ready('no pod runs, as spec.hibernation says; data, keys and tokens are kept', 'Hibernated')
    : progressing('Hibernating', `${pods.length} storage nodes are stopping`)
}

/**
 * How an organization stands that is awake or wakes: nobody is served before the paths are open.
 * @param standing how its storage nodes stand
 */
export function wakingStanding(
  { status }: Organization,
  next: HibernationStatus | null,
  standing: Standing,
): Standing {
  const isWaking = status?.hibernation !== undefined || next !== null
  const wouldServe = standing.state === 'ready' || standing.serves !== undefined
  return isWaking && wouldServe
    ? progressing('Waking', 'the storage node is up to date; the paths to it are being opened')
    : standing
}
