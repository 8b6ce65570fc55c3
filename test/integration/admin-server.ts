import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { adminPaths, organizationHeader, type NodeState } from '../../common/admin-api.ts'
import type { Outcome } from '../../common/attempts.ts'
import { identity } from '../../common/identity.ts'
import {
  anyStateDocumentSchema,
  stateDocumentSchema1,
  type AnyStateDocument,
} from '../../common/state-document-formats.ts'
import { stateDigest } from '../../common/state-document.ts'
import { documentIn } from '../../storage-node/state/judge.ts'
import { carriesExactly, tlsPolicy } from '../../common/tls.ts'

/**
 * The admin port of common/admin-api.ts over real TLS, without an engine behind it: for tests of the control plane,
 * which must see what reaches a node and when.
 */
export class AdminServer {
  readonly #organizationId: string
  readonly #operator: string
  readonly #server: Server
  readonly #revoked = new Set<string>()
  /** The document in force. */
  document: AnyStateDocument | null = null
  /** [1] for a node of before, which takes nothing else. */
  formatVersions: readonly number[] = [1, 2]
  /** What was asked, in order: `GET /admin/state`. */
  readonly requests: string[] = []
  readonly deleted: string[] = []
  /** For how long it has served nobody. */
  idleMs = 0
  /** What becomes of whatever it tries to reach. */
  outcome: Outcome = 'silent'
  /** Connections over the server's lifetime. */
  connections = 0
  /** Called when a document has come into force. */
  onDocument: () => void = () => undefined
  /** Answers in place of the usual one. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | null = null

  constructor(options: {
    readonly organizationId: string
    readonly installationId: string
    readonly certificatePem: string
    readonly privateKeyPem: string
    readonly authorityPem: string
  }) {
    this.#organizationId = options.organizationId
    this.#operator = identity(options.installationId, 'operator')
    this.#server = createServer(
      {
        ...tlsPolicy,
        cert: options.certificatePem,
        key: options.privateKeyPem,
        ca: options.authorityPem,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (request, response) => void this.#answer(request, response).catch(() => response.destroy()),
    )
    this.#server.on('secureConnection', () => {
      this.connections += 1
    })
  }

  /** Other certificates, for the connections to come. */
  renew(pems: {
    readonly certificatePem: string
    readonly privateKeyPem: string
    readonly authorityPem: string
  }): void {
    this.#server.setSecureContext({
      ...tlsPolicy,
      cert: pems.certificatePem,
      key: pems.privateKeyPem,
      ca: pems.authorityPem,
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async listen(host = '127.0.0.1', port = 0): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, resolve)
    })
    return this.port
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  get isReady(): boolean {
    return this.document !== null
  }

  get digest(): string {
    return this.document ? stateDigest(this.document) : ''
  }

  get state(): NodeState {
    return {
      organizationId: this.#organizationId,
      digest: this.digest,
      formatVersions: this.formatVersions,
      version: '0.1.0',
      databasesWithData: [],
      idleMs: this.idleMs,
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`)
    const send = (status: number, body?: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body === undefined ? undefined : JSON.stringify(body))
    }
    if (!carriesExactly((request.socket as TLSSocket).getPeerCertificate(), this.#operator)) return send(403)
    if (this.intercept?.(request, response)) return undefined
    if (request.headers[organizationHeader] !== this.#organizationId) return send(421)
    if (request.method === 'GET' && request.url === adminPaths.state) return send(200, this.state)
    if (request.method === 'PUT' && request.url === adminPaths.state) {
      const body: unknown = JSON.parse(await textOf(request))
      const parsed = this.formatVersions.includes(2)
        ? anyStateDocumentSchema.safeParse(documentIn(body))
        : stateDocumentSchema1.safeParse(body)
      if (!parsed.success) return send(422, { code: 'ERR_STATE_SCHEMA', message: parsed.error.message })
      if (request.headers['if-match'] !== `"${this.digest}"`) return send(412, this.state)
      const ids = new Set(parsed.data.tokens.map(({ id }) => id))
      const revived = [...ids].find((id) => this.#revoked.has(id))
      if (revived !== undefined) {
        return send(422, {
          code: 'ERR_STATE_REVIVES_TOKEN',
          message: `tokens: ${revived} is revoked, which is for ever`,
        })
      }
      for (const { id } of this.document?.tokens ?? []) if (!ids.has(id)) this.#revoked.add(id)
      this.document = parsed.data
      this.onDocument()
      return send(200, this.state)
    }
    if (request.method === 'POST' && request.url === adminPaths.attempts) {
      const { attempts } = JSON.parse(await textOf(request)) as { attempts: readonly unknown[] }
      return send(200, { control: 'connected', outcomes: attempts.map(() => this.outcome) })
    }
    if (request.method === 'DELETE' && request.url?.startsWith(adminPaths.databases)) {
      const id = request.url.slice(adminPaths.databases.length)
      if (this.document?.databases.some((database) => database.id === id)) {
        return send(409, { code: 'ERR_DATABASE_ATTACHED', message: 'attached' })
      }
      this.deleted.push(id)
      return send(204)
    }
    return send(404)
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
