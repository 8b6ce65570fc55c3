import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { compatibleVersion, dialectOf, type Dialect } from '../../common/dialect.ts'
import { requestIdOf } from '../../common/request-id.ts'
import { version } from '../../common/version.ts'
import type { Principal } from '../auth/principal.ts'

/** One request and its answer. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Without the query string. */
  readonly path: string
  readonly query: URLSearchParams
  readonly dialect: Dialect
  readonly requestId: string
  /** The address at the other end; behind the gateway, the one that the gateway saw. */
  readonly source: string
  /** Aborts when the client goes away before its answer is complete. */
  readonly clientGone: AbortSignal
}

/** An exchange whose caller is known. */
export interface AuthenticatedExchange extends Exchange {
  readonly principal: Principal
}

/** @param trustForwarded the other end is the gateway, so X-Forwarded-For is the gateway's own word */
export function openExchange(
  request: IncomingMessage,
  response: ServerResponse,
  trustForwarded: boolean,
): Exchange {
  const url = request.url ?? ''
  const path = url.split('?', 1)[0]!
  const given = request.headers['x-request-id'] ?? request.headers['request-id']
  const requestId = requestIdOf(Array.isArray(given) ? given[0] : given, randomUUID)
  response.setHeader('x-influxdb-version', compatibleVersion)
  response.setHeader('x-influxdb-build', `holdfast-${version}`)
  response.setHeader('request-id', requestId)
  response.setHeader('x-request-id', requestId)
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the client went away'))
  })
  const forwarded = trustForwarded ? request.headers['x-forwarded-for'] : undefined
  return {
    request,
    response,
    path,
    query: new URLSearchParams(url.slice(path.length)),
    dialect: dialectOf(path),
    requestId,
    source: (Array.isArray(forwarded) ? forwarded[0] : forwarded) ?? request.socket.remoteAddress ?? '',
    clientGone: gone.signal,
  }
}
