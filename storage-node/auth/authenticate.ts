import { timingSafeEqual } from 'node:crypto'
import { tokensOf, type Credential } from '../../common/credentials.ts'
import { tokenId } from '../../common/ids.ts'
import type { TokenState } from '../../common/state-document.ts'
import { hashToken, parseToken } from '../../common/token.ts'
import type { Principal } from './principal.ts'

/** Why a request is not let in. For the log alone: callers learn no more than that they are not. */
export type DenialReason =
  | 'no-credential'
  | 'malformed-credential'
  | 'contradicting-credentials'
  | 'other-organization'
  | 'unknown-token'
  | 'expired-token'

export type Authentication =
  | { readonly ok: true; readonly principal: Principal }
  /** `tokenId` only when the token is one of the organization's. */
  | { readonly ok: false; readonly reason: DenialReason; readonly tokenId: string | null }

const denied = (reason: DenialReason, id: string | null = null): Authentication => ({
  ok: false,
  reason,
  tokenId: id,
})

/**
 * What can be said of credentials without knowing any token: the one token that they hold, if they may be the
 * organization's at all.
 */
export function claimOf(
  credentials: readonly Credential[],
  organizationId: string,
): { readonly token: string } | { readonly refused: DenialReason } {
  if (credentials.length === 0) return { refused: 'no-credential' }
  const [token, another] = tokensOf(credentials)
  if (token === undefined) return { refused: 'malformed-credential' }
  if (another !== undefined) return { refused: 'contradicting-credentials' }
  if (parseToken(token)?.organizationId !== organizationId) return { refused: 'other-organization' }
  return { token }
}

/** The tokens of one state document, to be found by hash. */
export class TokenTable {
  readonly #organizationId: string
  readonly #byHash: ReadonlyMap<string, TokenState>

  constructor(organizationId: string, tokens: readonly TokenState[]) {
    this.#organizationId = organizationId
    this.#byHash = new Map(tokens.map((token) => [token.hash, token]))
  }

  /**
   * Decides who sent a request. What is looked up is a hash, so the time that a look-up takes tells nothing of the
   * tokens; the hash that was found is still compared in constant time.
   */
  authenticate(credentials: readonly Credential[], nowMs: number): Authentication {
    const claim = claimOf(credentials, this.#organizationId)
    if ('refused' in claim) return denied(claim.refused)
    const hash = hashToken(claim.token)
    const token = this.#byHash.get(hash)
    if (!token || !timingSafeEqual(Buffer.from(hash), Buffer.from(token.hash))) return denied('unknown-token')
    const id = tokenId(token.hash)
    if (token.expiresAt !== null && Date.parse(token.expiresAt) <= nowMs) return denied('expired-token', id)
    return { ok: true, principal: { tokenId: id, permissions: token.permissions } }
  }
}
