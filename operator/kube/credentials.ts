import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { KubeConfig } from '@kubernetes/client-node'
import type { Clock } from '../../common/clock.ts'
import { AppError, messageOf } from '../../common/errors.ts'

/** What a connection to the API server and each request on it need. */
export interface Credentials {
  /** `https://host:port`, or `http://` for a local proxy. */
  readonly origin: string
  /** What stands before every path, for servers behind a prefix; mostly "". */
  readonly pathPrefix: string
  readonly headers: Readonly<Record<string, string>>
  readonly tls: TlsOptions
  /** Changes when new connections are needed. */
  readonly tlsFingerprint: string
}

export interface TlsOptions {
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly passphrase?: string
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

/** Service-account tokens, their CA and client certificates are replaced on disk while we run. */
const freshForMs = 30_000

/** Reads credentials as kubectl would, again and again, so that rotation needs no restart. */
export class CredentialSource {
  readonly #config = new KubeConfig()
  readonly #clock: Clock
  #current: { readonly promise: Promise<Credentials>; readonly readMs: number } | undefined

  /**
   * @param kubeconfig path of a kubeconfig file; absent: the pod's service account
   * @throws AppError invalid, ERR_KUBECONFIG
   */
  constructor(kubeconfig: string | undefined, clock: Clock) {
    this.#clock = clock
    try {
      if (kubeconfig === undefined) this.#config.loadFromCluster()
      else this.#config.loadFromFile(kubeconfig)
    } catch (error) {
      throw invalid(`${kubeconfig ?? 'service account'} cannot be read: ${messageOf(error)}`)
    }
    this.#cluster()
  }

  current(): Promise<Credentials> {
    const nowMs = this.#clock.monotonicMs()
    if (!this.#current || nowMs - this.#current.readMs >= freshForMs) {
      const promise = this.#read()
      this.#current = { promise, readMs: nowMs }
      // A failed read is not kept: the file may be in the middle of its replacement.
      promise.catch(() => (this.#current = undefined))
    }
    return this.#current.promise
  }

  /** The server did not accept them: the next request reads them anew. */
  forget(): void {
    this.#current = undefined
  }

  #cluster() {
    const cluster = this.#config.getCurrentCluster()
    if (!cluster || !URL.canParse(cluster.server)) throw invalid('there is no cluster with a server address')
    if (cluster.proxyUrl !== undefined) throw invalid('proxy-url is not supported')
    return cluster
  }

  async #read(): Promise<Credentials> {
    const url = new URL(this.#cluster().server)
    const options: RequestOptions = { headers: {} }
    await this.#config.applyToHTTPSOptions(options)
    const tls = tlsOf(options)
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(options.headers ?? {}))
      if (typeof value === 'string') headers[name.toLowerCase()] = value.trim()
    // The library keeps a token from a file for a minute more, and so would go on with a revoked one.
    const tokenFile: unknown = this.#config.getCurrentUser()?.authProvider?.config?.tokenFile
    if (typeof tokenFile === 'string')
      headers['authorization'] = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`
    if (typeof options.auth === 'string')
      headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`
    return {
      origin: url.origin,
      pathPrefix: url.pathname.replace(/\/$/, ''),
      headers,
      tls,
      tlsFingerprint: createHash('sha256')
        .update(JSON.stringify([url.origin, tls]))
        .digest('hex'),
    }
  }
}

function tlsOf(options: RequestOptions): TlsOptions {
  const material = (value: unknown): value is string | Buffer =>
    typeof value === 'string' || Buffer.isBuffer(value)
  return {
    ...(material(options.ca) ? { ca: options.ca } : {}),
    ...(material(options.cert) ? { cert: options.cert } : {}),
    ...(material(options.key) ? { key: options.key } : {}),
    ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
    ...(options.servername === undefined ? {} : { servername: options.servername }),
    ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
  }
}

const invalid = (why: string): AppError => new AppError('invalid', 'ERR_KUBECONFIG', `kubeconfig: ${why}`)
