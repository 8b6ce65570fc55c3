import type { IncomingMessage, ServerResponse } from 'node:http'
import { adminPaths, organizationHeader } from '../../../common/admin-api.ts'
import type { RequestHandler } from '../../../common/http-server.ts'
import { adminAnswerOf } from '../errors.ts'
import type { NodeParts } from '../parts.ts'
import { jsonAnswer, type AdminAnswer } from './answer.ts'
import { makeAttempts } from './attempts.ts'
import { deleteDatabase } from './databases.ts'
import { getState, putState } from './state.ts'

const errorAnswer = (status: number, code: string, message: string): AdminAnswer =>
  jsonAnswer(status, { code, message })

/** The admin port: its callers have shown the operator's identity before a request is read. */
export function createAdminHandler(parts: NodeParts): RequestHandler {
  return async (request, response) => {
    const startMs = parts.clock.monotonicMs()
    const path = (request.url ?? '').split('?', 1)[0]!
    const answer = await route(parts, request, response, path).catch((error: unknown) => {
      const wire = adminAnswerOf(error)
      if (wire.status >= 500) parts.log.error({ err: error, path }, 'admin request failed')
      return { status: wire.status, contentType: wire.headers['content-type']!, body: wire.body }
    })
    const length = answer.status === 204 ? {} : { 'content-length': Buffer.byteLength(answer.body) }
    response.writeHead(answer.status, { 'content-type': answer.contentType, ...length })
    response.end(answer.body)
    parts.log.debug(
      {
        method: request.method,
        path,
        status: answer.status,
        durationMs: Math.round(parts.clock.monotonicMs() - startMs),
      },
      'admin request',
    )
  }
}

async function route(
  parts: NodeParts,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<AdminAnswer> {
  if (request.headers[organizationHeader] !== parts.organizationId) {
    return errorAnswer(
      421,
      'ERR_ADMIN_OTHER_ORGANIZATION',
      `${organizationHeader}: not this node's organization`,
    )
  }
  const method = request.method ?? ''
  const is = (wanted: string, wantedPath: string) => method === wanted && path === wantedPath
  if (is('GET', adminPaths.state)) return getState(parts)
  if (is('PUT', adminPaths.state)) return putState(parts, request, response)
  if (is('GET', adminPaths.dataKey)) return jsonAnswer(200, parts.dataKeys.state())
  if (is('POST', adminPaths.dataKey)) return jsonAnswer(200, await parts.dataKeys.run())
  if (is('GET', adminPaths.tokenUses)) return jsonAnswer(200, parts.usedTokens.report())
  if (is('POST', adminPaths.attempts)) return makeAttempts(parts, request, response)
  if (is('GET', adminPaths.health)) return jsonAnswer(200, { status: 'pass' })
  if (is('GET', adminPaths.metrics)) {
    const { registry } = parts.metrics
    return { status: 200, contentType: registry.contentType, body: await registry.metrics() }
  }
  if (method === 'DELETE' && path.startsWith(adminPaths.databases)) {
    return deleteDatabase(parts, path.slice(adminPaths.databases.length))
  }
  const known = path.startsWith(adminPaths.databases) || Object.values<string>(adminPaths).includes(path)
  return known
    ? errorAnswer(405, 'ERR_ADMIN_METHOD', `${method} is not for ${path}`)
    : errorAnswer(404, 'ERR_ADMIN_PATH', 'no such path')
}
