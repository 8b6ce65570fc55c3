import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Registry } from 'prom-client'
import type { Clock } from '../common/clock.ts'
import { HttpServer } from '../common/http-server.ts'
import { Lifecycle, type Component } from '../common/lifecycle.ts'
import type { Logger } from '../common/log.ts'
import { certificateMetrics } from '../common/certificate-metrics.ts'
import { RateLimit, type Rate } from '../common/rate-limit.ts'
import { TlsDirectory } from '../common/tls-directory.ts'
import { Absences } from './absences.ts'
import type { GatewayConfig } from './config.ts'
import { createGatewayHandler } from './handler.ts'
import { Holds } from './holds.ts'
import { createGatewayMetrics } from './metrics.ts'
import { OrganizationPools } from './pools.ts'
import { Remembered } from './remembered.ts'
import { sourceKey } from './source-key.ts'
import type { TargetOf } from './target.ts'
import { WakeDoor } from './wake-door.ts'

const times = ({ perSecond, burst }: Rate, factor: number): Rate => ({
  perSecond: factor * perSecond,
  burst: factor * burst,
})

const sweepEveryMs = 15_000

export interface Gateway {
  /** The public port, once started. */
  readonly port: number
  readonly metricsPort: number
  start(): Promise<void>
  stop(): Promise<void>
}

/** All of the gateway, put together; `targetOf` says where organizations' nodes are. */
export function createGateway(config: GatewayConfig, targetOf: TargetOf, clock: Clock, log: Logger): Gateway {
  const identity = new TlsDirectory({ directory: config.identityDir, withAuthority: true, clock, log })
  const publicTls =
    config.tlsDir === null
      ? null
      : new TlsDirectory({ directory: config.tlsDir, withAuthority: false, clock, log })
  const pools = new OrganizationPools({ targetOf, material: null, limits: config.pools, clock })
  const door = config.wakeAddress && new WakeDoor(config.wakeAddress)
  const holds = door && new Holds((id, token, signal) => door.ask(id, token, signal), config.holds, clock)
  const metrics = createGatewayMetrics({
    pools: () => pools.size,
    heldRequests: () => holds?.waiting ?? 0,
  })
  certificateMetrics(metrics.registry, { identity, ...(publicTls && { server: publicTls }) })
  const server = new HttpServer({
    name: 'clients',
    listen: config.listen,
    handler: createGatewayHandler({
      pools,
      bySource: new RateLimit(config.attempts, clock),
      byOrganization: new RateLimit(times(config.attempts, 4), clock),
      byCredential: new RateLimit(config.requests, clock),
      accepted: new Remembered(clock),
      reached: new Remembered(clock),
      holds,
      absences: new Absences(clock),
      baseDomain: config.baseDomain,
      startedMs: clock.nowMs(),
      metrics,
      clock,
      log,
    }),
    clock,
    log,
    maxConnections: config.maxConnections,
    perSource: { maxConnections: config.connectionsPerSource, keyOf: sourceKey },
    ...(publicTls && { tls: { directory: publicTls, clientCertificate: 'none' as const } }),
  })
  const metricsServer = new HttpServer({
    name: 'metrics',
    listen: config.metricsListen,
    handler: metricsHandler(metrics.registry),
    clock,
    log,
    maxConnections: 64,
    drainMs: 1_000,
  })
  const lifecycle = new Lifecycle(
    [
      identity,
      ...(publicTls ? [publicTls] : []),
      ...(door ? [doorComponent(door, identity)] : []),
      poolsComponent(pools, identity, clock),
      metricsServer,
      server,
    ],
    log,
  )
  return {
    get port() {
      return server.port
    },
    get metricsPort() {
      return metricsServer.port
    },
    start: () => lifecycle.start(),
    stop: () => lifecycle.stop(),
  }
}

function poolsComponent(pools: OrganizationPools, identity: TlsDirectory, clock: Clock): Component {
  const stopped = new AbortController()
  const sweepUntilStopped = async () => {
    while (!stopped.signal.aborted) {
      pools.sweep()
      await clock.sleep(sweepEveryMs, stopped.signal).catch(() => undefined)
    }
  }
  let sweeping: Promise<void> = Promise.resolve()
  return {
    name: 'pools',
    async start() {
      pools.renew(identity.material)
      identity.onChange((material) => pools.renew(material))
      sweeping = sweepUntilStopped()
    },
    async stop() {
      stopped.abort()
      await sweeping
      await pools.closeAll()
    },
  }
}

function doorComponent(door: WakeDoor, identity: TlsDirectory): Component {
  return {
    name: 'wake door',
    async start() {
      door.renew(identity.material)
      identity.onChange((material) => door.renew(material))
    },
    stop: () => door.close(),
  }
}

function metricsHandler(registry: Registry) {
  return async (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '').split('?', 1)[0]
    if (path === '/metrics') {
      const text = await registry.metrics()
      response.writeHead(200, { 'content-type': registry.contentType }).end(text)
    } else if (path === '/healthz' || path === '/readyz') {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n')
    } else {
      response.writeHead(404).end()
    }
  }
}
