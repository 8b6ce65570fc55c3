import { AppError } from '../../common/errors.ts'
import { canonicalJson } from '../../common/state-document.ts'
import { hashToken, mintToken } from '../../common/token.ts'
import type { Organization } from '../api/organization.ts'
import { tokenSecretName, type IssuedToken, type Token } from '../api/token.ts'
import { tokenSecret } from '../desired/secrets.ts'
import { isPassing } from '../kube/errors.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { isPaused } from '../naming/labels.ts'
import { awaiting, progressing, saidReady } from '../status/standing.ts'
import { tokenStatus, withLastUses } from '../status/token.ts'
import { eachInTime } from './each.ts'
import { issuedToken, planIssue } from './issue.ts'
import { markIssue, readSecret, type Issue, type SecretFound } from './issue-mark.ts'
import type { PendingString } from './memory.ts'
import type { Pass } from './pass.ts'
import { isSuperseded, newestFirst, nextCreatedAt, rotationDueMs, superseded } from './rotation.ts'
import { fromPlan, kept, knownTokens, stillKnown, tokenProblem, type TokenDecision } from './tokens.ts'
import { eventTarget, writeStatus } from './write.ts'

const shortestLookMs = 10_000
const looksPerSecond = 20

/**
 * There is no watch on Secrets, so each is read again from time to time: every 10 s on an installation of up to 200
 * Tokens, and on a larger one as often as 20 reads a second allow.
 */
export function secretLookMs(tokenCount: number): number {
  return Math.max(shortestLookMs, (tokenCount / looksPerSecond) * 1_000)
}

/**
 * Looks at the Secrets whose turn it is, those that were not looked at for longest first, and makes those that are
 * missing. A new string is in status before any node accepts it: so a pass can push from status alone, without a look
 * at any Secret, and revoke nothing that somebody was given.
 * @param isAccepted whether every node that may be asked accepts the string of that hash
 * @returns whether all whose turn it is were looked at
 */
export async function lookAtSecrets(
  pass: Pass,
  organization: Organization,
  organizationId: string,
  tokens: readonly Token[],
  looked: Map<string, TokenDecision>,
  isAccepted: (hash: string) => boolean,
): Promise<boolean> {
  const nowMs = pass.clock.monotonicMs()
  const everyMs = secretLookMs(pass.caches.tokens.size)
  for (const token of tokens) {
    // A process that has just begun takes the word of the one before it until a round of looks has passed.
    const isVouched = saidReady(token) && stillKnown(pass, token, organizationId).length > 0
    if (isVouched && !pass.memory.look(token.metadata.uid))
      pass.memory.looked(token.metadata.uid, { atMs: nowMs, hold: null })
  }
  const lastMs = (token: Token): number => pass.memory.look(token.metadata.uid)?.atMs ?? -Infinity
  const due = tokens.filter((token) => {
    if (token.spec.hash !== null || tokenProblem(token) || isPaused(token.metadata)) return false
    const look = pass.memory.look(token.metadata.uid)
    if (!look || look.isFailed || nowMs - look.atMs >= everyMs) return true
    const pending = pass.memory.pending(token.metadata.uid)
    // One that a node does not accept yet is in nobody's way, and its Secret is looked at in its turn.
    if (pending) return isAccepted(pending.hash)
    if (isRotationDue(pass, token, organizationId)) return true
    return look.hold === null && stillKnown(pass, token, organizationId).length === 0
  })
  const inTurn = due.toSorted((a, b) => Math.sign(lastMs(a) - lastMs(b)) || 0)
  return eachInTime(pass.clock, inTurn, async (token) => {
    const scene = { pass, organization, organizationId, token, isAccepted }
    looked.set(token.metadata.uid, await lookAtSecret(scene))
  })
}

/** One Token of an organization, and what is asked of its string. */
interface Scene {
  readonly pass: Pass
  readonly organization: Organization
  readonly organizationId: string
  readonly token: Token
  readonly isAccepted: (hash: string) => boolean
}

function isRotationDue(pass: Pass, token: Token, organizationId: string): boolean {
  const [newest] = newestFirst(stillKnown(pass, token, organizationId))
  const dueMs = newest ? rotationDueMs(token, newest.createdAt) : null
  return dueMs !== null && dueMs <= pass.now.getTime()
}

async function lookAtSecret(scene: Scene): Promise<TokenDecision> {
  const { pass, organization, organizationId, token } = scene
  const known = stillKnown(pass, token, organizationId)
  const { uid } = token.metadata
  try {
    // Of a new Token there is no Secret, most likely.
    const isUnseen = (pass.memory.look(uid)?.isFailed ?? true) && token.status?.binding === undefined
    const isNew = known.length === 0 && isUnseen
    const decision = (isNew && (await issueFirst(scene))) || (await settleSecret(scene, known))
    await sayNewString(pass, organization, organizationId, decision)
    pass.memory.looked(uid, { atMs: pass.clock.monotonicMs(), hold: decision.hold })
    return decision
  } catch (error) {
    // One Token's trouble must not hold up the others. A right that was bound a moment ago may not be known everywhere.
    if (!(error instanceof AppError) || pass.signal.aborted || error.code === 'ERR_KUBE_FENCED') throw error
    if (isPassing(error) && !pass.memory.look(uid)?.isFailed) {
      pass.memory.looked(uid, { atMs: pass.clock.monotonicMs(), hold: null, isFailed: true })
      return { ...kept(token, known, null, pass.now), needsRetry: true, isUnsaid: true }
    }
    const hold =
      error.kind === 'forbidden' && !pass.memory.isStuck(pass.key)
        ? progressing('Progressing', 'the operator has no right to the Secret yet')
        : progressing('ApiRefused', error.message)
    pass.memory.looked(uid, { atMs: pass.clock.monotonicMs(), hold, isFailed: true })
    return { ...kept(token, known, hold, pass.now), needsRetry: true }
  }
}

/** Status names a string, and the end that it has of its own, before nodes do. */
async function sayNewString(
  pass: Pass,
  organization: Organization,
  organizationId: string,
  decision: TokenDecision,
): Promise<void> {
  const { token, tokens, secretName, hold } = decision
  const known = new Map(knownTokens(token, organizationId).map((issued) => [issued.hash, issued]))
  const isSaid = (issued: IssuedToken): boolean => {
    const said = known.get(issued.hash)
    return said !== undefined && (!isSuperseded(token, issued) || said.expiresAt === issued.expiresAt)
  }
  if (tokens.every(isSaid)) return
  const { namespace, name } = token.metadata
  const live = pass.caches.tokens.get(namespace, name)
  if (live?.metadata.uid !== token.metadata.uid) return
  // As the end of the pass will say it, as far as can be told now: what is said twice is written twice.
  const standing = hold ?? awaiting(organization)
  // Of one that is rotated all else that was said holds: nodes accept what its Secret has.
  const isRotated = tokens.some(({ hash }) => known.has(hash))
  const status =
    isRotated && token.status
      ? { ...token.status, tokens: withLastUses(tokens, token.status.tokens) }
      : tokenStatus(token, { organizationId, tokens, secretName, standing }, pass.now)
  await writeStatus(pass, pass.caches.tokens, live, status)
}

/** Looks at the Secret and makes it what the plan says. Each step can be repeated after a crash at any point. */
async function settleSecret(scene: Scene, known: readonly IssuedToken[]): Promise<TokenDecision> {
  const { pass, organizationId, token } = scene
  const { uid, namespace } = token.metadata
  const secret = await pass.client.get(resources.secrets, { namespace, name: nameOf(token) })
  const found = readSecret(pass.authority.operatorKey, uid, organizationId, secret)
  const isRevoked = (id: string): boolean => pass.memory.isRevoked(organizationId, id)
  const pending = pass.memory.pending(uid)
  const plan = planIssue(token, known, found, pass.now, isRevoked, pending?.hash ?? null)
  if (plan.action === 'switch' && pending && found.kind === 'issued')
    return switchSecret(scene, plan.tokens, found, pending)
  pass.memory.forgetPending(uid)
  if (found.kind === 'issued' && plan.action !== 'mint') await refresh(scene, found)
  if (plan.action !== 'mint' && plan.action !== 'rotate') return fromPlan(token, plan)
  if (known.length > 0 && !(await isLive(pass, token)))
    return { ...kept(token, known, null, pass.now), needsRetry: true, isUnsaid: true }
  const tokenString = mintToken(organizationId)
  const issue = { hash: hashToken(tokenString), createdAt: nextCreatedAt(token, known, pass.now) }
  if (plan.action === 'rotate') {
    pass.memory.keepPending(uid, { tokenString, ...issue })
    const tokens = [issuedToken(token, issue), ...plan.tokens]
    return { ...fromPlan(token, { action: 'keep', tokens }), needsRetry: true }
  }
  const written = await place(pass, found, builder(scene)(tokenString, issue.createdAt))
  if (!written) return fromPlan(token, { action: 'refuse' })
  return issued(pass, token, issue, known)
}

type Issued = Extract<SecretFound, { readonly kind: 'issued' }>

/** The address of the gateway, or who is to be trusted, may have changed, or somebody took a label; the string stays. */
async function refresh(scene: Scene, { secret, token, issue }: Issued): Promise<void> {
  const wanted = over(secret, builder(scene)(token, issue.createdAt))
  if (canonicalJson(wanted) !== canonicalJson(secret)) await scene.pass.client.replace(wanted)
}

/** Gives those who read the Secret the string that waits, once no node would refuse it; those before it get their ends. */
async function switchSecret(
  scene: Scene,
  tokens: readonly IssuedToken[],
  found: Issued,
  pending: PendingString,
): Promise<TokenDecision> {
  const { pass, token } = scene
  if (!scene.isAccepted(pending.hash))
    return { ...fromPlan(token, { action: 'keep', tokens }), needsRetry: true }
  await pass.client.replace(over(found.secret, builder(scene)(pending.tokenString, pending.createdAt)))
  pass.memory.forgetPending(token.metadata.uid)
  pass.log.info({ token: token.metadata.name, secret: nameOf(token) }, 'token string rotated')
  const [newest, ...before] = tokens
  const ended = before.map((one) => superseded(token, one, pass.now))
  const until = ended[0]?.expiresAt
  const message = `Secret ${nameOf(token)} has a new token string; the one before it is accepted until ${until}`
  pass.events.record(eventTarget(token), 'Normal', 'TokenRotated', message)
  return fromPlan(token, { action: 'keep', tokens: newest ? [newest, ...ended] : [] })
}

/**
 * The Secret of a Token that is gone, of which no watch has told, is collected: one that is made in its place would be too,
 * again and again.
 */
async function isLive(pass: Pass, { metadata: { namespace, name, uid } }: Token): Promise<boolean> {
  const live = await pass.client.get(resources.tokens, { namespace, name })
  if (live && live.metadata.uid !== uid) pass.caches.tokens.observe(live, false)
  return live?.metadata.uid === uid
}

/** @returns null where there is a Secret of that name, or no string is to be made: then all is to be looked at */
async function issueFirst(scene: Scene): Promise<TokenDecision | null> {
  const { pass, organizationId, token } = scene
  const plan = planIssue(token, [], { kind: 'absent' }, pass.now)
  if (plan.action !== 'mint') return null
  const tokenString = mintToken(organizationId)
  const issue = { hash: hashToken(tokenString), createdAt: nextCreatedAt(token, [], pass.now) }
  const secret = builder(scene)(tokenString, issue.createdAt)
  return (await place(pass, { kind: 'absent' }, secret)) ? issued(pass, token, issue, []) : null
}

function issued(pass: Pass, token: Token, issue: Issue, known: readonly IssuedToken[]): TokenDecision {
  const { name } = token.metadata
  pass.log.info({ token: name, secret: nameOf(token) }, 'token string issued')
  // Of a new Token its status says so; that there is another string than somebody was given is more.
  if (known.length > 0) {
    const message = `Secret ${nameOf(token)} was changed or deleted: new token string`
    pass.events.record(eventTarget(token), 'Normal', 'TokenIssued', message)
  }
  return fromPlan(token, { action: 'keep', tokens: [issuedToken(token, issue)] })
}

const nameOf = (token: Token): string => tokenSecretName(token) ?? token.metadata.name

/** Makes the Secret of a string, with the proof that it was made here. */
function builder({ pass, organization, organizationId, token }: Scene) {
  return (tokenString: string, createdAt: string): KubeObject => {
    const made = tokenSecret({
      token,
      tokenString,
      organizationId,
      organizationName: organization.metadata.name,
      platform: pass.platform,
    })
    const issue = { hash: hashToken(tokenString), createdAt }
    const marks = markIssue(pass.authority.operatorKey, token.metadata.uid, issue)
    return {
      ...made,
      metadata: { ...made.metadata, annotations: { ...made.metadata.annotations, ...marks } },
    }
  }
}

/** @returns false if somebody else made a Secret of that name meanwhile */
async function place(pass: Pass, found: SecretFound, secret: KubeObject): Promise<boolean> {
  if (found.kind === 'edited' || found.kind === 'issued') {
    await pass.client.replace(over(found.secret, secret))
    return true
  }
  try {
    await pass.client.create(secret)
    return true
  } catch (error) {
    if (error instanceof AppError && error.code === 'ERR_KUBE_ALREADY_EXISTS') return false
    throw error
  }
}

/** The new content in the place of exactly what was read; labels and annotations of others stay. */
function over(live: KubeObject, wanted: KubeObject): KubeObject {
  return {
    ...live,
    metadata: {
      ...live.metadata,
      labels: { ...live.metadata.labels, ...wanted.metadata.labels },
      annotations: { ...live.metadata.annotations, ...wanted.metadata.annotations },
    },
    data: wanted['data'],
  }
}
