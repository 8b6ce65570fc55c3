import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Registry } from 'prom-client'
import type { Clock } from '../common/clock.ts'
import { HttpServer, type ListenAddress } from '../common/http-server.ts'
import type { Logger } from '../common/log.ts'

/** What the probes ask. */
export interface Health {
  /** null: well; else what is wrong, and a restart could help. */
  alive(): string | null
  /** null: ready; else what is still missing. */
  ready(): string | null
}

/** Filling the caches takes seconds. A leader that has not in so long looks after nobody, and keeps others from trying. */
const fillLimitMs = 600_000

/** How the operator is, from its start through its time as a stand-by to the one as the leader. */
export class OperatorHealth implements Health {
  readonly #clock: Clock
  #missing: () => string | null = () => 'the lease has not been read yet'
  #leadsSinceMs: number | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  standsBy(): void {
    this.#missing = () => null
  }

  /** @param missing what is still to be done before all tenants are looked after, null for nothing */
  leads(missing: () => string | null): void {
    this.#missing = missing
    this.#leadsSinceMs = this.#clock.monotonicMs()
  }

  alive(): string | null {
    const isPatient =
      this.#leadsSinceMs === null || this.#clock.monotonicMs() - this.#leadsSinceMs < fillLimitMs
    const missing = this.#missing()
    return isPatient || missing === null ? null : `not filled in ${fillLimitMs / 60_000} minutes: ${missing}`
  }

  ready(): string | null {
    return this.#missing()
  }
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

/** The port for Prometheus and the kubelet, in plain HTTP. */
export function probesServer(options: {
  readonly listen: ListenAddress
  readonly registry: Registry
  readonly health: Health
  readonly clock: Clock
  readonly log: Logger
}): HttpServer {
  return new HttpServer({
    name: 'probes',
    listen: options.listen,
    handler: probeHandler(options.registry, options.health),
    clock: options.clock,
    log: options.log,
    maxConnections: 100,
    drainMs: 1_000,
  })
}

function probe(problem: string | null): readonly [status: number, type: string, text: string] {
  return problem === null ? [200, 'text/plain', 'ok\n'] : [503, 'text/plain', `${problem}\n`]
}
