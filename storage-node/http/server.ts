import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { letInHeader } from '../../common/door.ts'
import type { RequestHandler } from '../../common/http-server.ts'
import { allows, loggedPath, routeOf } from '../../common/routes.ts'
import type { PeerStanding } from '../../common/tls.ts'
import type { Principal } from '../auth/principal.ts'
import { authenticate, requireDirectAccess } from './access.ts'
import { answerOf, methodNotAllowed, notFound, type ErrorAnswer } from './errors.ts'
import { openExchange, type Exchange } from './exchange.ts'
import { requireState, type NodeParts } from './parts.ts'
import { respond } from './respond.ts'
import { endpoints, probes } from './router.ts'
import { answerForm } from './v1/form.ts'

/** Who is at the other end of a connection; `local` where there is no TLS, which is on loopback only. */
export type Standing = PeerStanding | 'local'

interface Served {
  endpoint: string
  principal: Principal | null
  /** Why the answer is an error; null where it is none. */
  errorCode: string | null
}

/** The port for clients: the gateway, and others where the organization lets them in. */
export function createClientHandler(
  parts: NodeParts,
  standingOf: (socket: Socket) => Standing,
): RequestHandler {
  return async (request, response) => {
    const startMs = parts.clock.monotonicMs()
    const bytesBefore = request.socket.bytesWritten
    const standing = standingOf(request.socket)
    const exchange = openExchange(request, response, standing === 'expected')
    const served: Served = { endpoint: 'none', principal: null, errorCode: null }
    try {
      await serve(parts, exchange, standing, served)
    } catch (error) {
      fail(parts, exchange, served, error)
    }
    await finished(response)
    if (served.principal) parts.activity.end()
    const durationMs = parts.clock.monotonicMs() - startMs
    parts.metrics.requests.inc({ endpoint: served.endpoint, status: String(response.statusCode) })
    parts.metrics.durations.observe({ endpoint: served.endpoint }, durationMs / 1000)
    parts.log.info(
      {
        method: request.method,
        path: loggedPath(exchange.path),
        status: response.statusCode,
        bytes: request.socket.bytesWritten - bytesBefore,
        durationMs: Math.round(durationMs),
        tokenId: served.principal?.tokenId ?? null,
        requestId: exchange.requestId,
        source: exchange.source,
        ...(served.errorCode !== null && { errorCode: served.errorCode }),
      },
      'request',
    )
  }
}

async function serve(
  parts: NodeParts,
  exchange: Exchange,
  standing: Standing,
  served: Served,
): Promise<void> {
  const route = routeOf(exchange.path)
  if (route) served.endpoint = route.path
  const callable = route !== null && allows(route, exchange.request.method)
  if (callable && route.by === 'probe') return probes[route.name](parts, exchange)
  // Which paths there are is told to those alone who are let in: any other answer would say that the node is there.
  if (standing === 'anonymous' || standing === 'refused') requireDirectAccess(parts, exchange)
  served.principal = authenticate(parts, exchange)
  parts.activity.begin()
  if (standing === 'expected') exchange.response.setHeader(letInHeader, '1')
  parts.requestRate.take(requireState(parts).document.limits.requestsPerSecond)
  if (!route) return send(exchange, notFound(exchange.dialect))
  if (!callable || route.by === 'probe') {
    return send(exchange, methodNotAllowed(exchange.dialect, route.methods))
  }
  return endpoints[route.name](parts, { ...exchange, principal: served.principal })
}

function fail(parts: NodeParts, exchange: Exchange, served: Served, error: unknown): void {
  const form = answerForm(exchange.request.headers.accept, exchange.query)
  const answer = answerOf(error, exchange.dialect, form)
  served.errorCode = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_INTERNAL'
  if (exchange.clientGone.aborted) {
    served.errorCode = 'ERR_CLIENT_GONE'
    return
  }
  if (answer.status === 500) {
    parts.log.error({ err: error, requestId: exchange.requestId }, 'request failed')
  }
  // What was sent cannot be taken back; a broken connection says that it is not all.
  if (exchange.response.headersSent) return void exchange.response.destroy()
  send(exchange, answer)
}

function send(exchange: Exchange, answer: ErrorAnswer): void {
  respond(exchange, answer.status, answer.headers, answer.body)
}

/** The answer has left, or never will. */
function finished(response: ServerResponse): Promise<void> {
  if (response.closed || response.destroyed || response.writableFinished) return Promise.resolve()
  return new Promise((resolve) => response.once('close', () => resolve()))
}
