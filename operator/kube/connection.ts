import { Readable } from 'node:stream'
import { errors, Pool, type Dispatcher } from 'undici'
import { AppError } from '../../common/errors.ts'
import { version } from '../../common/version.ts'
import type { Fence } from './client.ts'
import type { Credentials, CredentialSource } from './credentials.ts'

export interface WireRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With the query. */
  readonly path: string
  readonly contentType?: string
  readonly body?: Buffer
  readonly signal: AbortSignal
  readonly fence?: Fence | undefined
  /** Of the answer; absent: more than any object has. */
  readonly maxAnswerBytes?: number | undefined
}

export interface WireAnswer {
  readonly statusCode: number
  readonly retryAfter: string | undefined
  readonly body: Buffer
}

/** Sockets for requests: few, kept, HTTP/1.1 (Node's HTTP/2 has leaked under long watches). Watches have their own. */
export const requestSockets = 12
const connectTimeoutMs = 10_000
const headersTimeoutMs = 30_000
/** Shorter than the 90 s after which the API server closes an idle connection. */
const idleSocketMs = 55_000
/** Several times what etcd lets an object be, since JSON escapes may make it longer. */
export const maxObjectBytes = 16 * 1024 * 1024

interface Pools {
  readonly tlsFingerprint: string
  readonly requests: Pool
  readonly watches: Pool
}

/** All sockets to the API server: opened once, and again only when certificates were replaced. */
export class Connection {
  readonly #credentials: CredentialSource
  #pools: Pools | undefined
  /** Get no new requests. */
  readonly #retired = new Set<Pool>()
  #closed = false

  constructor(credentials: CredentialSource) {
    this.#credentials = credentials
  }

  /** One request and its whole answer, whatever its status. */
  async send(request: WireRequest): Promise<WireAnswer> {
    const credentials = await this.#credentials.current()
    const { requests } = this.#poolsFor(credentials)
    try {
      return await this.#answer(requests, credentials, request)
    } catch (error) {
      if (request.signal.aborted || isTimeout(error)) this.#leave(requests, credentials)
      throw error
    }
  }

  async #answer(pool: Pool, credentials: Credentials, request: WireRequest): Promise<WireAnswer> {
    const { maxAnswerBytes = maxObjectBytes } = request
    const answer = await this.#dispatch(pool, credentials, request, 30_000)
    const chunks: Buffer[] = []
    let sizeBytes = 0
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length
      if (sizeBytes > maxAnswerBytes)
        throw new AppError(
          'too-large',
          'ERR_KUBE_ANSWER_TOO_LARGE',
          `the answer is over ${maxAnswerBytes} bytes`,
        )
      chunks.push(chunk)
    }
    const retryAfter = answer.headers['retry-after']
    return {
      statusCode: answer.statusCode,
      retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
      body: Buffer.concat(chunks),
    }
  }

  /** A request whose answer goes on; no time-out on its body, which the caller watches. */
  async stream(request: WireRequest): Promise<Dispatcher.ResponseData> {
    const credentials = await this.#credentials.current()
    const { watches } = this.#poolsFor(credentials)
    return this.#dispatch(watches, credentials, request, 0)
  }

  /** Reads credentials anew before the next request. */
  forgetCredentials(): void {
    this.#credentials.forget()
  }

  async close(): Promise<void> {
    this.#closed = true
    const pools = this.#pools
    this.#pools = undefined
    const reason = new AppError('unavailable', 'ERR_KUBE_CLOSED', 'the client was closed')
    const retired = [...this.#retired].map((pool) => pool.destroy(reason))
    await Promise.all([pools?.requests.destroy(reason), pools?.watches.destroy(reason), ...retired])
  }

  async #dispatch(
    pool: Pool,
    credentials: Credentials,
    request: WireRequest,
    bodyTimeoutMs: number,
  ): Promise<Dispatcher.ResponseData> {
    const { body, fence } = request
    let refusal: unknown
    const onRefusal = (error: unknown) => {
      refusal = error
    }
    try {
      return await pool.request({
        method: request.method,
        path: `${credentials.pathPrefix}${request.path}`,
        headers: {
          accept: 'application/json',
          'user-agent': `holdfast/${version}`,
          ...credentials.headers,
          ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }),
          ...(body ? { 'content-length': String(body.length) } : {}),
        },
        body: body && fence ? Readable.from(fenced(body, fence, onRefusal)) : (body ?? null),
        signal: request.signal,
        headersTimeout: headersTimeoutMs,
        bodyTimeout: bodyTimeoutMs,
      })
    } catch (error) {
      throw refusal ?? error
    }
  }

  #poolsFor(credentials: Credentials): Pools {
    if (this.#closed) throw new AppError('unavailable', 'ERR_KUBE_CLOSED', 'the client was closed')
    if (this.#pools?.tlsFingerprint === credentials.tlsFingerprint) return this.#pools
    const old = this.#pools
    this.#pools = {
      tlsFingerprint: credentials.tlsFingerprint,
      requests: openPool(credentials, requestSockets),
      watches: openPool(credentials, null),
    }
    if (old) for (const pool of [old.requests, old.watches]) this.#retire(pool)
    return this.#pools
  }

  /**
   * A request got no answer in time. Where a line has fallen silent all sockets of its time have, and each would cost
   * another such wait: the next request opens a new one. What is under way on the others ends by itself.
   */
  #leave(requests: Pool, credentials: Credentials): void {
    if (this.#pools?.requests !== requests) return
    this.#pools = { ...this.#pools, requests: openPool(credentials, requestSockets) }
    this.#retire(requests)
  }

  /** What is under way on its sockets ends by itself. */
  #retire(pool: Pool): void {
    this.#retired.add(pool)
    void pool
      .close()
      .catch(() => undefined)
      .finally(() => this.#retired.delete(pool))
  }
}

/** @param connections null for as many as there are requests */
function openPool(credentials: Credentials, connections: number | null): Pool {
  return new Pool(credentials.origin, {
    connections,
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: idleSocketMs,
    keepAliveMaxTimeout: idleSocketMs,
    connect: { ...credentials.tls, timeout: connectTimeoutMs, keepAlive: true },
  })
}

const isTimeout = (error: unknown): boolean =>
  error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError

/**
 * A body that asks the fence when the first byte is about to go to the socket, after all waiting for a socket and
 * connecting. The request line goes with the first byte, so a refused request never reaches the server.
 */
async function* fenced(
  body: Buffer,
  fence: Fence,
  onRefusal: (error: unknown) => void,
): AsyncGenerator<Buffer> {
  try {
    fence()
  } catch (error) {
    onRefusal(error)
    throw error
  }
  yield body
}
