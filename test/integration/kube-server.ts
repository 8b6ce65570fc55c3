import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority, issueCertificate, type KeyPair } from '../../operator/authority/certificates.ts'

export interface Received {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly contentType: string | undefined
  readonly authorization: string | undefined
  /** Parsed, or undefined if there was none. */
  readonly body: unknown
}

export type Handler = (request: Received, response: ServerResponse) => void

/** An HTTPS server in the place of the API server, which answers as a test tells it, with a kubeconfig to reach it. */
export class KubeServer {
  readonly #server: Server
  readonly #folder: string
  readonly received: Received[] = []
  /** TLS connections over the server's lifetime. */
  connections = 0
  handler: Handler = (_request, response) => answer(response, 500, status(500, 'InternalError', 'no handler'))

  private constructor(pair: KeyPair, folder: string) {
    this.#folder = folder
    this.#server = createServer(
      { cert: pair.certificatePem, key: pair.privateKeyPem },
      (request, response) => {
        void this.#take(request, response)
      },
    )
    this.#server.on('secureConnection', () => {
      this.connections += 1
    })
  }

  static async open(): Promise<KubeServer> {
    const nowMs = Date.now()
    const authority = await createAuthority('0123456789abcdef', nowMs)
    const pair = await issueCertificate(
      authority,
      { commonName: 'api', uris: [], dnsNames: [], ipAddresses: ['127.0.0.1'], usages: ['server'] },
      nowMs,
    )
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-kube-'))
    const server = new KubeServer(pair, folder)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    await writeFile(server.#file('ca.pem'), authority.certificatePem)
    await server.setToken('first')
    await writeFile(server.kubeconfig, server.#kubeconfigText())
    await chmod(server.kubeconfig, 0o600)
    return server
  }

  get kubeconfig(): string {
    return this.#file('kubeconfig')
  }

  async setToken(token: string): Promise<void> {
    await writeFile(this.#file('token'), `${token}\n`)
  }

  /** Lets the kubeconfig vouch for another server's certificate instead. */
  async trust(other: KubeServer): Promise<void> {
    await copyFile(other.#file('ca.pem'), this.#file('ca.pem'))
  }

  /** Cuts every connection without a word. */
  reset(): void {
    this.#server.closeAllConnections()
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.reset()
    await closed
    await rm(this.#folder, { recursive: true })
  }

  #file(name: string): string {
    return join(this.#folder, name)
  }

  #kubeconfigText(): string {
    const { port } = this.#server.address() as AddressInfo
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
      clusters: [
        {
          name: 'test',
          cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': this.#file('ca.pem') },
        },
      ],
      users: [
        {
          name: 'test',
          user: { 'auth-provider': { name: 'tokenFile', config: { tokenFile: this.#file('token') } } },
        },
      ],
    })
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    } catch {
      return
    }
    const url = new URL(request.url ?? '/', 'https://api')
    const text = Buffer.concat(chunks).toString('utf8')
    const received: Received = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      contentType: request.headers['content-type'],
      authorization: request.headers.authorization,
      body: text === '' ? undefined : JSON.parse(text),
    }
    this.received.push(received)
    this.handler(received, response)
  }
}

export function answer(
  response: ServerResponse,
  statusCode: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(statusCode, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

export const status = (code: number, reason: string, message: string, more: object = {}) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message,
  ...more,
})
