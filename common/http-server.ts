import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from './clock.ts'
import { messageOf } from './errors.ts'
import type { Component } from './lifecycle.ts'
import type { Logger } from './log.ts'
import { tlsOptions, type TlsSource } from './tls.ts'

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** `host:port`, with an IPv6 host in brackets; port 0 lets the system choose. @returns null for anything else */
export function parseListenAddress(text: string): ListenAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):([0-9]{1,5})$/.exec(text)
  if (!match || Number(match[3]) > 65_535) return null
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port: Number(match[3]) }
}

/** Addresses that never leave the machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.[0-9]{1,3}){3}$/.test(host)
}

/**
 * Answers one request. It deals with its own errors; one that escapes ends the connection. It must call
 * `response.writeContinue()` before it reads the body of a request with `Expect: 100-continue`, so that a refusal
 * can come before the body is sent.
 */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

export interface HttpServerSettings {
  readonly name: string
  readonly listen: ListenAddress
  readonly handler: RequestHandler
  readonly clock: Clock
  readonly log: Logger
  readonly tls?: {
    readonly directory: TlsSource
    /** required: who does not present a certificate of the authority is refused by TLS itself. */
    readonly clientCertificate: 'none' | 'optional' | 'required'
    /** Looks at a connection that TLS accepted. @returns false to end it */
    readonly accept?: (socket: TLSSocket) => boolean
  }
  /** Connections at the same time; more are answered 503, or closed where TLS would have to answer first. */
  readonly maxConnections?: number
  /** Connections at the same time that count as from one source; more are closed at once. */
  readonly perSource?: { readonly maxConnections: number; readonly keyOf: (address: string) => string }
  /** The head of a request must have arrived whole within this time, also the first one of a connection. */
  readonly headersTimeoutMs?: number
  /** A request must have arrived whole within this time. */
  readonly requestTimeoutMs?: number
  /** How often it is looked whether these two times are over. */
  readonly checkIntervalMs?: number
  /** Must be longer than the idle time of the clients' pools, so that it is they who close. */
  readonly keepAliveTimeoutMs?: number
  /** How long running requests may take to end when the server stops. */
  readonly drainMs?: number
}

const tellEveryMs = 60_000
const lingerMs = 1_000
const tooManyText = 'too many connections'
const tooManyBody = `${JSON.stringify({ error: tooManyText, code: 'unavailable', message: tooManyText })}\n`
const tooManyConnections = [
  'HTTP/1.1 503 Service Unavailable',
  'Connection: close',
  'Retry-After: 2',
  'Content-Type: application/json',
  `Content-Length: ${tooManyBody.length}`,
  '',
  tooManyBody,
].join('\r\n')

const statusOfClientError = (code: string | undefined): string =>
  code === 'ERR_HTTP_REQUEST_TIMEOUT'
    ? '408 Request Timeout'
    : code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : '400 Bad Request'

function onClientError(error: Error, socket: Socket): void {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (!socket.writable || code === 'ECONNRESET') return void socket.destroy()
  socket.end(`HTTP/1.1 ${statusOfClientError(code)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/**
 * Why a request is refused before anybody looks at it: each of these means one thing here and may mean another to
 * a proxy on the way.
 */
function refusalOf(request: IncomingMessage): 400 | 501 | null {
  const { host = [], 'transfer-encoding': codings = [] } = request.headersDistinct
  if (host.length > 1) return 400
  // Others than chunked would have to be undone (RFC 9112, 6.1), and then chunked may not come twice.
  return codings.length === 0 || codings.join().trim().toLowerCase() === 'chunked' ? null : 501
}

/** An HTTP/1.1 listener, plain or TLS, with limits on time, headers and connections, that stops gracefully. */
export class HttpServer implements Component {
  readonly name: string
  readonly #settings: HttpServerSettings
  readonly #server: Server
  readonly #running = new Set<ServerResponse>()
  readonly #bySource = new Map<string, number>()
  readonly #refused = new WeakSet<Socket>()
  #connections = 0
  /** When it was last told that there are too many. */
  #toldMs = Number.NEGATIVE_INFINITY
  #draining = false

  constructor(settings: HttpServerSettings) {
    this.name = settings.name
    this.#settings = settings
    this.#server = this.#create()
  }

  /** Where it listens; with port 0, the port that the system chose. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async start(): Promise<void> {
    const { tls, listen, log } = this.#settings
    if (tls && 'setSecureContext' in this.#server) {
      const server = this.#server as ReturnType<typeof createHttpsServer>
      server.setSecureContext(tlsOptions(tls.directory.material))
      tls.directory.onChange((material) => server.setSecureContext(tlsOptions(material)))
    }
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(listen.port, listen.host, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    log.info({ listener: this.name, host: listen.host, port: this.port, tls: tls !== undefined }, 'listening')
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#draining = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const response of this.#running) {
      if (!response.headersSent) response.setHeader('connection', 'close')
    }
    const { clock } = this.#settings
    const deadlineMs = clock.monotonicMs() + (this.#settings.drainMs ?? 30_000)
    while (this.#running.size > 0 && clock.monotonicMs() < deadlineMs) {
      this.#server.closeIdleConnections()
      await clock.sleep(20)
    }
    this.#server.closeAllConnections()
    await closed
  }

  #create(): Server {
    const { tls } = this.#settings
    const limits = {
      maxHeaderSize: 32_768,
      headersTimeout: this.#settings.headersTimeoutMs ?? 15_000,
      requestTimeout: this.#settings.requestTimeoutMs ?? 300_000,
      keepAliveTimeout: this.#settings.keepAliveTimeoutMs ?? 75_000,
      connectionsCheckingInterval: this.#settings.checkIntervalMs ?? 5_000,
    }
    const listener = (request: IncomingMessage, response: ServerResponse) =>
      this.#onRequest(request, response)
    const server = tls
      ? createHttpsServer({
          ...limits,
          handshakeTimeout: 10_000,
          requestCert: tls.clientCertificate !== 'none',
          rejectUnauthorized: tls.clientCertificate === 'required',
        })
      : createHttpServer(limits)
    server.on('request', listener)
    server.on('checkContinue', listener)
    server.on('clientError', onClientError)
    if (tls?.accept) {
      const { accept } = tls
      server.on('secureConnection', (socket: TLSSocket) => {
        if (accept(socket)) return
        // A request may have come along with the end of the handshake, and is read all the same.
        this.#refused.add(socket)
        socket.destroy()
      })
    }
    server.on('connection', (socket: Socket) => this.#admit(socket))
    return server
  }

  #admit(socket: Socket): void {
    if (this.#connections >= (this.#settings.maxConnections ?? 4_096)) return this.#turnAway(socket)
    this.#connections++
    socket.once('close', () => this.#connections--)
    this.#countSource(socket)
  }

  #turnAway(socket: Socket): void {
    const { clock, log, tls } = this.#settings
    this.#refused.add(socket)
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#toldMs >= tellEveryMs) {
      this.#toldMs = nowMs
      log.warn({ listener: this.name, connections: this.#connections }, 'too many connections')
    }
    if (tls) return void socket.destroy()
    socket.end(tooManyConnections)
    // Closed at once, with a request unread, it would take the answer with it.
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    socket.once('close', () => clearTimeout(timer))
  }

  #countSource(socket: Socket): void {
    const { perSource } = this.#settings
    if (!perSource) return
    const key = perSource.keyOf(socket.remoteAddress ?? '')
    const count = (this.#bySource.get(key) ?? 0) + 1
    if (count > perSource.maxConnections) return void socket.destroy()
    this.#bySource.set(key, count)
    socket.once('close', () => {
      const left = this.#bySource.get(key)! - 1
      if (left > 0) this.#bySource.set(key, left)
      else this.#bySource.delete(key)
    })
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#running.add(response)
    response.once('close', () => this.#running.delete(response))
    if (this.#draining) response.setHeader('connection', 'close')
    // What comes behind a refused request on its connection may be a part of it.
    if (this.#refused.has(request.socket)) return
    const refusal = refusalOf(request)
    if (refusal !== null) {
      this.#refused.add(request.socket)
      response.writeHead(refusal, { connection: 'close', 'content-length': 0 }).end()
      return
    }
    this.#settings.handler(request, response).catch((error: unknown) => {
      this.#settings.log.error({ err: error, listener: this.name }, 'request handler failed')
      response.destroy(new Error(messageOf(error)))
    })
  }
}
