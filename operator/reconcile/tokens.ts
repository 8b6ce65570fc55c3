import { unreachable } from '../../common/errors.ts'
import { tokenId } from '../../common/ids.ts'
import { tokenRules, violations } from '../api/cel.ts'
import { tokenSecretName, type IssuedToken, type Token } from '../api/token.ts'
import { unsupportedInToken } from '../api/unsupported.ts'
import { isPaused } from '../naming/labels.ts'
import type { Seen } from '../observe/observed.ts'
import { progressing, ready, stalled, whileServing, type Standing } from '../status/standing.ts'
import { planEnd, planForeignHash, type IssuePlan } from './issue.ts'
import type { Pass } from './pass.ts'
import { rotationProblem } from './rotation.ts'
import { lenientToken } from './unreadable.ts'
import { isDeleting } from './write.ts'

/** What a pass decided about one Token. */
export interface TokenDecision {
  readonly token: Token
  /** The strings that nodes are to know: they accept each until its end. */
  readonly tokens: readonly IssuedToken[]
  /** The Secret that holds the string, null if none does. */
  readonly secretName: string | null
  /** What stands in the way; null: only the nodes' confirmation. */
  readonly hold: Standing | null
  /** The API server did not do what was asked; it is to be asked again soon. */
  readonly needsRetry?: boolean
  /** One more try may mend it, or has done so without an answer: nothing is said of it before that. */
  readonly isUnsaid?: true
}

/**
 * Decides on all Tokens of an organization that are not being deleted, from what status says and what was found in
 * their Secrets.
 * @param looked by uid; what a look at the Secret came to
 */
export function decideTokens(
  pass: Pass,
  organizationId: string,
  tokens: readonly Seen<Token>[],
  looked: ReadonlyMap<string, TokenDecision>,
): readonly TokenDecision[] {
  const decided = tokens
    .filter(({ object }) => !isDeleting(object))
    .flatMap(({ object, parsed, problem }): readonly TokenDecision[] => {
      const found = looked.get(object.metadata.uid ?? '')
      if (found) {
        const stillGood = found.tokens.filter(({ id }) => !pass.memory.isRevoked(organizationId, id))
        return [{ ...found, tokens: stillGood }]
      }
      if (parsed) return [decideToken(pass, organizationId, parsed)]
      const token = lenientToken(object)
      const hold = stalled('InvalidSpec', problem ?? '')
      return token ? [kept(token, stillKnown(pass, token, organizationId), hold, pass.now)] : []
    })
  return withoutTwins(decided)
}

function decideToken(pass: Pass, organizationId: string, token: Token): TokenDecision {
  const known = stillKnown(pass, token, organizationId)
  const problem = tokenProblem(token)
  // What was issued once stays in force, also while its spec cannot be acted on or is paused.
  if (problem || isPaused(token.metadata)) return kept(token, known, problem, pass.now)
  if (token.spec.hash === null) {
    const waits = known.length === 0 ? progressing('Progressing', 'its Secret is to be made') : null
    return kept(token, known, pass.memory.look(token.metadata.uid)?.hold ?? waits, pass.now)
  }
  if (!isRevokedForEver(pass, organizationId, token, token.spec.hash))
    return fromPlan(token, planForeignHash(token, token.spec.hash, known, pass.now))
  const message = 'spec.hash: this token was deleted before, which is for ever; make another one'
  return { token, tokens: [], secretName: null, hold: stalled('Revoked', message) }
}

/** What a plan for a Token's string comes to. */
export function fromPlan(token: Token, plan: IssuePlan): TokenDecision {
  const name = tokenSecretName(token)
  switch (plan.action) {
    case 'keep':
      return { token, tokens: plan.tokens, secretName: name, hold: null }
    case 'expired':
      return {
        token,
        tokens: plan.tokens,
        secretName: name,
        hold: stalled('Expired', `spec.expiresAfter: ended at ${plan.endedAt}; make another Token`),
      }
    case 'full': {
      const until = plan.until === null ? '' : ` until ${plan.until}`
      const message = `its rotation waits${until}: ${plan.tokens.length} token strings are in force; spec.rotation.overlap may be shorter`
      return {
        token,
        tokens: plan.tokens,
        secretName: name,
        hold: whileServing(progressing('RotationWaits', message), ready('accepted by every storage node')),
      }
    }
    case 'switch':
    case 'rotate':
      return { token, tokens: plan.tokens, secretName: name, hold: null }
    case 'refuse':
    case 'mint':
      return {
        token,
        tokens: [],
        secretName: null,
        hold: stalled(
          'SecretNotOurs',
          `spec.secretName: Secret ${name} exists and does not belong to this Token; delete it, or make another Token with another secretName`,
        ),
      }
    default:
      return unreachable(plan)
  }
}

/** What was issued stays in force, until its end by the nodes' clocks. */
export function kept(
  token: Token,
  known: readonly IssuedToken[],
  hold: Standing | null,
  now: Date,
): TokenDecision {
  const ended = planEnd(token, known, now)
  if (ended) return fromPlan(token, ended)
  return { token, tokens: known, secretName: token.status?.binding?.name ?? null, hold }
}

/** Nodes said so, to this process or, as status remembers, to one before it. */
function isRevokedForEver(pass: Pass, organizationId: string, token: Token, hash: string): boolean {
  const ready = token.status?.conditions.find(({ type }) => type === 'Ready')
  return ready?.reason === 'Revoked' || pass.memory.isRevoked(organizationId, tokenId(hash))
}

/** The strings that status knows and no node has given up. */
export function stillKnown(pass: Pass, token: Token, organizationId: string): readonly IssuedToken[] {
  return knownTokens(token, organizationId).filter(({ id }) => !pass.memory.isRevoked(organizationId, id))
}

/** The strings that status knows, if they are of this organization and not of one before it under the same name. */
export function knownTokens(token: Token, organizationId: string): readonly IssuedToken[] {
  return token.status?.organizationId === organizationId ? token.status.tokens : []
}

/** Of two Tokens with one hash the older has it, or, once that has ended, the younger. */
function withoutTwins(decisions: readonly TokenDecision[]): readonly TokenDecision[] {
  const holders = new Map<string, string>()
  const hasEnded = ({ hold }: TokenDecision): boolean => hold?.reason === 'Expired'
  for (const { token, tokens } of decisions.toSorted((a, b) => Number(hasEnded(a)) - Number(hasEnded(b))))
    for (const { hash } of tokens) if (!holders.has(hash)) holders.set(hash, token.metadata.name)
  return decisions.map((decision) => {
    const { name } = decision.token.metadata
    const twin = decision.tokens.map(({ hash }) => holders.get(hash)).find((holder) => holder !== name)
    if (twin === undefined) return decision
    const taken = stalled('TokenHashTaken', `spec.hash: Token ${twin} has this hash already`)
    return { ...decision, tokens: [], hold: hasEnded(decision) ? decision.hold : taken }
  })
}

/** Why a Token's spec cannot be acted on, null if it can. */
export function tokenProblem(token: Token): Standing | null {
  const [violation] = violations(tokenRules, token)
  if (violation) return stalled('InvalidSpec', violation.message)
  const rotation = rotationProblem(token)
  if (rotation !== null) return stalled('InvalidSpec', rotation)
  const bound = token.status?.binding?.name
  if (bound !== undefined && bound !== tokenSecretName(token)) {
    const message = `spec.secretName: cannot be changed after creation; set it back to "${bound}" or make another Token`
    return stalled('InvalidSpec', message)
  }
  const [unsupported] = unsupportedInToken(token.spec)
  return unsupported ? stalled('NotYetSupported', unsupported.message) : null
}
