import { timingSafeEqual } from 'node:crypto'
import { tokenId } from '../../common/ids.ts'
import { hashToken, parseToken } from '../../common/token.ts'
import { tokenSchema } from '../api/token.ts'
import type { KubeObject } from '../kube/object.ts'
import { endOf } from '../reconcile/issue.ts'

interface Issued {
  readonly hash: string
  readonly expiresAt?: string | null
}

/**
 * The token, if it is one of the organization's that is in force by the statuses of its Tokens. Every hash is compared,
 * each in constant time, whether one before it fitted or not.
 * @param tokens the organization's Token objects as they are cached
 * @returns its id, null if it opens nothing
 */
export function liveTokenId(
  tokens: readonly KubeObject[],
  organizationId: string,
  text: string,
  nowMs: number,
): string | null {
  if (parseToken(text)?.organizationId !== organizationId) return null
  const wanted = Buffer.from(hashToken(text), 'hex')
  let found: { readonly token: KubeObject; readonly issued: Issued } | null = null
  for (const token of tokens) {
    for (const issued of issuedOf(token, organizationId)) {
      const hash = Buffer.from(issued.hash, 'hex')
      if (hash.length === wanted.length && timingSafeEqual(hash, wanted)) found = { token, issued }
    }
  }
  return found && isInForce(found.token, found.issued, nowMs) ? tokenId(found.issued.hash) : null
}

/** By hand: to check the form of thousands of objects at each request would take longer than all else. */
function issuedOf(token: KubeObject, organizationId: string): readonly Issued[] {
  const status = token['status'] as { organizationId?: unknown; tokens?: unknown } | undefined
  if (status?.organizationId !== organizationId || !Array.isArray(status.tokens)) return []
  return status.tokens.filter(
    (issued: { hash?: unknown } | null): issued is Issued => typeof issued?.hash === 'string',
  )
}

function isInForce(token: KubeObject, { expiresAt }: Issued, nowMs: number): boolean {
  if (token.metadata.deletionTimestamp !== undefined) return false
  if (typeof expiresAt === 'string' && !(Date.parse(expiresAt) > nowMs)) return false
  const parsed = tokenSchema.safeParse(token).data
  const end = parsed && endOf(parsed)
  return !end || end.getTime() > nowMs
}
