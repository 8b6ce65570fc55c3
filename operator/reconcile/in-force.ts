import { runtimeNamespace } from '../../common/ids.ts'
import { stateDigest, type StateDocument } from '../../common/state-document.ts'
import { hibernationOf } from '../api/hibernation.ts'
import type { Database } from '../api/database.ts'
import type { Organization } from '../api/organization.ts'
import type { Token } from '../api/token.ts'
import { existingStorageNodes } from '../desired/existing.ts'
import { recordedRollout } from '../desired/rollout.ts'
import { databaseIdIn } from '../desired/holdings.ts'
import { stateDocument } from '../desired/state-document.ts'
import { organizationIdOf } from '../naming/organization-id.ts'
import { observeRuntime } from '../observe/observe.ts'
import type { Observed, Seen } from '../observe/observed.ts'
import type { PodReport, Runtime } from '../observe/runtime.ts'
import { isRevokedEverywhere } from '../status/hibernation.ts'
import { organizationNotReady, stalled, type Standing } from '../status/standing.ts'
import { decideDatabases, servedAsSaid, type DatabaseDecisions } from './databases.ts'
import { rememberGoodForms, type GoodForms } from './last-good.ts'
import { finishDatabases, finishTokens, membersWait } from './members.ts'
import type { Pass } from './pass.ts'
import { pushDocument } from './push.ts'
import { sayOrganization } from './say.ts'
import { decideTokens, type TokenDecision } from './tokens.ts'
import { observedNow } from './welcome.ts'

/** The form in which an organization and its databases are to be in force. */
interface Decided {
  readonly organization: Organization
  readonly databases: DatabaseDecisions
  /** What is remembered of it. */
  readonly stored: GoodForms
  /** Why what is new in the specs is not in force, null if all is. */
  readonly hold: Standing | null
}

/** What was decided and what the nodes said to it. */
export interface InForce extends Decided {
  readonly document: StateDocument
  readonly tokens: readonly TokenDecision[]
  readonly runtime: Runtime
  readonly reports: readonly PodReport[]
}

/** Revived tokens that one pass learns of, one a document. */
const revivedLimit = 16

/**
 * Makes the state document and brings it into force. A token that a node has revoked for ever is left out of a second
 * document: it must not keep all the others from being served.
 * @param looked what was found in Tokens' Secrets in this pass, by uid
 * @param before what this pass brought into force already: the nodes are not asked again for the same
 * @returns why nothing may be changed on the nodes, if that is so
 */
export async function bringIntoForce(
  pass: Pass,
  observed: Observed,
  organization: Organization,
  remembered: GoodForms,
  looked: ReadonlyMap<string, TokenDecision>,
  before: InForce | null,
): Promise<InForce | Standing> {
  const organizationId = organizationIdOf(organization)
  const known = before
    ? { ...before.stored, databases: new Map([...remembered.databases, ...before.stored.databases]) }
    : remembered
  const decided = await decide(pass, organization, observed.databases, known)
  if (!('databases' in decided)) return decided
  const { databases } = decided
  for (let attempt = 1; ; attempt += 1) {
    const tokens = decideTokens(pass, organizationId, observed.tokens, looked)
    const accepted = tokens.map(withTokens)
    const document = stateDocument(decided.organization, databases.served, accepted, (database) =>
      databaseIdIn(databases.holdings, database),
    )
    if (before && stateDigest(document) === stateDigest(before.document))
      return { ...before, ...decided, document, tokens }
    const runtime = observeRuntime(runtimeNamespace(organizationId), pass.caches)
    const reports = await pushDocument(pass.nodes, runtime.pods, document, pass.signal)
    const revived = reports
      .flatMap((report) =>
        report.result === 'refused' && report.revokedTokenId !== undefined ? [report.revokedTokenId] : [],
      )
      // A node's word counts for what it was sent.
      .filter((id) => document.tokens.some((token) => token.id === id))
    if (revived.length === 0 || attempt === revivedLimit)
      return { ...decided, document, tokens, runtime, reports }
    for (const id of revived) pass.memory.revoke(organizationId, id)
    pass.log.warn({ tokenIds: revived }, 'tokens are revoked for ever')
  }
}

/**
 * Decides on the specs, and remembers them before they come into force. Where that cannot be, those that are in force go
 * on, and so does all else: whether a token is revoked must not depend on it.
 * @returns why nothing may be changed on the nodes, if that is so
 */
async function decide(
  pass: Pass,
  organization: Organization,
  databases: readonly Seen<Database>[],
  known: GoodForms,
): Promise<Decided | Standing> {
  const organizationId = organizationIdOf(organization)
  if (known.problem !== null) {
    const said = { ...known, ...servedAsSaid(databases, organizationId) }
    return goOn(organization, databases, said, stalled('FormUnknown', known.problem))
  }
  const decided = decideDatabases(organization, databases, known)
  if (decided.unknown !== null) return stalled('FormUnknown', decided.unknown)
  const good = {
    owner: organization.metadata.uid,
    organization: organization.spec,
    databases: decided.forms,
    holdings: decided.holdings,
    problem: null,
  }
  const tooLarge = await rememberGoodForms(pass, organizationId, good)
  if (tooLarge === null) return { organization, databases: decided, stored: good, hold: null }
  const hold = stalled('LimitReached', tooLarge)
  if (known.organization === null) return hold
  return goOn({ ...organization, spec: known.organization }, databases, known, hold)
}

/** Nothing new comes into force. @param hold why */
function goOn(
  organization: Organization,
  databases: readonly Seen<Database>[],
  known: GoodForms,
  hold: Standing,
): Decided | Standing {
  const decided = decideDatabases(organization, databases, known, hold)
  if (decided.unknown !== null) return stalled('FormUnknown', decided.unknown)
  return { organization, databases: decided, stored: known, hold }
}

/**
 * Changes nothing on the nodes: what they serve goes on, also over a restart, since they keep their document. Where
 * none runs there is nothing to change.
 * @returns whether all members were told
 */
export async function leaveInForce(
  pass: Pass,
  observed: Observed,
  organization: Organization,
  standing: Standing,
): Promise<boolean> {
  const organizationId = organizationIdOf(organization)
  const runtime = observeRuntime(runtimeNamespace(organizationId), pass.caches)
  const signer = { organizationId, ownerKey: pass.authority.operatorKey }
  const heard = { runtime, reports: [], isRevoked: isRevokedEverywhere(organization, runtime, []) }
  await finishTokens(pass, organizationId, observed, heard)
  await finishDatabases(pass, organizationId, observed, heard, [])
  const now = observedNow(pass, observed)
  await sayOrganization(pass, now, {
    organizationId,
    runtime,
    standing,
    digest: null,
    integrity: null,
    isolation: null,
    encryption: null,
    // It goes on when there is something in force again.
    growth: organization.status?.storage?.growth ?? null,
    rollout: recordedRollout(signer, existingStorageNodes(runtime.statefulSet?.object ?? null)),
    hibernation: hibernationOf(organization),
  })
  return membersWait(pass, now, organizationNotReady(organization.metadata.name))
}

/** A Token that holds what was decided, as if its status said so already. */
function withTokens({ token, tokens }: TokenDecision): Token {
  const status = token.status ?? { conditions: [], tokens: [] }
  return { ...token, status: { ...status, tokens: [...tokens] } }
}
