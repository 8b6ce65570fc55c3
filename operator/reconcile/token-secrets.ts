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
import { awaiting, progressing, saidReady, wholeSeconds } from '../status/standing.ts'
import { tokenStatus } from '../status/token.ts'
import { eachInTime } from './each.ts'
import { issuedToken, planIssue } from './issue.ts'
import { markIssue, readSecret, type Issue, type SecretFound } from './issue-mark.ts'
import type { Pass } from './pass.ts'
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
 * @returns whether all whose turn it is were looked at
 */
export async function lookAtSecrets(
  pass: Pass,
  organization: Organization,
  organizationId: string,
  tokens: readonly Token[],
  looked: Map<string, TokenDecision>,
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
    return look.hold === null && stillKnown(pass, token, organizationId).length === 0
  })
  const inTurn = due.toSorted((a, b) => Math.sign(lastMs(a) - lastMs(b)) || 0)
  return eachInTime(pass.clock, inTurn, async (token) => {
    looked.set(token.metadata.uid, await lookAtSecret(pass, organization, organizationId, token))
  })
}

async function lookAtSecret(
  pass: Pass,
  organization: Organization,
  organizationId: string,
  token: Token,
): Promise<TokenDecision> {
  const known = stillKnown(pass, token, organizationId)
  const { uid } = token.metadata
  try {
    // Of a new Token there is no Secret, most likely.
    const isUnseen = (pass.memory.look(uid)?.isFailed ?? true) && token.status?.binding === undefined
    const isNew = known.length === 0 && isUnseen
    const decision =
      (isNew && (await issueFirst(pass, organization, organizationId, token))) ||
      (await settleSecret(pass, organization, organizationId, token, known))
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

/** Status names a string before nodes do. */
async function sayNewString(
  pass: Pass,
  organization: Organization,
  organizationId: string,
  decision: TokenDecision,
): Promise<void> {
  const { token, tokens, secretName, hold } = decision
  const known = new Set(knownTokens(token, organizationId).map(({ hash }) => hash))
  if (tokens.every(({ hash }) => known.has(hash))) return
  const { namespace, name } = token.metadata
  const live = pass.caches.tokens.get(namespace, name)
  if (live?.metadata.uid !== token.metadata.uid) return
  // As the end of the pass will say it, as far as can be told now: what is said twice is written twice.
  const standing = hold ?? awaiting(organization)
  const status = tokenStatus(token, { organizationId, tokens, secretName, standing }, pass.now)
  await writeStatus(pass, pass.caches.tokens, live, status)
}

/** Looks at the Secret and makes it what the plan says. Each step can be repeated after a crash at any point. */
async function settleSecret(
  pass: Pass,
  organization: Organization,
  organizationId: string,
  token: Token,
  known: readonly IssuedToken[],
): Promise<TokenDecision> {
  const { uid, namespace } = token.metadata
  const name = nameOf(token)
  const secret = await pass.client.get(resources.secrets, { namespace, name })
  const found = readSecret(pass.authority.operatorKey, uid, organizationId, secret)
  const plan = planIssue(token, known, found, pass.now, (id) => pass.memory.isRevoked(organizationId, id))
  const build = builder(pass, organization, organizationId, token)
  if (plan.action === 'keep' && found.kind === 'issued') {
    // The address of the gateway, or who is to be trusted, may have changed, or somebody took a label; the string stays.
    const wanted = over(found.secret, build(found.token, found.issue.createdAt))
    if (canonicalJson(wanted) !== canonicalJson(found.secret)) await pass.client.replace(wanted)
  }
  if (plan.action !== 'mint') return fromPlan(token, plan)
  if (known.length > 0 && !(await isLive(pass, token)))
    return { ...kept(token, known, null, pass.now), needsRetry: true, isUnsaid: true }
  const tokenString = mintToken(organizationId)
  const issue = { hash: hashToken(tokenString), createdAt: newestTime(known, pass.now) }
  const written = await place(pass, found, build(tokenString, issue.createdAt))
  if (!written) return fromPlan(token, { action: 'refuse' })
  return issued(pass, token, issue, known)
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
async function issueFirst(
  pass: Pass,
  organization: Organization,
  organizationId: string,
  token: Token,
): Promise<TokenDecision | null> {
  const plan = planIssue(token, [], { kind: 'absent' }, pass.now)
  if (plan.action !== 'mint') return null
  const tokenString = mintToken(organizationId)
  const issue = { hash: hashToken(tokenString), createdAt: newestTime([], pass.now) }
  const secret = builder(pass, organization, organizationId, token)(tokenString, issue.createdAt)
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
function builder(pass: Pass, organization: Organization, organizationId: string, token: Token) {
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

/** Later than every string before, so that an old one that is put back can be told from a new one. */
function newestTime(known: readonly IssuedToken[], now: Date): string {
  const newestMs = Math.max(0, ...known.map(({ createdAt }) => Date.parse(createdAt)))
  return wholeSeconds(new Date(Math.max(now.getTime(), newestMs + 1_000)))
}
