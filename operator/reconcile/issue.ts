import { unreachable } from '../../common/errors.ts'
import { tokenId } from '../../common/ids.ts'
import type { IssuedToken, Token } from '../api/token.ts'
import { expiryOf } from '../desired/state-document.ts'
import { wholeSeconds } from '../status/standing.ts'
import type { Issue, SecretFound } from './issue-mark.ts'
import { besideNew, isSuperseded, newestFirst, rotationDueMs, superseded } from './rotation.ts'

/** What is to be done about a Token's string. */
export type IssuePlan =
  /** These strings are in force; nothing is to be made. */
  | { readonly action: 'keep'; readonly tokens: readonly IssuedToken[] }
  /** A new string, in a new Secret or in place of what `found` holds; no string before it stays in force. */
  | { readonly action: 'mint' }
  /** A new string, beside these, which stay; the Secret holds it when every node accepts it. */
  | { readonly action: 'rotate'; readonly tokens: readonly IssuedToken[] }
  /** The Secret is to hold the newest of these, which every node is told of first. */
  | { readonly action: 'switch'; readonly tokens: readonly IssuedToken[] }
  /** It is time for a new string, and there is no room for one before then. */
  | { readonly action: 'full'; readonly until: string | null; readonly tokens: readonly IssuedToken[] }
  /** The Token has ended and none is made; of those that were, nodes know when they ended. */
  | { readonly action: 'expired'; readonly endedAt: string; readonly tokens: readonly IssuedToken[] }
  /** The wanted Secret is somebody else's; no string is in force. */
  | { readonly action: 'refuse' }

/** When the whole Token ends, null for never. */
export function endOf(token: Token): Date | null {
  const end = expiryOf(token)
  return end === null ? null : new Date(end)
}

/** The entry of status for a string that was made at some time. */
export function issuedToken(token: Token, issue: Issue): IssuedToken {
  const end = endOf(token)
  return {
    id: tokenId(issue.hash),
    hash: issue.hash,
    createdAt: issue.createdAt,
    expiresAt: end ? wholeSeconds(end) : null,
  }
}

/**
 * The Secret is the truth for the string: if the operator made what it holds, that is in force, whether status says
 * so already or the process ended between the two writes. What somebody deleted or edited is replaced by a new
 * string. A string that status does not know and that is older than one that it knows was put back by hand, and was given
 * up long ago; one that it knows is to be replaced by the newest, which is `pending` in this process or was lost with another.
 * @param pending hash of the string that waits for its place in the Secret, null for none
 */
export function planIssue(
  token: Token,
  known: readonly IssuedToken[],
  found: SecretFound,
  now: Date,
  isRevoked: (tokenId: string) => boolean = () => false,
  pending: string | null = null,
): IssuePlan {
  const ended = planEnd(token, known, now)
  if (ended) return ended
  switch (found.kind) {
    case 'foreign':
      return { action: 'refuse' }
    case 'absent':
    case 'edited':
      return { action: 'mint' }
    case 'issued':
      return planOfIssued(token, known, found.issue, now, isRevoked, pending)
    default:
      return unreachable(found)
  }
}

function planOfIssued(
  token: Token,
  known: readonly IssuedToken[],
  issue: Issue,
  now: Date,
  isRevoked: (tokenId: string) => boolean,
  pending: string | null,
): IssuePlan {
  const others = newestFirst(known.filter(({ hash }) => hash !== issue.hash))
  const asKnown = known.find(({ hash }) => hash === issue.hash)
  const newer = others.filter(({ createdAt }) => Date.parse(createdAt) > Date.parse(issue.createdAt))
  const isOlder = newer.length > 0
  if ((!asKnown && isOlder) || isRevoked(tokenId(issue.hash))) return { action: 'mint' }
  // What came into the Secret before status knew it was made in place of all before.
  if (!asKnown) return { action: 'keep', tokens: [issuedToken(token, issue)] }
  if (isOlder && newer[0]?.hash === pending) return { action: 'switch', tokens: newestFirst(known) }
  const own = isOlder ? asKnown : issuedToken(token, issue)
  const dueMs = isOlder ? now.getTime() : rotationDueMs(token, issue.createdAt)
  if (dueMs === null || dueMs > now.getTime())
    return { action: 'keep', tokens: [own, ...others.map((one) => superseded(token, one, now))] }
  // Nobody has one that was lost on its way to the Secret. One that was there, before an older one was put back, is in use.
  const had = isSuperseded(token, asKnown) ? others : others.filter((one) => !newer.includes(one))
  const ending = had.map((one) => superseded(token, one, now))
  const room = besideNew([own, ...ending], now)
  return 'tokens' in room
    ? { action: 'rotate', tokens: room.tokens }
    : { action: 'full', until: room.waitsUntil, tokens: newestFirst([own, ...ending]) }
}

/** The one string of a Token whose string was minted elsewhere; none new once the Token has ended. */
export function planForeignHash(
  token: Token,
  hash: string,
  known: readonly IssuedToken[],
  now: Date,
): IssuePlan {
  const ended = planEnd(token, known, now)
  if (ended) return ended
  const createdAt = wholeSeconds(new Date(Date.parse(token.metadata.creationTimestamp)))
  return { action: 'keep', tokens: [issuedToken(token, { hash, createdAt })] }
}

/**
 * Of a Token that has ended, null of another one. Its strings stay with the nodes while it is there: what leaves them is
 * revoked for ever, and it may be this process's clock that runs ahead.
 */
export function planEnd(token: Token, known: readonly IssuedToken[], now: Date): IssuePlan | null {
  const end = endOf(token)
  return end && end <= now ? { action: 'expired', endedAt: wholeSeconds(end), tokens: known } : null
}
