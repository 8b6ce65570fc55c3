import { unreachable } from '../../common/errors.ts'
import { tokenId } from '../../common/ids.ts'
import type { IssuedToken, Token } from '../api/token.ts'
import { expiryOf } from '../desired/state-document.ts'
import { wholeSeconds } from '../status/standing.ts'
import type { Issue, SecretFound } from './issue-mark.ts'

/** What is to be done about a Token's string. */
export type IssuePlan =
  /** These strings are in force; nothing is to be made. */
  | { readonly action: 'keep'; readonly tokens: readonly IssuedToken[] }
  /** A new string, in a new Secret or in place of what `found` holds; no string before it stays in force. */
  | { readonly action: 'mint' }
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
 * string. A string older than the one that status knows was put back by hand, and was given up long ago.
 */
export function planIssue(
  token: Token,
  known: readonly IssuedToken[],
  found: SecretFound,
  now: Date,
  isRevoked: (tokenId: string) => boolean = () => false,
): IssuePlan {
  const ended = planEnd(token, known, now)
  if (ended) return ended
  switch (found.kind) {
    case 'foreign':
      return { action: 'refuse' }
    case 'absent':
    case 'edited':
      return { action: 'mint' }
    case 'issued': {
      const { issue } = found
      const isKnown = known.some(({ hash }) => hash === issue.hash)
      const isOlder = known.some(({ createdAt }) => Date.parse(createdAt) > Date.parse(issue.createdAt))
      return (!isKnown && isOlder) || isRevoked(tokenId(issue.hash))
        ? { action: 'mint' }
        : { action: 'keep', tokens: [issuedToken(token, issue)] }
    }
    default:
      return unreachable(found)
  }
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
