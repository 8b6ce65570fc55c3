import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Registry } from 'prom-client'

/** What the probes ask. */
export interface Health {
  /** null: well; else what is wrong, and a restart could help. */
  alive(): string | null
  /** null: ready; else what is still missing. */
  ready(): string | null
}

/** `/metrics`, `/healthz` and `/readyz`, for Prometheus and the kubelet. */
export function probeHandler(registry: Registry, health: Health) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '').split('?')[0]
    const [status, type, text] =
      request.method !== 'GET'
        ? ([405, 'text/plain', 'GET only\n'] as const)
        : path === '/metrics'
          ? ([200, registry.contentType, await registry.metrics()] as const)
          : path === '/healthz'
            ? probe(health.alive())
            : path === '/readyz'
              ? probe(health.ready())
              : ([404, 'text/plain', 'no such page\n'] as const)
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
    response.end(text)
  }
}

function probe(problem: string | null): readonly [status: number, type: string, text: string] {
  return problem === null ? [200, 'text/plain', 'ok\n'] : [503, 'text/plain', `${problem}\n`]
}
