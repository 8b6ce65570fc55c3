import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Dispatcher } from 'undici'
import { letInHeader } from '../common/door.ts'
import { requestHeaders, responseHeaders } from './headers.ts'
import { wrongPeerCode, type OrganizationPools } from './pools.ts'

/** What became of a request that was passed on. `answered` says that the client has the node's answer, or a part. */
export type Outcome =
  | { readonly kind: 'answered' }
  /** Nothing has been sent to the client yet. */
  | { readonly kind: 'unauthorized' | 'unknown-organization' }
  /** isUntouched: nothing of the request was read either, so it can be passed on as if for the first time. */
  | { readonly kind: 'unavailable'; readonly cause: unknown; readonly isUntouched: boolean }
  | { readonly kind: 'client-gone' }

export interface Forwarding {
  readonly organizationId: string
  readonly source: string
  readonly requestId: string
  readonly protocol: 'http' | 'https'
  /** Called before the answer goes on, when the node took the credentials for valid. */
  readonly onLetIn: () => void
}

const hasBody = (request: IncomingMessage): boolean =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0

/**
 * Passes a request on to the organization's nodes and their answer back, both as streams that wait for the slower
 * side. When the client goes away, so does the request to the node.
 */
export async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  pools: OrganizationPools,
  forwarding: Forwarding,
): Promise<Outcome> {
  const lease = pools.lease(forwarding.organizationId)
  const body = hasBody(request) ? bodyOf(request, response) : null
  const clientGone = new AbortController()
  const onClose = () => clientGone.abort()
  response.once('close', onClose)
  try {
    const answer = await lease.pool.request({
      method: request.method as Dispatcher.HttpMethod,
      path: request.url!,
      headers: requestHeaders(request.rawHeaders, request.headers.connection, forwarding),
      body: body?.stream ?? null,
      signal: clientGone.signal,
    })
    if (answer.statusCode === 401) {
      await answer.body.dump({ limit: 65_536 })
      return { kind: 'unauthorized' }
    }
    if (answer.headers[letInHeader] !== undefined) forwarding.onLetIn()
    response.writeHead(answer.statusCode, responseHeaders(answer.headers))
    await pipeline(answer.body, response)
    return { kind: 'answered' }
  } catch (error) {
    if (clientGone.signal.aborted) return { kind: 'client-gone' }
    if (response.headersSent) {
      // The client must not take half an answer for a whole one.
      response.destroy()
      return { kind: 'answered' }
    }
    if (isUnknownName(error)) return { kind: 'unknown-organization' }
    return { kind: 'unavailable', cause: error, isUntouched: body?.isTouched !== true }
  } finally {
    response.off('close', onClose)
    if (body?.isTouched) request.unpipe(body.stream).resume()
    lease.release()
  }
}

/**
 * The body on its way to a node. Not the request itself: a node may answer before it has read all, and the rest must
 * still be read from the client, or its next request on this connection would never be seen. Nothing is read, and
 * nobody told to go on, before a connection to a node takes it.
 */
function bodyOf(request: IncomingMessage, response: ServerResponse) {
  const stream = new PassThrough()
  const body = { stream, isTouched: false }
  stream.once('resume', () => {
    body.isTouched = true
    if (request.headers.expect !== undefined) response.writeContinue()
    request.pipe(stream)
  })
  return body
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined

/** There is no such Service, so no such organization; a resolver that gives no answer (EAI_AGAIN) does not say so. */
const isUnknownName = (error: unknown): boolean => codeOf(error) === 'ENOTFOUND'

/** Nobody is behind the organization's address: no pod runs, or the one that does has not opened its port. */
export const isNobodyThere = (error: unknown): boolean => codeOf(error) === 'ECONNREFUSED'

/** No connection came about: refused, or lost where the way to an address without a pod ends. */
export const isUnreached = (error: unknown): boolean =>
  ['ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'].includes(
    String(codeOf(error)),
  )

export const isWrongPeer = (error: unknown): boolean => codeOf(error) === wrongPeerCode
