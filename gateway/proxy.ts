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
  | { readonly kind: 'unavailable'; readonly cause: unknown }
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
  // Not the request itself: a node may answer before it has read all, and the rest must still be read from the client,
  // or its next request on this connection would never be seen.
  const body = hasBody(request) ? new PassThrough() : null
  const clientGone = new AbortController()
  const onClose = () => clientGone.abort()
  response.once('close', onClose)
  try {
    if (request.headers.expect !== undefined) response.writeContinue()
    if (body) request.pipe(body)
    const answer = await lease.pool.request({
      method: request.method as Dispatcher.HttpMethod,
      path: request.url!,
      headers: requestHeaders(request.rawHeaders, request.headers.connection, forwarding),
      body,
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
    return isUnknownName(error) ? { kind: 'unknown-organization' } : { kind: 'unavailable', cause: error }
  } finally {
    response.off('close', onClose)
    if (body) request.unpipe(body).resume()
    lease.release()
  }
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined

/** There is no such Service, so no such organization; a resolver that gives no answer (EAI_AGAIN) does not say so. */
const isUnknownName = (error: unknown): boolean => codeOf(error) === 'ENOTFOUND'

/** Nobody is behind the organization's address: no pod runs, or the one that does has not opened its port. */
export const isNobodyThere = (error: unknown): boolean => codeOf(error) === 'ECONNREFUSED'

export const isWrongPeer = (error: unknown): boolean => codeOf(error) === wrongPeerCode
