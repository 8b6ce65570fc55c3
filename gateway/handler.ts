import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../common/clock.ts'
import {
  compatibleVersion,
  dialectOf,
  unauthorized,
  v1Error,
  v2Error,
  type Dialect,
  type WireError,
} from '../common/dialect.ts'
import { AppError, unreachable } from '../common/errors.ts'
import type { RequestHandler } from '../common/http-server.ts'
import type { Logger } from '../common/log.ts'
import type { RateLimit } from '../common/rate-limit.ts'
import { requestIdOf } from '../common/request-id.ts'
import { loggedPath } from '../common/routes.ts'
import { version } from '../common/version.ts'
import type { Absences } from './absences.ts'
import type { GatewayMetrics } from './metrics.ts'
import { routingOf, type Routing } from './organization.ts'
import type { OrganizationPools } from './pools.ts'
import { forwardHeld, type HeldOutcome } from './forward-held.ts'
import type { Holds } from './holds.ts'
import { forward, isNobodyThere, isWrongPeer, type Outcome } from './proxy.ts'
import { sourceKey } from './source-key.ts'
import { answerProbe } from './probes.ts'
import type { Remembered } from './remembered.ts'

export interface GatewayParts {
  readonly pools: OrganizationPools
  /** Attempts of one source address. */
  readonly bySource: RateLimit
  /** Attempts of one source address at one organization. */
  readonly byOrganization: RateLimit
  readonly byCredential: RateLimit
  /** Credentials that a node let in. */
  readonly accepted: Remembered
  /** Organizations that have a node. */
  readonly reached: Remembered
  /** Requests that wait for their organization to wake; null where no operator is asked. */
  readonly holds: Holds | null
  /** Organizations whose node was not reached lately. */
  readonly absences: Absences
  readonly baseDomain: string | null
  readonly startedMs: number
  readonly metrics: GatewayMetrics
  readonly clock: Clock
  readonly log: Logger
}

interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly query: URLSearchParams
  readonly dialect: Dialect
  readonly requestId: string
  readonly source: string
  organizationId: string | null
  answeredBy: 'gateway' | 'node'
  /** A node took the credentials for valid. */
  letIn: boolean
  /** When to come back, if the answer is to come back. */
  retryAfterSeconds: number
  /** Why the gateway refused; null when it did not. */
  refusal: string | null
}

/** A connection that nobody has been let in on is not kept for long. */
const strangerIdleMs = 5_000

/** The public side: probes are the gateway's own, all else goes to the organization that the credentials name. */
export function createGatewayHandler(parts: GatewayParts): RequestHandler {
  /** Connections on which somebody was let in. */
  const trusted = new WeakSet<Socket>()
  return async (request, response) => {
    const startMs = parts.clock.monotonicMs()
    const visit = visitOf(request, response)
    setCommonHeaders(visit)
    // After the server's own listener, which sets the time that all connections are kept.
    response.once('finish', () => {
      if (visit.letIn) trusted.add(request.socket)
      if (!trusted.has(request.socket)) request.socket.setTimeout(strangerIdleMs)
    })
    await serve(parts, visit)
    const durationMs = parts.clock.monotonicMs() - startMs
    parts.metrics.durations.observe(durationMs / 1000)
    parts.metrics.requests.inc({
      status: String(response.statusCode),
      by: visit.answeredBy,
    })
    if (visit.refusal !== null) parts.metrics.refusals.inc({ reason: visit.refusal })
    parts.log.info(
      {
        method: request.method,
        path: loggedPath(visit.path),
        status: response.statusCode,
        durationMs: Math.round(durationMs),
        organizationId: visit.organizationId,
        requestId: visit.requestId,
        source: visit.source,
        ...(visit.refusal !== null && { refusal: visit.refusal }),
      },
      'request',
    )
  }
}

function visitOf(request: IncomingMessage, response: ServerResponse): Visit {
  const path = (request.url ?? '').split('?', 1)[0]!
  const given = request.headers['request-id'] ?? request.headers['x-request-id']
  return {
    request,
    response,
    path,
    query: new URLSearchParams((request.url ?? '').slice(path.length)),
    dialect: dialectOf(path),
    requestId: requestIdOf(Array.isArray(given) ? given[0] : given, randomUUID),
    source: request.socket.remoteAddress ?? '',
    organizationId: null,
    answeredBy: 'gateway',
    letIn: false,
    retryAfterSeconds: 2,
    refusal: null,
  }
}

function setCommonHeaders({ response, requestId }: Visit): void {
  response.setHeader('x-influxdb-version', compatibleVersion)
  response.setHeader('x-influxdb-build', `holdfast-${version}`)
  response.setHeader('request-id', requestId)
  response.setHeader('x-request-id', requestId)
}

async function serve(parts: GatewayParts, visit: Visit): Promise<void> {
  const { request, response } = visit
  const times = { startedMs: parts.startedMs, nowMs: parts.clock.nowMs() }
  if (answerProbe(request, response, visit, times)) return
  if (!request.url?.startsWith('/')) return refuse(visit, 'malformed', 400, 'invalid', 'malformed request')

  const routing = routingOf(
    {
      authorization: request.headersDistinct['authorization'] ?? [],
      host: request.headers.host,
      query: visit.query,
    },
    parts.baseDomain,
  )
  const attemptSeconds = takeAttempt(parts, routing, sourceKey(visit.source))
  if (attemptSeconds > 0) return tooMany(visit, 'attempts', attemptSeconds)
  if (routing.to === 'nobody') return deny(visit, routing.reason)
  visit.organizationId = routing.id
  const waitSeconds = parts.byCredential.take(routing.credentialKey)
  if (waitSeconds > 0) return tooMany(visit, 'requests', waitSeconds)
  return pass(parts, visit, routing)
}

/**
 * Who has been let in lately is no guesser; all others share the attempts of the address that they come from. A whole
 * network may come from one address, so a token that may be real does not count among the garbage of others: it
 * shares with those alone who ask for the same organization, if that exists.
 * @returns seconds to wait, 0 for none
 */
function takeAttempt(parts: GatewayParts, routing: Routing, source: string): number {
  if (routing.to === 'nobody') return parts.bySource.take(source)
  if (parts.accepted.has(routing.credentialKey)) return 0
  const mayBeReal = routing.token !== null && parts.reached.has(routing.id)
  return mayBeReal ? parts.byOrganization.take(`${routing.id} ${source}`) : parts.bySource.take(source)
}

type ToOrganization = Extract<Routing, { readonly to: 'organization' }>

async function pass(parts: GatewayParts, visit: Visit, routing: ToOrganization): Promise<void> {
  settle(parts, visit, routing, await passOn(parts, visit, routing))
}

/** To a node, at once or when the organization is awake. */
async function passOn(
  parts: GatewayParts,
  visit: Visit,
  { id, credentialKey, token }: ToOrganization,
): Promise<HeldOutcome> {
  const { request, response } = visit
  const attempt = (): Promise<Outcome> =>
    forward(request, response, parts.pools, {
      organizationId: id,
      source: visit.source,
      requestId: visit.requestId,
      onLetIn: () => {
        visit.letIn = true
        parts.accepted.add(credentialKey)
      },
      protocol: 'encrypted' in request.socket ? 'https' : 'http',
    }).catch((error: unknown) => {
      if (error instanceof AppError && error.kind === 'unavailable') {
        return { kind: 'unavailable' as const, cause: error, isUntouched: true }
      }
      throw error
    })
  const { holds, clock } = parts
  if (!holds) return attempt()
  const gone = new AbortController()
  const onClose = () => gone.abort()
  response.once('close', onClose)
  const caller = { organizationId: id, credentialKey, token }
  try {
    return await forwardHeld({
      holds,
      caller,
      clientGone: gone.signal,
      clock,
      attempt,
      onHeld: (end, waitedMs) => parts.metrics.holds.observe({ end }, waitedMs / 1000),
    })
  } finally {
    response.off('close', onClose)
  }
}

function settle(
  parts: GatewayParts,
  visit: Visit,
  { id: organizationId, credentialKey }: ToOrganization,
  outcome: HeldOutcome,
): void {
  switch (outcome.kind) {
    case 'answered':
      visit.answeredBy = 'node'
      parts.reached.add(organizationId)
      // A node that starts says so itself: it is still away.
      if (visit.response.statusCode !== 503) parts.absences.end(organizationId)
      return
    case 'client-gone':
      visit.refusal = 'client-gone'
      return
    case 'unknown-organization':
      parts.pools.forget(organizationId)
      // No oracle: who guesses ids learns no more than who guesses tokens.
      if (!parts.accepted.has(credentialKey)) return deny(visit, 'unknown-organization')
      visit.retryAfterSeconds = parts.absences.note(organizationId)
      return unavailable(visit)
    case 'unauthorized':
      parts.reached.add(organizationId)
      parts.absences.end(organizationId)
      parts.accepted.delete(credentialKey)
      return deny(visit, 'unauthorized')
    case 'unavailable': {
      // What is busy is there.
      if (!(outcome.cause instanceof AppError)) visit.retryAfterSeconds = parts.absences.note(organizationId)
      const level = isWrongPeer(outcome.cause) ? 'error' : 'warn'
      parts.log[level]({ err: outcome.cause, organizationId, requestId: visit.requestId }, 'no storage node')
      return isNobodyThere(outcome.cause) ? nobodyThere(visit) : unavailable(visit)
    }
    case 'waking':
      parts.reached.add(organizationId)
      return unavailable(visit, 'the organization is waking: come back', 'waking')
    case 'asleep':
      parts.reached.add(organizationId)
      visit.retryAfterSeconds = parts.absences.note(organizationId)
      return nobodyThere(visit)
    case 'full':
      return unavailable(visit, 'too many requests wait for the organization to wake', 'waking')
    default:
      return unreachable(outcome)
  }
}

function deny(visit: Visit, reason: string): void {
  visit.refusal = reason
  send(visit, 401, unauthorized(visit.dialect))
}

function unavailable(
  visit: Visit,
  message = 'storage node unavailable',
  reason: 'unavailable' | 'waking' = 'unavailable',
): void {
  visit.response.setHeader('retry-after', String(visit.retryAfterSeconds))
  refuse(visit, reason, 503, 'unavailable', message)
}

/** All that can be known here: an address without a node is what hibernation looks like, and a restart too. */
function nobodyThere(visit: Visit): void {
  unavailable(visit, 'no storage node is running: the organization is hibernated, or its node is starting')
}

function tooMany(visit: Visit, reason: string, waitSeconds: number): void {
  visit.response.setHeader('retry-after', String(waitSeconds))
  refuse(visit, reason, 429, 'too many requests', 'too many requests')
}

function refuse(visit: Visit, reason: string, status: number, code: string, message: string): void {
  visit.refusal = reason
  send(visit, status, visit.dialect === 'v2' ? v2Error(code, message) : v1Error(status, message))
}

function send({ request, response }: Visit, status: number, error: WireError): void {
  // Whether a client that was not told to go on sends its body all the same is its own choice (RFC 9110, 10.1.1).
  if (request.headers.expect !== undefined) response.setHeader('connection', 'close')
  response.writeHead(status, { ...error.headers, 'content-length': Buffer.byteLength(error.body) })
  response.end(request.method === 'HEAD' ? undefined : error.body)
}
