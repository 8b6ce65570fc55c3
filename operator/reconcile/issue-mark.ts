import { createHmac, timingSafeEqual } from 'node:crypto'
import { hashToken, parseToken } from '../../common/token.ts'
import type { KubeObject } from '../kube/object.ts'

/** On a Token's Secret: when its string was made, and the proof that the operator made it for this Token. */
export const issueAnnotations = {
  issuedAt: 'holdfast.dev/issued-at',
  mac: 'holdfast.dev/issued-mac',
} as const

/** A token string that the operator made. */
export interface Issue {
  /** SHA-256 of the string, 64 lower-case hex digits. */
  readonly hash: string
  /** RFC 3339, whole seconds. */
  readonly createdAt: string
}

/**
 * Whose Secret it is and what it holds.
 *
 * | kind | |
 * |---|---|
 * | absent | there is none |
 * | foreign | it does not belong to this Token, and is not touched |
 * | edited | it belongs to this Token, and its string is not one that the operator made for it |
 * | issued | as the operator wrote it |
 */
export type SecretFound =
  | { readonly kind: 'absent' }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'edited'; readonly secret: KubeObject }
  | {
      readonly kind: 'issued'
      readonly secret: KubeObject
      readonly token: string
      readonly issue: Issue
    }

/** The annotations that let `readSecret` tell later that the string was made here, for this Token, at that time. */
export function markIssue(key: Uint8Array, tokenUid: string, issue: Issue): Readonly<Record<string, string>> {
  return {
    [issueAnnotations.issuedAt]: issue.createdAt,
    [issueAnnotations.mac]: macOf(key, tokenUid, issue),
  }
}

/** @param secret as the API server has it, null if there is none */
export function readSecret(
  key: Uint8Array,
  tokenUid: string,
  organizationId: string,
  secret: KubeObject | null,
): SecretFound {
  if (!secret) return { kind: 'absent' }
  if (!belongsTo(secret, tokenUid)) return { kind: 'foreign' }
  const token = stringOf(secret)
  const createdAt = secret.metadata.annotations?.[issueAnnotations.issuedAt] ?? ''
  const given = Buffer.from(secret.metadata.annotations?.[issueAnnotations.mac] ?? '')
  if (token === null || parseToken(token)?.organizationId !== organizationId)
    return { kind: 'edited', secret }
  const issue = { hash: hashToken(token), createdAt }
  const wanted = Buffer.from(macOf(key, tokenUid, issue))
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return { kind: 'edited', secret }
  return { kind: 'issued', secret, token, issue }
}

/** A controller reference with the uid: a name alone proves nothing. */
function belongsTo(secret: KubeObject, tokenUid: string): boolean {
  return (secret.metadata.ownerReferences ?? []).some(
    ({ uid, kind, controller }) => controller === true && kind === 'Token' && uid === tokenUid,
  )
}

function stringOf(secret: KubeObject): string | null {
  const data = secret['data']
  if (typeof data !== 'object' || data === null || !('token' in data)) return null
  return typeof data.token === 'string' ? Buffer.from(data.token, 'base64').toString('utf8') : null
}

/** Uids, hashes and times hold no line feed, so the joined text is unambiguous. */
function macOf(key: Uint8Array, tokenUid: string, issue: Issue): string {
  return createHmac('sha256', key)
    .update(['holdfast-issue-1', tokenUid, issue.hash, issue.createdAt].join('\n'))
    .digest('hex')
}
