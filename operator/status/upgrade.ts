import type { Organization, UpgradeStatus } from '../api/organization.ts'
import type { Platform } from '../api/platform.ts'
import type { Rollout } from '../desired/rollout.ts'
import { versionOf } from '../desired/template.ts'
import { annotationKeys } from '../naming/labels.ts'
import type { PodReport, PodView, Runtime } from '../observe/runtime.ts'
import { progressing, stalled, whileServing, wholeSeconds, type Standing } from './standing.ts'
import { everyNodeConfirmed, servingPods } from './storage-nodes.ts'

/** A container on its first start may be reading a long log: it has as much longer as its startup probe gives it. */
const firstStartMs = 900_000

const messageLimit = 2_048

/** Every node is ready under the wanted form, and has said that it serves what it should. */
export function isUp({ statefulSet, pods }: Runtime, reports: readonly PodReport[]): boolean {
  if (!statefulSet?.rolledOut) return false
  const fresh = servingPods(pods).filter(({ revision }) => revision === statefulSet.revision)
  return fresh.length > 0 && fresh.length >= statefulSet.replicas && everyNodeConfirmed(pods, reports)
}

/** A form of the pods that is not ready after this time is taken back. */
export const rolloutLimitMs = ({ storageNode }: Pick<Platform, 'storageNode'>): number =>
  storageNode.rolloutLimitMinutes * 60_000

/**
 * When a phase is over whatever has come of it, in Unix milliseconds.
 * @param limitMs of the platform (`rolloutLimitMs`)
 */
export function lateAtMs(
  { startedAt }: Rollout,
  { status }: Pick<Organization, 'status'>,
  { statefulSet, pods }: Runtime,
  limitMs: number,
): number {
  const isFirstStart = pods.some(
    ({ revision, running, ready, restarts }) =>
      running && !ready && restarts === 0 && revision === statefulSet?.revision,
  )
  // What slept meanwhile has had no time before it woke.
  const wokeAt = status?.hibernation?.since ?? startedAt
  const beganMs = Math.max(Date.parse(startedAt), Date.parse(wokeAt))
  return beganMs + limitMs + (isFirstStart ? firstStartMs : 0)
}

/** Why the pods are not ready, as they and their nodes say themselves. */
export function failureOf({ pods }: Runtime, reports: readonly PodReport[]): string {
  const failing = pods.find((pod) => !pod.ready)
  const report = reports.find(({ result }) => result !== 'confirmed')
  const said = report && report.result !== 'confirmed' ? [`${report.pod.name}: ${report.message}`] : []
  const what = failing ? [`${failing.name}: ${troubleOf(failing)}`] : said
  return (what[0] ?? 'no pod could be made').slice(0, messageLimit)
}

function troubleOf({ trouble, lastExit, running }: PodView): string {
  const state = trouble ?? (running ? 'runs and is not ready' : 'does not run')
  return lastExit === null ? state : `${state}; its last run ${lastExit}`
}

/** What status says of a rollout. */
export function upgradeStatus({ phase, from, to, startedAt, message }: Rollout): UpgradeStatus {
  const upgrade = {
    from: versionOf(from),
    to: versionOf(to),
    phase,
    startedAt: wholeSeconds(new Date(startedAt)),
  }
  return { ...upgrade, ...(message !== undefined && { message }) }
}

/**
 * How an organization stands while its pods are another form or have come back from one.
 * @param nodes how the storage nodes stand by themselves
 */
export function upgradeStanding(
  rollout: Rollout,
  organization: Organization,
  runtime: Runtime,
  nodes: Standing,
  { now, limitMs }: { readonly now: Date; readonly limitMs: number },
): Standing {
  const { phase, message = '' } = rollout
  const { tried, before } = namesOf(rollout)
  if (phase === 'Rolling') {
    const back = isWayBack(rollout)
      ? ''
      : `. Where it is not ready within ${minutes(limitMs)} min, ${minutes(limitMs + firstStartMs)} if its first start takes that long, ${before} comes back`
    const failing = runtime.pods.find((pod) => !pod.ready && (pod.trouble ?? pod.lastExit) !== null)
    const said = failing
      ? `${failing.name}: ${troubleOf(failing)}`
      : nodes.state === 'stalled' && nodes.message
    return progressing('Upgrading', `${tried} is taken into use${said ? `: ${said}` : ''}${back}`)
  }
  const failed = `${tried} did not come up: ${message}`
  const isLate = now.getTime() >= lateAtMs(rollout, organization, runtime, limitMs)
  if (phase === 'RollingBack' && !isLate) return progressing('RollingBack', `${failed}. ${before} comes back`)
  const served = nodes.state === 'ready' ? `${before} serves` : `${before} is back: ${nodes.message}`
  return stalled('UpgradeRolledBack', `${failed}. ${served}. ${remedyOf(rollout)}`)
}

/**
 * How an organization stands that sleeps and whose pods have come back from another form: nobody waits for what cannot be
 * tried before it wakes.
 * @param asleep how it stands by itself
 */
export function asleepUpgradeStanding(rollout: Rollout | null, asleep: Standing): Standing {
  if (rollout?.phase !== 'RolledBack' || asleep.state !== 'ready') return asleep
  const { tried, before } = namesOf(rollout)
  const failed = `${tried} did not come up: ${rollout.message ?? ''}`
  const said = `${failed}. ${before} comes back when it wakes. ${remedyOf(rollout)}`
  return whileServing(stalled('UpgradeRolledBack', said), asleep)
}

/** A wish to go back to what served: there is nothing behind it. */
export function isWayBack({ from, to }: Rollout): boolean {
  return from.inputs === to.inputs
}

function namesOf({ from, to }: Rollout): { readonly tried: string; readonly before: string } {
  const [old, next] = [versionOf(from), versionOf(to)]
  if (old !== next || from.inputs === to.inputs) return { tried: `version ${next}`, before: `version ${old}` }
  return {
    tried: `version ${next} with other resources, scheduling or pull policy`,
    before: `version ${old} with those of before`,
  }
}

const onceMore = `. To try it once more as it is, give the annotation ${annotationKeys.retry} another value`

function remedyOf({ from, to }: Rollout): string {
  const [old, next] = [versionOf(from), versionOf(to)]
  return old === next
    ? `It is not tried again as it is: name another class in spec.class, or change what the class gives${onceMore}`
    : `It is not tried again as it is: set spec.version to "${old}" or another version; "${next}" is tried again after that, or when the platform names another image for it${onceMore}`
}

const minutes = (milliseconds: number): number => milliseconds / 60_000
