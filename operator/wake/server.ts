import type { Clock } from '../../common/clock.ts'
import { HttpServer, type ListenAddress, type RequestHandler } from '../../common/http-server.ts'
import { identity } from '../../common/identity.ts'
import type { Logger } from '../../common/log.ts'
import { carriesExactly, type TlsSource } from '../../common/tls.ts'

/** The port of the wake door, for the gateway of this installation alone: see common/wake-api.ts. */
export function wakeServer(options: {
  readonly listen: ListenAddress
  readonly handler: RequestHandler
  readonly tls: TlsSource
  readonly installationId: string
  readonly clock: Clock
  readonly log: Logger
}): HttpServer {
  const gateway = identity(options.installationId, 'gateway')
  return new HttpServer({
    name: 'wake door',
    listen: options.listen,
    handler: options.handler,
    clock: options.clock,
    log: options.log,
    maxConnections: 256,
    headersTimeoutMs: 5_000,
    requestTimeoutMs: 10_000,
    drainMs: 1_000,
    tls: {
      directory: options.tls,
      clientCertificate: 'required',
      accept: (socket) => socket.authorized && carriesExactly(socket.getPeerCertificate(), gateway),
    },
  })
}
