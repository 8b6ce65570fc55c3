import type { AuditEvent, AuditReason, AuditWho } from '../../common/audit.ts'
import { credentialsOf } from '../../common/credentials.ts'
import { AppError } from '../../common/errors.ts'
import { loggedPath, routeOf } from '../../common/routes.ts'
import { claimOf, type DenialReason } from '../auth/authenticate.ts'
import { everybody, mayAccess, refusalOf, type Principal } from '../auth/principal.ts'
import type { StatementNeeds } from '../query/influxql/context.ts'
import type { AuthenticatedExchange, Exchange } from './exchange.ts'
import { requireState, type NodeParts } from './parts.ts'

const whoOf = (tokenId: string | null): AuditWho =>
  tokenId === null ? { kind: 'nobody' } : { kind: 'token', id: tokenId }

function audit(
  parts: NodeParts,
  { path, requestId, source }: Exchange,
  decision: Pick<AuditEvent, 'event' | 'outcome' | 'reason' | 'who' | 'target'>,
): void {
  const { event, outcome, ...why } = decision
  const action = routeOf(path)?.name ?? 'unknown'
  parts.audit.write({ event, action, outcome, ...why, requestId, source })
}

interface Denial {
  readonly event: 'authentication' | 'authorization'
  readonly reason: AuditReason
  readonly tokenId: string | null
  /** The database that it was about, by name. */
  readonly database?: string | null
}

/** One line for each request that is not let do what it asks for, without secrets; in the log and in the audit stream. */
function noteDenial(
  parts: NodeParts,
  exchange: Exchange,
  { event, reason, tokenId, database }: Denial,
): void {
  parts.metrics.denials.inc({ reason })
  const { requestId, source } = exchange
  const path = loggedPath(exchange.path)
  parts.log.info({ reason, tokenId, source, requestId, path }, 'request denied')
  const target = parts.store.inForce?.document.databases.find(({ name }) => name === database)?.id
  const who = whoOf(tokenId)
  audit(parts, exchange, { event, outcome: 'denied', reason, who, ...(target !== undefined && { target }) })
}

/**
 * Credentials that cannot be the organization's are refused at any time. Those that may be are told to come back while
 * the node has no document to look them up in: a client takes 401 for final.
 * @throws AppError unauthenticated, the same whatever is wrong; the log says what; unavailable without a document
 */
export function authenticate(parts: NodeParts, exchange: Exchange): Principal {
  if (!parts.authentication) {
    audit(parts, exchange, { event: 'authentication', outcome: 'allowed', who: { kind: 'everybody' } })
    return everybody
  }
  const credentials = credentialsOf(exchange.request.headersDistinct['authorization'] ?? [], exchange.query)
  const claim = claimOf(credentials, parts.organizationId)
  if ('refused' in claim) return refuse(parts, exchange, claim.refused, null)
  const nowMs = parts.clock.nowMs()
  const result = requireState(parts).tokens.authenticate(credentials, nowMs)
  if (!result.ok) return refuse(parts, exchange, result.reason, result.tokenId)
  const { principal } = result
  if (principal.tokenId !== null) parts.usedTokens.note(principal.tokenId, nowMs)
  const who = whoOf(principal.tokenId)
  audit(parts, exchange, { event: 'authentication', outcome: 'allowed', who })
  return principal
}

function refuse(parts: NodeParts, exchange: Exchange, reason: DenialReason, tokenId: string | null): never {
  noteDenial(parts, exchange, { event: 'authentication', reason, tokenId })
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
  const { tokenId } = principal
  noteDenial(parts, exchange, { event: 'authorization', reason: 'write-not-permitted', tokenId, database })
  throw new AppError(
    'forbidden',
    'ERR_FORBIDDEN',
    dialect === 'v2'
      ? `insufficient permissions ${what === 'write' ? 'for write' : 'to delete'}`
      : `${JSON.stringify(tokenId)} user is not authorized to write to database ${JSON.stringify(database)}`,
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
    if (refusal === null || need.kind === 'none') continue
    const { tokenId } = exchange.principal
    const reason = `${need.kind}-not-permitted` as const
    const database = need.kind === 'admin' ? null : need.database
    noteDenial(parts, exchange, { event: 'authorization', reason, tokenId, database })
    throw new AppError('forbidden', 'ERR_FORBIDDEN', `error authorizing query: ${refusal}`)
  }
}

/** Without the gateway, clients are let in only where the organization says so. @throws AppError forbidden */
export function requireDirectAccess(parts: NodeParts, exchange: Exchange): void {
  if (requireState(parts).document.organization.directAccess) return
  noteDenial(parts, exchange, {
    event: 'authentication',
    reason: 'direct-access-closed',
    tokenId: null,
  })
  throw new AppError('forbidden', 'ERR_DIRECT_ACCESS', 'direct access is closed: use the gateway')
}
