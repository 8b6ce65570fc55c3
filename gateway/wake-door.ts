import { X509Certificate } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { Agent } from 'undici'
import * as z from 'zod'
import { organizationHeader } from '../common/admin-api.ts'
import { AppError } from '../common/errors.ts'
import type { ListenAddress } from '../common/http-server.ts'
import { identitiesOf, identity } from '../common/identity.ts'
import { carriesExactly, tlsOptions, type TlsMaterial } from '../common/tls.ts'
import { wakePath, wakeStates } from '../common/wake-api.ts'
import type { DoorAnswer } from './holds.ts'
import { wrongPeerCode } from './pools.ts'

const connectTimeoutMs = 1_000
const answerTimeoutMs = 3_000
const answerLimitBytes = 4_096
/** Addresses that are tried for one question. */
const addressesLimit = 8

const answerSchema = z.object({ state: z.enum(wakeStates) })

export type AddressesOf = (host: string) => Promise<readonly string[]>

const resolveAll: AddressesOf = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address)

/**
 * The operator's wake door, as the gateway calls it. Of several operators the one that leads listens, so every address
 * is tried, first the one that answered last.
 */
export class WakeDoor {
  readonly #address: ListenAddress
  readonly #addressesOf: AddressesOf
  #agent: Agent | null = null
  #lastAnswered: string | null = null

  constructor(address: ListenAddress, addressesOf: AddressesOf = resolveAll) {
    this.#address = address
    this.#addressesOf = addressesOf
  }

  /** Uses a new identity from now on. @throws AppError invalid, for one that is no gateway's */
  renew(material: TlsMaterial): void {
    const before = this.#agent
    this.#agent = agentOf(material)
    before?.close().catch(() => undefined)
  }

  async close(): Promise<void> {
    await this.#agent?.destroy()
  }

  /** @throws Error when no operator answers */
  async ask(organizationId: string, token: string, signal: AbortSignal): Promise<DoorAnswer> {
    let failure: unknown = new AppError(
      'unavailable',
      'ERR_GATEWAY_NO_OPERATOR',
      'no operator has an address',
    )
    for await (const address of this.#candidates()) {
      try {
        const answer = await this.#askAt(address, organizationId, token, signal)
        this.#lastAnswered = address
        return answer
      } catch (error) {
        if (signal.aborted) throw error
        failure = error
        if (address === this.#lastAnswered) this.#lastAnswered = null
      }
    }
    throw failure
  }

  /** While one answers, nobody asks for names; when it does not any more, another one leads. */
  async *#candidates(): AsyncGenerator<string> {
    const last = this.#lastAnswered
    if (last !== null) yield last
    const addresses = await this.#addressesOf(this.#address.host)
    yield* addresses.filter((address) => address !== last).slice(0, addressesLimit)
  }

  async #askAt(address: string, id: string, token: string, signal: AbortSignal): Promise<DoorAnswer> {
    if (!this.#agent) throw new AppError('internal', 'ERR_GATEWAY_NO_IDENTITY', 'no identity to ask with yet')
    const host = isIPv6(address) ? `[${address}]` : address
    const answer = await this.#agent.request({
      origin: `https://${host}:${this.#address.port}`,
      method: 'POST',
      path: wakePath,
      headers: { authorization: `Bearer ${token}`, [organizationHeader]: id },
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]),
    })
    if (answer.statusCode !== 200) {
      await answer.body.dump({ limit: answerLimitBytes })
      if (answer.statusCode === 401) return 'denied'
      if (answer.statusCode === 429) return 'busy'
      throw new AppError('unavailable', 'ERR_GATEWAY_OPERATOR', `the operator answered ${answer.statusCode}`)
    }
    return answerSchema.parse(await answer.body.json()).state
  }
}

function agentOf(material: TlsMaterial): Agent {
  const operator = identity(installationOf(material), 'operator')
  return new Agent({
    allowH2: false,
    connections: 16,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    headersTimeout: answerTimeoutMs,
    bodyTimeout: answerTimeoutMs,
    maxResponseSize: answerLimitBytes,
    connect: {
      timeout: connectTimeoutMs,
      maxCachedSessions: 0, // A resumed session would not be checked for the peer's identity again.
      ...tlsOptions(material),
      checkServerIdentity: (_host, certificate) =>
        carriesExactly(certificate, operator)
          ? undefined
          : Object.assign(new Error(`the peer is not ${operator}`), { code: wrongPeerCode }),
    },
  })
}

/** The installation that the gateway's own identity belongs to. */
function installationOf({ certificate }: TlsMaterial): string {
  const identities = identitiesOf(new X509Certificate(certificate).subjectAltName)
  const id = /^holdfast:\/\/([0-9a-f]{16})\/gateway$/.exec(identities[0] ?? '')?.[1]
  if (id !== undefined && identities.length === 1) return id
  throw new AppError('invalid', 'ERR_GATEWAY_IDENTITY', 'the certificate for calling nodes is no gateway’s')
}
