import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { HttpServer } from '../common/http-server.ts'
import { identity } from '../common/identity.ts'
import type { TlsDirectory } from '../common/tls-directory.ts'
import { carriesExactly, peerStanding } from '../common/tls.ts'
import type { AloneConfig, ClusterConfig, NodeConfig } from './config.ts'
import { createAdminHandler } from './http/admin/server.ts'
import type { NodeParts } from './http/parts.ts'
import { metricsHandler } from './http/metrics-server.ts'
import { createClientHandler, type Standing } from './http/server.ts'

/** Kubernetes gives 60 s between SIGTERM and SIGKILL; what is left after this is the engine's. */
const drainMs = 25_000

/** The port for clients: with TLS the gateway may show its identity, and nobody else may show any. */
export function clientServer(
  config: NodeConfig,
  parts: NodeParts,
  certificates: TlsDirectory | null,
): HttpServer {
  const standings = new WeakMap<Socket, Standing>()
  const expected = config.mode === 'cluster' ? identity(config.installationId, 'gateway') : null
  return new HttpServer({
    name: 'clients',
    listen: config.listen,
    handler: createClientHandler(parts, (socket) => standings.get(socket) ?? 'local'),
    clock: parts.clock,
    log: parts.log,
    drainMs,
    ...(certificates && {
      tls: {
        directory: certificates,
        clientCertificate: expected === null ? ('none' as const) : ('optional' as const),
        accept: (socket: TLSSocket) => {
          const standing = expected === null ? 'anonymous' : peerStanding(socket, expected)
          standings.set(socket, standing)
          return standing !== 'refused'
        },
      },
    }),
  })
}

/** The port for the operator, who must show its identity. */
export function adminServer(config: ClusterConfig, parts: NodeParts, certificates: TlsDirectory): HttpServer {
  const expected = identity(config.installationId, 'operator')
  return new HttpServer({
    name: 'admin',
    listen: config.adminListen,
    handler: createAdminHandler(parts),
    clock: parts.clock,
    log: parts.log,
    maxConnections: 64,
    drainMs: 5_000,
    tls: {
      directory: certificates,
      clientCertificate: 'required',
      accept: (socket) => socket.authorized && carriesExactly(socket.getPeerCertificate(), expected),
    },
  })
}

/** The port for Prometheus, of a node that runs alone and was told to have one. */
export function metricsServer(config: AloneConfig, parts: NodeParts): HttpServer | null {
  if (config.metricsListen === null) return null
  return new HttpServer({
    name: 'metrics',
    listen: config.metricsListen,
    handler: metricsHandler(parts.metrics.registry),
    clock: parts.clock,
    log: parts.log,
    maxConnections: 64,
    drainMs: 1_000,
  })
}
