import { runtimeNamespace } from '../../common/ids.ts'
import type { Condition } from '../api/conditions.ts'
import { databaseName, type Database } from '../api/database.ts'
import type { EncryptionStatus, HibernationStatus, Organization, StorageStatus } from '../api/organization.ts'
import type { IssuedToken } from '../api/token.ts'
import { existingStorageNodes } from '../desired/existing.ts'
import { databaseIdIn } from '../desired/holdings.ts'
import { versionOf } from '../desired/template.ts'
import { isPaused } from '../naming/labels.ts'
import { organizationIdOf } from '../naming/organization-id.ts'
import type { Observed, Seen } from '../observe/observed.ts'
import { databaseStatus } from '../status/database.ts'
import type { Integrity } from '../status/integrity.ts'
import type { IsolationReport } from '../status/isolation.ts'
import { organizationStatus, pausedStatus } from '../status/organization.ts'
import {
  awaiting,
  awaitingConfirmation,
  organizationNotReady,
  progressing,
  ready,
  type Standing,
} from '../status/standing.ts'
import { storageStatus } from '../status/storage.ts'
import { tokenStatus } from '../status/token.ts'
import { upgradeStatus } from '../status/upgrade.ts'
import { eachInTime } from './each.ts'
import { living, membersWait } from './members.ts'
import type { Pass } from './pass.ts'
import { proofToSay } from './isolation.ts'
import type { Settled } from './settled.ts'
import type { TokenDecision } from './tokens.ts'
import { sayOfOrganization, sayUnreadable } from './unreadable.ts'
import { saysMore, writeStatus } from './write.ts'

const begun = progressing('Progressing', 'the operator has begun')

/** Gives an Organization that has no conditions its first ones. */
export async function sayFirst(pass: Pass, observed: Observed): Promise<void> {
  const seen = observed.organization
  if (seen?.parsed && isNew(seen.parsed)) await sayNothingMade(pass, seen, seen.parsed, begun)
}

/** Why an Organization has not got what it is to take over. */
export async function sayWithout(pass: Pass, observed: Observed, standing: Standing): Promise<void> {
  const seen = observed.organization
  if (!seen?.parsed) return
  await sayNothingMade(pass, seen, seen.parsed, standing)
  pass.metrics.tenantIs(pass.key, 'stalled')
}

async function sayNothingMade(
  pass: Pass,
  seen: Seen<Organization>,
  organization: Organization,
  standing: Standing,
): Promise<void> {
  const facts = {
    // One that is named is not its own before it has taken it over.
    organizationId: organization.spec.restoreFrom === null ? organizationIdOf(organization) : null,
    runtimeNamespace: null,
    version: null,
    upgrade: null,
    storage: null,
    stateDigest: null,
    integrity: null,
    isolation: null,
    isolationProof: null,
    encryption: null,
    hibernation: null,
    standing,
  }
  await sayOfOrganization(pass, seen, organizationStatus(organization, facts, pass.now))
}

/**
 * Gives Databases and Tokens that have no conditions their first ones: such an object would pass for a healthy one.
 * @returns whether all had their turn
 */
export function sayMembersFirst(pass: Pass, observed: Observed): Promise<boolean> {
  const databases = living(observed.databases).filter(({ parsed }) => isNew(parsed))
  const tokens = living(observed.tokens).filter(({ parsed }) => isNew(parsed))
  const seen = observed.organization?.parsed
  return membersWait(pass, { ...observed, databases, tokens }, seen ? awaiting(seen) : begun)
}

/**
 * Writes what a pass came to.
 * @param observed read again after the pass's own writes
 * @returns whether all had their turn
 */
export async function sayStatuses(pass: Pass, observed: Observed, settled: Settled): Promise<boolean> {
  await sayOrganization(pass, observed, { ...settled, digest: settled.isServed ? settled.digest : null })
  await sayUnreadable(pass, observed)
  const { databases, tokens } = pass.caches
  const served = new Set(settled.databases.served.map(({ metadata }) => metadata.uid))
  const names = new Set(settled.databases.served.map(databaseName))
  const decisions = new Map(settled.tokens.map((decision) => [decision.token.metadata.uid, decision]))
  const writes: (() => Promise<unknown>)[] = []
  for (const { object, parsed } of living(observed.databases)) {
    const status = databaseSays(pass, settled, parsed, served.has(parsed.metadata.uid))
    if (saysMore(object, status)) writes.push(() => writeStatus(pass, databases, object, status))
  }
  for (const { object, parsed } of living(observed.tokens)) {
    const decision = decisions.get(parsed.metadata.uid)
    if (!decision || decision.isUnsaid) continue
    const facts = {
      organizationId: settled.organizationId,
      tokens: decision.tokens,
      secretName: decision.secretName,
      standing: tokenStanding(settled, decision, names, parsed.status?.tokens ?? []),
      uses: settled.tokenUses,
    }
    const status = isPaused(parsed.metadata)
      ? pausedStatus(parsed.status, pass.now)
      : tokenStatus(parsed, facts, pass.now)
    if (saysMore(object, status)) writes.push(() => writeStatus(pass, tokens, object, status))
  }
  return eachInTime(pass.clock, writes, (write) => write())
}

function databaseSays(pass: Pass, settled: Settled, database: Database, isServed: boolean) {
  if (isPaused(database.metadata)) return pausedStatus(database.status, pass.now)
  const hold = settled.databases.holds.get(database.metadata.uid)
  const facts = {
    databaseId: databaseIdIn(settled.databases.holdings, database),
    organizationId: isServed ? settled.organizationId : null,
    standing: hold ?? memberStanding(settled, database, 'served', true),
  }
  return databaseStatus(database, facts, pass.now)
}

export async function sayOrganization(
  pass: Pass,
  observed: Observed,
  settled: Pick<Settled, 'organizationId' | 'runtime' | 'standing' | 'rollout'> & {
    readonly integrity: Integrity | null
    readonly isolation: IsolationReport | null
    readonly encryption: EncryptionStatus | null
    readonly growth: NonNullable<StorageStatus['growth']> | null
    readonly hibernation: HibernationStatus | null
    /** What every node that serves has confirmed, null for nothing new. */
    readonly digest: string | null
  },
): Promise<void> {
  const { runtime, standing, organizationId, rollout } = settled
  const seen = observed.organization
  if (!seen?.parsed) return
  const previous = seen.parsed.status
  const nodes = existingStorageNodes(runtime.statefulSet?.object ?? null)
  const facts = {
    organizationId,
    runtimeNamespace: runtime.namespace ? runtimeNamespace(organizationId) : null,
    version: (rollout ? versionOf(rollout.from) : nodes?.version) ?? previous?.version ?? null,
    // While the StatefulSet is replaced nothing of this changes.
    upgrade: rollout ? upgradeStatus(rollout) : nodes ? null : (previous?.upgrade ?? null),
    storage: storageStatus(previous?.storage, nodes, runtime, settled.growth),
    stateDigest: settled.digest ?? previous?.stateDigest ?? null,
    integrity: settled.integrity,
    isolation: settled.isolation?.finding ?? null,
    isolationProof: proofToSay(seen.parsed, settled.isolation, runtime, pass.now),
    encryption: settled.encryption,
    hibernation: settled.hibernation,
    standing,
  }
  await sayOfOrganization(pass, seen, organizationStatus(seen.parsed, facts, pass.now))
  pass.metrics.tenantIs(pass.key, standing.state === 'progressing' ? 'reconciling' : standing.state)
}

function tokenStanding(
  settled: Settled,
  decision: TokenDecision,
  databaseNames: ReadonlySet<string>,
  before: readonly IssuedToken[],
): Standing {
  if (decision.hold) return decision.hold
  const missing = decision.token.spec.permissions
    .map(({ database }) => database)
    .find((name) => name !== null && name !== '*' && !databaseNames.has(name))
  if (missing !== undefined) {
    return progressing(
      'DatabaseNotFound',
      `spec.permissions: the organization has no database "${missing}" yet; the token works for those it has`,
    )
  }
  const isUnchanged =
    decision.tokens.length === before.length &&
    decision.tokens.every(({ hash }) => before.some((known) => known.hash === hash))
  return memberStanding(settled, decision.token, 'accepted', isUnchanged)
}

/**
 * What is in force on every node is ready, and stays so when a node restarts: it keeps its document. So a restart
 * writes one status and not one for each Token.
 */
function memberStanding(
  { isServed, standing, organization, isHibernated }: Settled,
  member: {
    readonly metadata: { readonly generation: number }
    readonly status?: { readonly conditions: readonly Condition[] } | undefined
  },
  verb: string,
  isUnchanged: boolean,
): Standing {
  const before = member.status?.conditions.find(({ type }) => type === 'Ready')
  const wasReady = before?.status === 'True' && before.observedGeneration === member.metadata.generation
  if (isHibernated && !(wasReady && isUnchanged && before.reason === 'Ready'))
    return ready(`${verb} when the organization wakes, before any client is served`, 'Hibernated')
  if (isServed || (wasReady && isUnchanged)) return ready(`${verb} by every storage node`)
  return standing.state === 'ready' ? awaitingConfirmation : organizationNotReady(organization.metadata.name)
}

function isNew({ status }: { readonly status?: { readonly conditions: readonly unknown[] } | undefined }) {
  return (status?.conditions.length ?? 0) === 0
}
