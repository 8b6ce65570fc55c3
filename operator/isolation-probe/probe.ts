import { X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:net'
import { attemptLimits, Attempts, type Reach } from '../../common/attempts.ts'
import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import { HttpServer, type ListenAddress } from '../../common/http-server.ts'
import { identity, identitiesOf } from '../../common/identity.ts'
import { Lifecycle, type Component } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import { TlsDirectory } from '../../common/tls-directory.ts'
import { carriesExactly } from '../../common/tls.ts'

export interface ProbeConfig {
  /** For the operator. */
  readonly listen: ListenAddress
  /** For anybody: connections are taken and closed. */
  readonly openListen: ListenAddress
  /** tls.crt, tls.key and ca.crt. */
  readonly identityDir: string
}

/** A thousand organizations are tried one after the other, some at a time. */
const bounds = { atOnce: 32, pauseMs: 0 }
const openConnections = 256

/**
 * The isolation probe: a pod without rights that stands for any other pod of the cluster. It tries to reach what it must
 * not reach, when the operator asks, and has a port that storage nodes must not reach.
 */
export function createProbe(
  config: ProbeConfig,
  parts: { readonly reach: Reach; readonly clock: Clock; readonly log: Logger },
): Component & { readonly port: number; readonly openPort: number } {
  const { clock, log } = parts
  const directory = new TlsDirectory({ directory: config.identityDir, withAuthority: true, clock, log })
  const open = createServer((socket) => socket.on('error', () => undefined).destroy())
  open.maxConnections = openConnections
  const attempts = new Attempts({
    reach: parts.reach,
    ownPort: () => portOf(open),
    bounds,
    clock,
  })
  const server = new HttpServer({
    name: 'operator',
    listen: config.listen,
    handler: handlerOf(attempts, log),
    clock,
    log,
    maxConnections: 64,
    drainMs: 2_000,
    tls: {
      directory,
      clientCertificate: 'required',
      accept: (socket) =>
        socket.authorized &&
        carriesExactly(
          socket.getPeerCertificate(),
          identity(installationOf(directory.material.certificate), 'operator'),
        ),
    },
  })
  const lifecycle = new Lifecycle([directory, openPortOf(open, config.openListen), server], log)
  return {
    name: 'isolation probe',
    get port() {
      return server.port
    },
    get openPort() {
      return portOf(open)
    },
    start: () => lifecycle.start(),
    stop: () => lifecycle.stop(),
  }
}

/** The installation's id, out of the probe's own certificate: only its operator may ask. */
function installationOf(certificate: Buffer): string {
  const own = identitiesOf(new X509Certificate(certificate).subjectAltName)
  const id = /^holdfast:\/\/([0-9a-f]{16})\/probe$/.exec(own.length === 1 ? own[0]! : '')?.[1]
  if (id === undefined)
    throw new AppError('invalid', 'ERR_PROBE_IDENTITY', 'the certificate is not a probe’s')
  return id
}

function handlerOf(attempts: Attempts, log: Logger) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const answer = (status: number, body: object) => {
      const text = JSON.stringify(body)
      response.writeHead(status, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      })
      response.end(text)
    }
    if (request.method !== 'POST' || request.url !== '/attempts')
      return answer(404, { code: 'ERR_PROBE_PATH' })
    try {
      return answer(200, await attempts.make(await textOf(request)))
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      log.info({ reason: error.message }, 'attempts refused')
      return answer(error.kind === 'too-many-requests' ? 429 : 400, {
        code: error.code,
        message: error.message,
      })
    }
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let sizeBytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    sizeBytes += piece.length
    if (sizeBytes > attemptLimits.bodyBytes)
      throw new AppError('too-large', 'ERR_ATTEMPTS', `at most ${attemptLimits.bodyBytes} bytes expected`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

function openPortOf(open: Server, { host, port }: ListenAddress): Component {
  return {
    name: 'open port',
    start: () =>
      new Promise((resolve, reject) => {
        open.once('error', reject)
        open.listen(port, host, () => {
          open.off('error', reject)
          resolve()
        })
      }),
    stop: () => new Promise((resolve) => open.close(() => resolve())),
  }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
