import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { stateDigest, type StateDocument } from '../../common/state-document.ts'
import type { Organization } from '../api/organization.ts'
import type { Token } from '../api/token.ts'
import type { Result } from '../controller/controller.ts'
import { nextExpiryMs, stateDocument } from '../desired/state-document.ts'
import { isPaused } from '../naming/labels.ts'
import { observeRuntime, observeTenant } from '../observe/observe.ts'
import type { Observed, Seen } from '../observe/observed.ts'
import type { PodReport } from '../observe/runtime.ts'
import { progressing, stalled, type Standing } from '../status/standing.ts'
import { everyNodeConfirmed, storageNodesStanding } from '../status/storage-nodes.ts'
import { decideDatabases, type DatabaseDecisions } from './databases.ts'
import { rememberGoodForms } from './last-good.ts'
import { makeRuntime } from './make-runtime.ts'
import { finishDatabases, finishTokens, membersWait } from './members.ts'
import type { Pass } from './pass.ts'
import { pushDocument } from './push.ts'
import type { Settled } from './settled.ts'
import { sayFirst, sayOrganization, sayStatuses } from './say.ts'
import { decideTokens, secretLookMs, type TokenDecision } from './tokens.ts'
import { unreadableStanding } from './unreadable.ts'
import { ensureFinalizer } from './write.ts'

/** Everything is looked at again after this time, and up to a fifth longer, so that tenants do not come together. */
const resyncMs = 300_000

/** Revived tokens that one pass learns of, one a document. */
const revivedLimit = 16

/** A pass over an Organization that is there, can be read, and is not being deleted. */
export async function settleOrganization(
  pass: Pass,
  observed: Observed,
  organization: Organization,
): Promise<Result> {
  const organizationId = idOfUid(organization.metadata.uid)
  // Said before any slow work: a new object with no conditions would pass for a healthy one.
  await sayFirst(pass, observed, organizationId)
  await holdOn(pass, observed)
  const { hold, refused, served, forms } = await makeRuntime(pass, organization, organizationId)
  const databases = decideDatabases(served ?? organization, observed.databases, forms.databases)
  const unknown = databases.unknown === null ? null : stalled('FormUnknown', databases.unknown)
  if (served === null || unknown !== null) {
    await leaveInForce(pass, observed, organization, hold ?? unknown ?? stalled('FormUnknown', ''))
    if (refused) throw refused
    return { requeueAfterMs: nextLookMs(pass, true, false, null) }
  }
  const good = { organization: served.spec, databases: databases.forms }
  const tooLarge = await rememberGoodForms(pass, organizationId, good)
  if (tooLarge !== null) {
    await leaveInForce(pass, observed, organization, stalled('LimitReached', tooLarge))
    return { requeueAfterMs: nextLookMs(pass, true, false, null) }
  }
  const { tokens, document, runtime, reports } = await bringIntoForce(pass, observed, served, databases)
  for (const report of reports) if (report.result !== 'confirmed') pushFailed(pass, report)

  const ends = [
    await finishTokens(pass, organizationId, observed, runtime, reports),
    await finishDatabases(pass, organizationId, observed, runtime, reports),
  ]
  const wasReady = organization.status?.stateDigest !== undefined
  const standing = hold ?? unreadableStanding(observed) ?? storageNodesStanding(runtime, reports, wasReady)
  const confirmed = everyNodeConfirmed(runtime.pods, reports)
  const digest = stateDigest(document)
  await sayStatuses(pass, observedNow(pass, observed), {
    organization,
    organizationId,
    hold,
    runtime,
    reports,
    digest,
    databases,
    tokens,
    standing,
    confirmed,
  })
  if (refused) throw refused
  const isSettled =
    ends.every(Boolean) &&
    reports.every(({ result }) => result === 'confirmed') &&
    tokens.every(({ needsRetry }) => !needsRetry)
  const hasSecrets = tokens.some(({ secretName }) => secretName !== null)
  return { requeueAfterMs: nextLookMs(pass, isSettled, hasSecrets, nextExpiryMs(document)) }
}

/**
 * Changes nothing on the nodes: what they serve goes on, also over a restart, since they keep their document. Where
 * none runs there is nothing to change.
 */
async function leaveInForce(
  pass: Pass,
  observed: Observed,
  organization: Organization,
  standing: Standing,
): Promise<void> {
  const organizationId = idOfUid(organization.metadata.uid)
  const runtime = observeRuntime(runtimeNamespace(organizationId), pass.caches)
  await finishTokens(pass, organizationId, observed, runtime, [])
  await finishDatabases(pass, organizationId, observed, runtime, [])
  const now = observedNow(pass, observed)
  await sayOrganization(pass, now, { organizationId, runtime, standing, digest: null })
  const { name } = organization.metadata
  const message = `Organization ${name} is not ready; its conditions say why`
  await membersWait(pass, now, progressing('OrganizationNotReady', message))
}

/**
 * Makes the state document and brings it into force. A token that a node has revoked for ever is left out of a second
 * document: it must not keep all the others from being served.
 */
async function bringIntoForce(
  pass: Pass,
  observed: Observed,
  organization: Organization,
  databases: DatabaseDecisions,
): Promise<Pick<Settled, 'tokens' | 'runtime' | 'reports'> & { readonly document: StateDocument }> {
  const organizationId = idOfUid(organization.metadata.uid)
  for (let attempt = 1; ; attempt += 1) {
    const tokens = await decideTokens(pass, organization, organizationId, observed.tokens)
    const document = stateDocument(organization, databases.served, tokens.map(withTokens), pass.now.getTime())
    const runtime = observeRuntime(runtimeNamespace(organizationId), pass.caches)
    const reports = await pushDocument(pass.nodes, runtime.pods, document, pass.signal)
    const revived = reports
      .flatMap((report) =>
        report.result === 'refused' && report.revokedTokenId !== undefined ? [report.revokedTokenId] : [],
      )
      .filter((id) => document.tokens.some((token) => token.id === id)) // a node's word counts for what it was sent
    if (revived.length === 0 || attempt === revivedLimit) return { tokens, document, runtime, reports }
    for (const id of revived) pass.memory.revoke(organizationId, id)
    pass.log.warn({ tokenIds: revived }, 'tokens are revoked for ever')
  }
}

/** Finalizers: from here on the objects' ends are the operator's to arrange. */
async function holdOn(pass: Pass, observed: Observed): Promise<void> {
  const { organizations, databases, tokens } = pass.caches
  const { key } = observed
  const current = organizations.get(key.namespace, key.name)
  if (current) await ensureFinalizer(pass, organizations, current)
  for (const [store, members] of [
    [databases, observed.databases],
    [tokens, observed.tokens],
  ] as const) {
    for (const { object } of members) {
      if (isPaused(object.metadata)) continue
      await ensureFinalizer(pass, store, store.get(key.namespace, object.metadata.name) ?? object)
    }
  }
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

/**
 * The objects as they are after this pass's own writes. What came or was edited meanwhile is left out: this pass knows
 * nothing of it, and the watch has asked for another.
 */
function observedNow(pass: Pass, observed: Observed): Observed {
  const now = observeTenant(observed.key, pass.caches)
  const isSame = ({ object }: Seen<unknown>, before: readonly (Seen<unknown> | null)[]): boolean =>
    before.some(
      (seen) =>
        seen?.object.metadata.uid === object.metadata.uid &&
        seen?.object.metadata.generation === object.metadata.generation,
    )
  return {
    key: now.key,
    organization:
      now.organization && isSame(now.organization, [observed.organization]) ? now.organization : null,
    databases: now.databases.filter((seen) => isSame(seen, observed.databases)),
    tokens: now.tokens.filter((seen) => isSame(seen, observed.tokens)),
  }
}

function nextLookMs(pass: Pass, isSettled: boolean, hasSecrets: boolean, expiryMs: number | null): number {
  if (!isSettled) return pass.memory.nextRetryMs(pass.key)
  pass.memory.succeeded(pass.key)
  const everyMs = hasSecrets ? Math.min(resyncMs, secretLookMs(pass.caches.tokens.list().length)) : resyncMs
  const resync = everyMs * (1 + pass.random() / 5)
  return expiryMs === null ? resync : Math.min(resync, Math.max(0, expiryMs - pass.now.getTime()))
}

/** A Token that holds what was decided, as if its status said so already. */
function withTokens({ token, tokens }: TokenDecision): Token {
  const status = token.status ?? { conditions: [], tokens: [] }
  return { ...token, status: { ...status, tokens: [...tokens] } }
}
