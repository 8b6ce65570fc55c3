import type { IncomingMessage, ServerResponse } from 'node:http'
import { unreachable } from '../common/errors.ts'
import { healthBody, pingBody, readyBody } from '../common/probes.ts'
import { allows, routeOf, type RouteName } from '../common/routes.ts'

export interface ProbeTimes {
  readonly startedMs: number
  readonly nowMs: number
}

/**
 * `/ping`, `/health` and `/ready` are about the gateway itself and need no credentials: they say nothing of any
 * organization.
 * @returns whether the request was one of them, and has been answered
 */
export function answerProbe(
  request: IncomingMessage,
  response: ServerResponse,
  target: { readonly path: string; readonly query: URLSearchParams },
  times: ProbeTimes,
): boolean {
  const route = routeOf(target.path)
  if (route?.by !== 'probe' || !allows(route, request.method)) return false
  const body = bodyOf(route.name, target.query, times)
  if (body === '') {
    response.writeHead(204).end()
    return true
  }
  response.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
  return true
}

function bodyOf(probe: RouteName<'probe'>, query: URLSearchParams, times: ProbeTimes): string {
  switch (probe) {
    case 'ping':
      return ['', 'false', '0'].includes(query.get('verbose') ?? '') ? '' : pingBody()
    case 'health':
      return healthBody('pass', 'ready for queries and writes')
    case 'ready':
      return readyBody(times.startedMs, times.nowMs)
    default:
      return unreachable(probe)
  }
}
