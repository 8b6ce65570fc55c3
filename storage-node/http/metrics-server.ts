import type { Registry } from 'prom-client'
import type { RequestHandler } from '../../common/http-server.ts'

/** `GET /metrics` of a node that runs alone; one of a cluster serves them on its admin port. */
export function metricsHandler(registry: Registry): RequestHandler {
  return async (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0]
    if (path !== '/metrics') response.writeHead(404).end()
    else if (request.method !== 'GET') response.writeHead(405, { allow: 'GET' }).end()
    else {
      const text = await registry.metrics()
      response.writeHead(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' }).end(text)
    }
  }
}
