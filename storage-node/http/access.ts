import { credentialsOf } from '../../common/credentials.ts'
import { AppError } from '../../common/errors.ts'
import { loggedPath } from '../../common/routes.ts'
import { claimOf, type DenialReason } from '../auth/authenticate.ts'
import { everybody, mayAccess, refusalOf, type Principal } from '../auth/principal.ts'
import type { StatementNeeds } from '../query/influxql/context.ts'
import type { AuthenticatedExchange, Exchange } from './exchange.ts'
import { requireState, type NodeParts } from './parts.ts'

/** One line for each request that is not let do what it asks for, without secrets. */
function noteDenial(parts: NodeParts, exchange: Exchange, reason: string, tokenId: string | null): void {
  parts.metrics.denials.inc({ reason })
  const { requestId, source } = exchange
  const path = loggedPath(exchange.path)
  parts.log.info({ reason, tokenId, source, requestId, path }, 'request denied')
}

/**
 * Credentials that cannot be the organization's are refused at any time. Those that may be are told to come back while
 * the node has no document to look them up in: a client takes 401 for final.
 * @throws AppError unauthenticated, the same whatever is wrong; the log says what; unavailable without a document
 */
export function authenticate(parts: NodeParts, exchange: Exchange): Principal {
  if (!parts.authentication) return everybody
  const credentials = credentialsOf(exchange.request.headersDistinct['authorization'] ?? [], exchange.query)
  const claim = claimOf(credentials, parts.organizationId)
  if ('refused' in claim) return refuse(parts, exchange, claim.refused, null)
  const nowMs = parts.clock.nowMs()
  const result = requireState(parts).tokens.authenticate(credentials, nowMs)
  if (!result.ok) return refuse(parts, exchange, result.reason, result.tokenId)
  const { principal } = result
  if (principal.tokenId !== null) parts.usedTokens.note(principal.tokenId, nowMs)
  return principal
}

function refuse(parts: NodeParts, exchange: Exchange, reason: DenialReason, tokenId: string | null): never {
  noteDenial(parts, exchange, reason, tokenId)
  throw new AppError('unauthenticated', 'ERR_UNAUTHENTICATED', 'authorization failed')
}

/** @throws AppError forbidden, in the words of the dialect */
export function requireWrite(
  parts: NodeParts,
  exchange: AuthenticatedExchange,
  database: string,
  what: 'write' | 'delete' = 'write',
): void {
  const { principal, dialect } = exchange
  if (mayAccess(principal, 'write', database)) return
  noteDenial(parts, exchange, 'write-not-permitted', principal.tokenId)
  throw new AppError(
    'forbidden',
    'ERR_FORBIDDEN',
    dialect === 'v2'
      ? `insufficient permissions ${what === 'write' ? 'for write' : 'to delete'}`
      : `${JSON.stringify(principal.tokenId)} user is not authorized to write to database ${JSON.stringify(database)}`,
  )
}

/** Refuses a query as a whole when one of its statements is not permitted. @throws AppError forbidden */
export function requireStatements(
  parts: NodeParts,
  exchange: AuthenticatedExchange,
  needs: readonly StatementNeeds[],
): void {
  for (const need of needs) {
    const refusal = refusalOf(exchange.principal, need)
    if (refusal === null) continue
    noteDenial(parts, exchange, `${need.kind}-not-permitted`, exchange.principal.tokenId)
    throw new AppError('forbidden', 'ERR_FORBIDDEN', `error authorizing query: ${refusal}`)
  }
}

/** Without the gateway, clients are let in only where the organization says so. @throws AppError forbidden */
export function requireDirectAccess(parts: NodeParts, exchange: Exchange): void {
  if (requireState(parts).document.organization.directAccess) return
  noteDenial(parts, exchange, 'direct-access-closed', null)
  throw new AppError('forbidden', 'ERR_DIRECT_ACCESS', 'direct access is closed: use the gateway')
}
