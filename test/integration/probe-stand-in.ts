import { createServer, type Server } from 'node:https'
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { openPort, probePort, type Outcome } from '../../common/attempts.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import type { ApiServer } from './api-server.ts'

/**
 * In the place of the isolation probe, for tests of the control plane: over TLS with the identity that the operator has issued,
 * with an answer that the test decides. The real one tries nothing on its own machine, and all addresses here are.
 */
export class ProbeStandIn {
  readonly address: string
  /** What becomes of what it tries besides its control. */
  outcome: Outcome = 'silent'
  requests = 0
  readonly #open: TcpServer = createTcpServer((socket) => socket.destroy())
  #server: Server | null = null

  constructor(address: string) {
    this.address = address
  }

  /** Both ports, once the operator has made the Secret. @returns false while there is none */
  async start(server: ApiServer, namespace: string): Promise<boolean> {
    const at = { namespace, name: 'holdfast-isolation-probe-identity' }
    const secret = await server.send('GET', pathOf(resources.secrets, at))
    if (secret.status !== 200) return false
    const data = secret.body['data'] as Readonly<Record<string, string>>
    const pem = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString('utf8')
    this.#server = createServer(
      {
        cert: pem('tls.crt'),
        key: pem('tls.key'),
        ca: pem('ca.crt'),
        requestCert: true,
        rejectUnauthorized: true,
      },
      (request, response) => {
        let text = ''
        request.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        request.on('end', () => {
          this.requests += 1
          const { attempts } = JSON.parse(text) as { attempts: readonly unknown[] }
          const outcomes = attempts.map((_attempt, index) => (index === 0 ? 'connected' : this.outcome))
          response.end(JSON.stringify({ control: 'connected', outcomes }))
        })
      },
    )
    await Promise.all([
      new Promise<void>((resolve) => this.#server!.listen(probePort, this.address, resolve)),
      new Promise<void>((resolve) => this.#open.listen(openPort, this.address, resolve)),
    ])
    return true
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections()
    await Promise.all([
      new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(null))),
      new Promise((resolve) => this.#open.close(resolve)),
    ])
  }
}
