import { stateDigest } from '../../common/state-document.ts'
import type { Organization } from '../api/organization.ts'
import type { Result } from '../controller/controller.ts'
import { nextExpiryMs } from '../desired/state-document.ts'
import { organizationIdOf } from '../naming/organization-id.ts'
import type { Observed } from '../observe/observed.ts'
import type { PodReport, Runtime } from '../observe/runtime.ts'
import { damageStanding, integrityOf } from '../status/integrity.ts'
import { progressing, stalled, type Standing } from '../status/standing.ts'
import {
  asleepStanding,
  isAwake,
  isHibernated,
  isRevokedEverywhere,
  wakingStanding,
} from '../status/hibernation.ts'
import { growingStanding, servingStanding } from '../status/storage.ts'
import { isServed, nowhereElse } from '../status/storage-nodes.ts'
import { asleepUpgradeStanding, rolloutLimitMs, upgradeStanding } from '../status/upgrade.ts'
import { growVolumes } from './grow-volumes.ts'
import { hibernate } from './hibernate.ts'
import { bringIntoForce, leaveInForce, type InForce } from './in-force.ts'
import { isolationOf, requireIsolation } from './isolation.ts'
import { makeRuntime, type Made } from './make-runtime.ts'
import { finishDatabases, finishTokens, living, membersWait, releaseMembers } from './members.ts'
import type { Pass } from './pass.ts'
import { rollOut } from './roll-out.ts'
import { rotateDataKey, type DataKeyStand } from './rotate-data-key.ts'
import { nextRotationMs } from './rotation.ts'
import { takeOver } from './restore.ts'
import { runtimeSecretsLookMs } from './runtime-secrets.ts'
import { sayFirst, sayMembersFirst, sayStatuses, sayWithout } from './say.ts'
import type { Settled } from './settled.ts'
import { placeProblem } from './tenant-limits.ts'
import { lookAtSecrets, secretLookMs } from './token-secrets.ts'
import { lookAtTokenUses } from './token-uses.ts'
import type { TokenDecision } from './tokens.ts'
import { sayCannotBeRead, unreadableStanding } from './unreadable.ts'
import { held, holdOrganization, observedNow, welcome } from './welcome.ts'

/** Everything is looked at again after this time, and up to a fifth longer, so that tenants do not come together. */
const resyncMs = 300_000
/** A node in trouble goes back to normal without anything that is watched. */
const troubledLookMs = 30_000
/** A certificate that is due and cannot be renewed is tried again by then. */
const soonestRenewalMs = 1_000

/**
 * A pass over an Organization that is there and is not being deleted.
 * @param unread what of it cannot be read, null where all can be: its last good spec goes on then, and all else of it
 */
export async function settleOrganization(
  pass: Pass,
  observed: Observed,
  organization: Organization,
  unread: Standing | null,
): Promise<Result> {
  // Said before any slow work: a new object with no conditions would pass for a healthy one.
  await sayFirst(pass, observed)
  await holdOrganization(pass, observed)
  const refusal = placeProblem(pass, organization) ?? (await takeOver(pass, organization, unread))
  return refusal ? stayWithout(pass, observed, refusal) : settle(pass, observed, organization, unread)
}

/**
 * What status says of its members is brought into force first, so that nothing keeps a revocation waiting; then
 * everything that takes a request for each member has some time, and what that came to is brought into force too.
 */
async function settle(
  pass: Pass,
  observed: Observed,
  organization: Organization,
  unread: Standing | null,
): Promise<Result> {
  const organizationId = organizationIdOf(organization)
  const made = await makeRuntime(pass, organization, organizationId, unread)
  const { refused, passing, served, forms, mustLookAgain = false } = made
  if (passing && !served) throw passing
  if (unread && !served) return leaveUnread(pass, observed, unread, made)
  const looked = new Map<string, TokenDecision>()
  const bring = (members: Observed, before: InForce | null): Promise<InForce | Standing> =>
    served
      ? bringIntoForce(pass, members, served, forms, looked, before)
      : Promise.resolve(made.hold ?? stalled('FormUnknown', ''))

  const first = await bring(held(pass, observed), null)
  const welcomed = await welcome(pass, observed)
  const members = held(pass, observed)
  const inTime =
    served && 'document' in first
      ? await lookAtSecrets(
          pass,
          served,
          organizationId,
          living(members.tokens).map(parsedOf),
          looked,
          acceptedBy(first),
        )
      : true
  const settled = 'document' in first ? await bring(members, first) : first
  if (!('document' in settled)) {
    const said = await leaveInForce(pass, observed, organization, made.hold ?? settled)
    if (refused ?? passing) throw refused ?? passing
    return { requeueAfterMs: welcomed && said ? nextLookMs(pass, !mustLookAgain, false, null) : 0 }
  }

  const { tokens, document, databases, runtime, reports, stored } = settled
  const hold = made.hold ?? settled.hold
  for (const report of reports) if (isOpen(report)) pushFailed(pass, report)
  const heard = { runtime, reports, isRevoked: isRevokedEverywhere(organization, runtime, reports) }
  const ends = [
    await finishTokens(pass, organizationId, observed, heard),
    await finishDatabases(pass, organizationId, observed, heard, stored.problem ? null : databases.holdings),
  ]
  if (passing) throw passing
  const wasReady = organization.status?.stateDigest !== undefined
  const integrity = integrityOf(runtime, reports)
  const scene = { pass, organization: served ?? organization, organizationId, runtime, reports }
  // A pass that could not make all of the pods what they are to be judges none of them.
  const underWay = await goOn(scene, !refused, hold === null && ends.every(Boolean))
  const isolation = isolationOf(pass, scene.organization, organizationId, runtime)
  const nodesStand = standingOf(scene, underWay, wasReady)
  const isolated = requireIsolation(pass, organization, nodesStand, isolation)
  const standing =
    hold ?? underWay.lostKey ?? damageStanding(integrity) ?? unreadableStanding(observed) ?? isolated
  const said = await sayStatuses(pass, observedNow(pass, members), {
    organization,
    organizationId,
    hold,
    runtime,
    reports,
    digest: stateDigest(document),
    databases,
    tokens,
    tokenUses: await lookAtTokenUses(pass, organizationId, reports),
    standing,
    integrity,
    isolation,
    ...underWay,
    isHibernated: isHibernated(scene.organization, runtime),
    isServed: isServed(runtime.pods, reports),
  })
  if (refused) throw refused
  const isAllSeen = welcomed && inTime && said
  const mustRetry =
    mustLookAgain ||
    reports.some(isOpen) ||
    !ends.every(Boolean) ||
    tokens.some(({ needsRetry }) => needsRetry)
  if (!mustRetry && !isAllSeen) return { requeueAfterMs: 0 }
  const hasSecrets = tokens.some(({ secretName }) => secretName !== null)
  const lookMs = nextLookMs(pass, !mustRetry, hasSecrets, nextExpiryMs(document, pass.now.getTime()))
  const isTroubled = reports.some(({ troubles = [] }) => troubles.length > 0)
  const dueMs = (pass.memory.runtimeLook(organizationId)?.dueMs ?? Infinity) - pass.now.getTime()
  const sooner = [
    underWay.lookAgainMs ?? lookMs,
    isTroubled ? troubledLookMs : lookMs,
    Math.max(soonestRenewalMs, dueMs),
    nextRotationMs(tokens, pass.now.getTime()) - pass.now.getTime(),
  ]
  return { requeueAfterMs: Math.min(lookMs, ...sooner) }
}

/** Neither what is asked for nor what was can be read: all stays as it is, and new members are told. */
async function leaveUnread(
  pass: Pass,
  observed: Observed,
  { message }: Standing,
  { refused, mustLookAgain }: Made,
): Promise<Result> {
  const { organization } = observedNow(pass, observed)
  if (organization) {
    const { object } = organization
    await sayCannotBeRead(pass, pass.caches.organizations, { object, problem: message })
  }
  const said = await sayMembersFirst(pass, observed)
  pass.metrics.tenantIs(pass.key, 'stalled')
  if (refused) throw refused
  return { requeueAfterMs: said ? nextLookMs(pass, !mustLookAgain, false, null) : 0 }
}

/**
 * What has no place, or not got the data that it names, is no organization yet: nothing runs for it, and nothing is looked at that runs
 * for another one of that id. A change of that namespace is told of by its watch.
 */
async function stayWithout(pass: Pass, observed: Observed, standing: Standing): Promise<Result> {
  await releaseMembers(pass, observed)
  const now = observedNow(pass, observed)
  await sayWithout(pass, now, standing)
  const message = `Organization ${observed.key.name} is not ready; its conditions say why`
  const said = await membersWait(pass, now, progressing('OrganizationNotReady', message))
  return { requeueAfterMs: said ? nextLookMs(pass, true, false, null) : 0 }
}

interface Scene {
  readonly pass: Pass
  readonly organization: Organization
  readonly organizationId: string
  readonly runtime: Runtime
  readonly reports: readonly PodReport[]
}

/** Takes the next step of everything that takes many passes. @param isDone nothing else is left to be done */
async function goOn(scene: Scene, isMade: boolean, isDone: boolean) {
  const { organization, runtime } = scene
  // A key is changed by nodes that run.
  const dataKey = isHibernated(organization, runtime) ? noStand : await rotateDataKey(scene)
  const grown = await growVolumes(scene)
  const rolled = await rollOut(scene, isMade && isAwake(organization))
  const { rollout } = rolled
  const { growth } = grown
  const isRotating = (dataKey.encryption ?? organization.status?.encryption)?.rotation !== undefined
  const slept = hibernate(scene, isDone && rollout === null && growth === null && !isRotating)
  const all = [dataKey.lookAgainMs, grown.lookAgainMs, rolled.lookAgainMs, slept.lookAgainMs]
  const looks = all.filter((ms) => ms !== null)
  const soonestMs = looks.length === 0 ? null : Math.min(...looks)
  return {
    encryption: dataKey.encryption,
    lostKey: dataKey.lostKey,
    growth,
    hibernation: slept.hibernation,
    rollout,
    lookAgainMs: soonestMs,
  }
}

const noStand: DataKeyStand = { encryption: null, lookAgainMs: null, lostKey: null }

function standingOf(
  scene: Scene,
  { growth, hibernation, rollout }: Pick<Settled, 'growth' | 'hibernation' | 'rollout'>,
  wasReady: boolean,
): Standing {
  const { organization, runtime, pass } = scene
  const asleep = asleepStanding(organization, runtime, hibernation)
  if (asleep) return growingStanding(asleepUpgradeStanding(rollout, asleep), runtime, growth)
  const nodes = growingStanding(servingStanding(scene, wasReady, growth), runtime, growth)
  const moment = { now: pass.now, limitMs: rolloutLimitMs(pass.platform) }
  const standing = rollout ? upgradeStanding(rollout, organization, runtime, nodes, moment) : nodes
  return wakingStanding(organization, hibernation, standing)
}

/** Whether every node accepts the string of a hash: those that run said so, and no other is to run. */
function acceptedBy({ document, runtime, reports }: InForce): (hash: string) => boolean {
  const { pods, statefulSet } = runtime
  const isEverywhere = pods.length >= (statefulSet?.replicas ?? 0) && nowhereElse(pods, reports)
  const isAll = isEverywhere && pods.every(({ running }) => running)
  return (hash) => isAll && document.tokens.some((token) => token.hash === hash)
}

function isOpen(report: PodReport): report is PodReport & { readonly message: string } {
  return report.result !== 'confirmed'
}

function pushFailed(pass: Pass, report: PodReport & { readonly message: string }): void {
  // A node that has just started refuses connections for a moment; that is no failure.
  if (report.pod.ready || report.result === 'refused') {
    pass.metrics.pushFailed()
    pass.log.warn(
      { pod: report.pod.name, result: report.result, reason: report.message },
      'state document not in force',
    )
  }
}

function nextLookMs(pass: Pass, isSettled: boolean, hasSecrets: boolean, expiryMs: number | null): number {
  if (!isSettled) return pass.memory.nextRetryMs(pass.key)
  pass.memory.succeeded(pass.key)
  const { organizations, tokens } = pass.caches
  const everyMs = Math.min(
    resyncMs,
    runtimeSecretsLookMs(organizations.size),
    hasSecrets ? secretLookMs(tokens.size) : resyncMs,
  )
  const resync = everyMs * (1 + pass.random() / 5)
  return expiryMs === null ? resync : Math.min(resync, Math.max(0, expiryMs - pass.now.getTime()))
}

const parsedOf = <Kind>({ parsed }: { readonly parsed: Kind }): Kind => parsed
