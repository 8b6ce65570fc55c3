import { Client } from 'undici'
import {
  attemptLimits,
  outcomesSchema,
  probePort,
  type Attempt,
  type Outcomes,
} from '../../common/attempts.ts'
import { messageOf } from '../../common/errors.ts'
import { identity } from '../../common/identity.ts'
import type { Logger } from '../../common/log.ts'
import { carriesExactly, tlsPolicy } from '../../common/tls.ts'
import type { ClientIdentity } from '../node-client/peer.ts'

const timeoutMs = attemptLimits.timeoutMs + 3_000
const answerBytes = 4_096
const idleLimitMs = 60_000

/** Asks the isolation probe for attempts. Each request has a connection of its own: they are few, and wait for silence. */
export class ProbeClient {
  readonly #identity: () => ClientIdentity
  readonly #installationId: string
  readonly #log: Logger
  readonly #port: number

  constructor(options: {
    readonly identity: () => ClientIdentity
    readonly installationId: string
    readonly log: Logger
    readonly port?: number
  }) {
    this.#identity = options.identity
    this.#installationId = options.installationId
    this.#log = options.log
    this.#port = options.port ?? probePort
  }

  /** @returns null if it does not answer as it should */
  async attempts(address: string, attempts: readonly Attempt[]): Promise<Outcomes | null> {
    const client = this.#open(address)
    try {
      const response = await client.request({
        method: 'POST',
        path: '/attempts',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ attempts }),
        signal: AbortSignal.timeout(timeoutMs),
      })
      const text = await boundedText(response.body)
      const parsed = outcomesSchema.safeParse(response.statusCode === 200 ? JSON.parse(text) : null)
      if (parsed.success && parsed.data.outcomes.length === attempts.length) return parsed.data
      this.#log.warn({ status: response.statusCode }, 'the isolation probe refused to try paths')
    } catch (error) {
      this.#log.info({ reason: messageOf(error) }, 'the isolation probe does not answer')
    } finally {
      await client.destroy()
    }
    return null
  }

  #open(address: string): Client {
    const { authorityPem, certificatePem, privateKeyPem } = this.#identity()
    const expected = identity(this.#installationId, 'probe')
    return new Client(`https://${address.includes(':') ? `[${address}]` : address}:${this.#port}`, {
      pipelining: 1,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      keepAliveTimeout: idleLimitMs,
      connect: {
        ca: authorityPem,
        cert: certificatePem,
        key: privateKeyPem,
        ...tlsPolicy,
        timeout: attemptLimits.timeoutMs,
        rejectUnauthorized: true,
        maxCachedSessions: 0,
        checkServerIdentity: (_host, certificate) =>
          carriesExactly(certificate, expected) ? undefined : new Error(`peer is not ${expected}`),
      },
    })
  }
}

async function boundedText(body: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  let sizeBytes = 0
  for await (const piece of body) {
    sizeBytes += piece.length
    if (sizeBytes > answerBytes) throw new Error(`an answer of more than ${answerBytes} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
