import { randomBytes } from 'node:crypto'
import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import {
  authorityData,
  authorityKeysOf,
  authorityStep,
  switched,
  trustedCertificates,
  withNext,
  type AuthorityKeys,
} from './authority-keys.ts'
import { createAuthority, issueCertificate, type CertificateRequest } from './certificates.ts'
import { endMsOf, renewalDueMs, renewalReason } from './renewal.ts'
import { gatewayRequest, nodeRequest, operatorRequest, probeRequest, serverRequest } from './requests.ts'
import {
  identityData,
  identityOf,
  tlsSecretType,
  type Identity,
  type KeptIdentity,
  type OwnSecrets,
  type StoredSecret,
} from './secrets.ts'

export const authoritySecretName = 'holdfast-ca'
export const operatorKeySecretName = 'holdfast-operator-key'
export const gatewayIdentitySecretName = 'holdfast-gateway-identity'
export const gatewayServerSecretName = 'holdfast-gateway-tls'
export const probeIdentitySecretName = 'holdfast-isolation-probe-identity'

/** What is issued into this namespace. */
const issuedSecretNames = {
  'gateway-identity': gatewayIdentitySecretName,
  'gateway-server': gatewayServerSecretName,
  'probe-identity': probeIdentitySecretName,
} as const

const operatorKeyField = 'key'
const hourMs = 3_600_000

export interface AuthoritySettings {
  readonly installationId: string
  /** Host names and IP addresses of the gateway's own server certificate; null when the platform brings one. */
  readonly gatewayHosts: readonly string[] | null
  readonly certificateLifetimeMs: number
  readonly authorityLifetimeMs: number
}

export type IssuedCertificate =
  | 'authority'
  | 'operator'
  | 'gateway-identity'
  | 'gateway-server'
  | 'probe-identity'

export interface AuthorityParts {
  readonly secrets: OwnSecrets
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: {
    ends(certificate: IssuedCertificate, endMs: number): void
    nodeEnds(organizationId: string, endMs: number): void
    issued(certificate: IssuedCertificate | 'storage-node', reason: string): void
  }
}

/**
 * The installation's certificate authority and its key for marks (MACs), and all that is issued by it. Both live in Secrets
 * of the operator's namespace. A damaged one is an error for people when an operator starts; one that runs knows what
 * they held, and puts it back.
 */
export class Authority {
  readonly installationId: string
  readonly #settings: AuthoritySettings
  readonly #parts: AuthorityParts
  readonly #operatorKey: Buffer
  #keys: AuthorityKeys
  #operatorIdentity: Identity
  /** Since when, monotonic, this process has told everybody of the authority that comes next. */
  #announcedMs: number

  private constructor(
    settings: AuthoritySettings,
    parts: AuthorityParts,
    keys: AuthorityKeys,
    operatorKey: Buffer,
    operatorIdentity: Identity,
  ) {
    this.installationId = settings.installationId
    this.#settings = settings
    this.#parts = parts
    this.#keys = keys
    this.#operatorKey = operatorKey
    this.#operatorIdentity = operatorIdentity
    this.#announcedMs = parts.clock.monotonicMs()
  }

  /**
   * Reads the authority, or creates it: of several operators that start at once, one wins and all use the same.
   * @throws AppError corrupt, ERR_AUTHORITY_SECRET
   */
  static async open(settings: AuthoritySettings, parts: AuthorityParts): Promise<Authority> {
    const { secrets, clock, log } = parts
    const { installationId, authorityLifetimeMs, certificateLifetimeMs } = settings
    const stored = await readOrCreate(secrets, authoritySecretName, tlsSecretType, async () => {
      log.info({ name: authoritySecretName }, 'creating certificate authority')
      const signer = await createAuthority(installationId, clock.nowMs(), authorityLifetimeMs)
      return authorityData({ signer, next: null, previous: null })
    })
    const keys = authorityKeysOf(authoritySecretName, stored.data)
    const operatorKey = operatorKeyOf(
      await readOrCreate(secrets, operatorKeySecretName, 'Opaque', async () => ({
        [operatorKeyField]: randomBytes(32).toString('base64'),
      })),
    )
    const request = operatorRequest(installationId)
    const own = await issueCertificate(keys.signer, request, clock.nowMs(), certificateLifetimeMs)
    const authorityPem = bundle(keys, clock.nowMs())
    return new Authority(settings, parts, keys, operatorKey, { ...own, authorityPem })
  }

  /** PEM of every authority that peers are checked against: around its renewal, of two. */
  get trustedPem(): string {
    return bundle(this.#keys, this.#parts.clock.nowMs())
  }

  /** The operator's client identity. It lives in memory only; the same object until `refresh` renews it. */
  get operatorIdentity(): Identity {
    return this.#operatorIdentity
  }

  /** 32 bytes that only this installation knows: for marks (MACs) on what it has made. */
  get operatorKey(): Uint8Array {
    return this.#operatorKey
  }

  /** The identity of an organization's storage nodes, for both ends of connections. @param found what they have */
  async keepNodeIdentity(
    found: Partial<Identity>,
    organizationId: string,
    dnsNames: readonly string[],
  ): Promise<KeptIdentity> {
    const kept = await this.#keep(found, nodeRequest(organizationId, dnsNames))
    const { metrics } = this.#parts
    metrics.nodeEnds(organizationId, endMsOf(kept.identity.certificatePem))
    if (kept.change !== null) metrics.issued('storage-node', kept.change)
    return kept
  }

  /**
   * Makes or renews what this namespace holds: the authority, the gateway's identity and server certificate; and the
   * operator's own identity. To be called at start and every few seconds; writes nothing when nothing is due, and puts
   * back what somebody has edited or deleted. What fails does not keep the rest from its turn.
   */
  async refresh(): Promise<void> {
    const hosts = this.#settings.gatewayHosts
    const works = [
      // Where the one that signs has ended, nobody can wait for the next look to have another.
      async () => (await this.#keepAuthority()) && (await this.#keepAuthority()),
      () => this.#keepOperatorKey(),
      () => this.#keepOperatorIdentity(),
      () => this.#keepIssued('gateway-identity', gatewayRequest(this.installationId)),
      () => this.#keepIssued('probe-identity', probeRequest(this.installationId)),
      ...(hosts && hosts.length > 0 ? [() => this.#keepIssued('gateway-server', serverRequest(hosts))] : []),
    ]
    const failures: unknown[] = []
    for (const work of works) await work().catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
  }

  /** @returns whether it took a step of the authority's renewal */
  async #keepAuthority(): Promise<boolean> {
    const { secrets, clock, log, metrics } = this.#parts
    const found = await secrets.read(authoritySecretName)
    const stored = found && readableKeys(found)
    if (!found || !stored || !knows(stored, this.#keys)) {
      await this.#putBack(authoritySecretName, tlsSecretType, found, authorityData(this.#keys))
      return false
    }
    if (stored.next && !this.#keys.next) this.#announcedMs = clock.monotonicMs()
    this.#keys = stored
    const nowMs = clock.nowMs()
    const endMs = endMsOf(stored.signer.certificatePem)
    metrics.ends('authority', endMs)
    const step = authorityStep(stored, nowMs)
    if (step === null || (step === 'switch' && nowMs < endMs && !this.#isAnnounced())) return false
    const { authorityLifetimeMs } = this.#settings
    const wanted =
      step === 'switch'
        ? switched(stored)
        : withNext(stored, await createAuthority(this.installationId, nowMs, authorityLifetimeMs))
    // Who else has changed it is followed at the next look.
    if (!(await secrets.replace(authoritySecretName, found, authorityData(wanted)))) return false
    this.#keys = wanted
    this.#announcedMs = clock.monotonicMs()
    metrics.issued('authority', step)
    log.info({ step }, 'certificate authority renewed')
    return true
  }

  /** Whatever clocks say: nobody signs with what this process has not told everybody of, for as long as that takes. */
  #isAnnounced(): boolean {
    const patienceMs = Math.min(hourMs, this.#settings.certificateLifetimeMs / 24)
    return this.#parts.clock.monotonicMs() - this.#announcedMs >= patienceMs
  }

  async #keepOperatorKey(): Promise<void> {
    const found = await this.#parts.secrets.read(operatorKeySecretName)
    const wanted = this.#operatorKey.toString('base64')
    if (found?.data[operatorKeyField] === wanted) return
    await this.#putBack(operatorKeySecretName, 'Opaque', found, { [operatorKeyField]: wanted })
  }

  async #putBack(
    name: string,
    type: string,
    found: StoredSecret | null,
    data: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { secrets, log } = this.#parts
    await (found ? secrets.replace(name, found, data) : secrets.create(name, type, data))
    log.warn({ name }, `Secret was ${found ? 'edited' : 'deleted'} by somebody else: put back`)
  }

  async #keepOperatorIdentity(): Promise<void> {
    const { identity, change } = await this.#keep(
      this.#operatorIdentity,
      operatorRequest(this.installationId),
    )
    const { metrics } = this.#parts
    metrics.ends('operator', endMsOf(identity.certificatePem))
    if (change === null) return
    this.#operatorIdentity = identity
    metrics.issued('operator', change)
  }

  async #keepIssued(certificate: keyof typeof issuedSecretNames, request: CertificateRequest): Promise<void> {
    const { secrets, log, metrics } = this.#parts
    const name = issuedSecretNames[certificate]
    const found = await secrets.read(name)
    const { identity, change } = await this.#keep(identityOf(found?.data ?? {}), request)
    if (change === null) return metrics.ends(certificate, endMsOf(identity.certificatePem))
    const data = identityData(identity)
    const written = found
      ? await secrets.replace(name, found, data)
      : await secrets.create(name, tlsSecretType, data)
    // Who else has written it is looked at again next time.
    if (!written) return undefined
    metrics.ends(certificate, endMsOf(identity.certificatePem))
    metrics.issued(certificate, change)
    log.info({ certificate: name, reason: change }, 'certificate issued')
    return undefined
  }

  async #keep(found: Partial<Identity>, request: CertificateRequest): Promise<KeptIdentity> {
    const nowMs = this.#parts.clock.nowMs()
    const authorityPem = bundle(this.#keys, nowMs)
    const reason = renewalReason(found, trustedCertificates(this.#keys, nowMs), request, nowMs)
    const { certificatePem = '', privateKeyPem = '' } = found
    const pair =
      reason === null
        ? { certificatePem, privateKeyPem }
        : await issueCertificate(this.#keys.signer, request, nowMs, this.#settings.certificateLifetimeMs)
    const change = reason ?? (found.authorityPem === authorityPem ? null : 'trust')
    return { identity: { ...pair, authorityPem }, change, dueMs: renewalDueMs(pair.certificatePem) }
  }
}

const bundle = (keys: AuthorityKeys, nowMs: number): string =>
  trustedCertificates(keys, nowMs)
    .map((pem) => `${pem.trim()}\n`)
    .join('')

function readableKeys({ data }: StoredSecret): AuthorityKeys | null {
  try {
    return authorityKeysOf(authoritySecretName, data)
  } catch (error) {
    if (error instanceof AppError) return null
    throw error
  }
}

/** Whether another process may have come to this from what we know: whoever signs for us is trusted there. */
function knows({ signer, next, previous }: AuthorityKeys, ours: AuthorityKeys): boolean {
  return [signer.certificatePem, next?.certificatePem, previous].includes(ours.signer.certificatePem)
}

async function readOrCreate(
  secrets: OwnSecrets,
  name: string,
  type: string,
  make: () => Promise<Readonly<Record<string, string>>>,
): Promise<StoredSecret> {
  const found = await secrets.read(name)
  if (found) return found
  await secrets.create(name, type, await make())
  // Read back rather than trust what was made: of two that create at once, only one has.
  const created = await secrets.read(name)
  if (!created) throw new AppError('unavailable', 'ERR_AUTHORITY_SECRET', `Secret ${name} vanished at start`)
  return created
}

function operatorKeyOf(secret: StoredSecret): Buffer {
  const bytes = Buffer.from(secret.data[operatorKeyField] ?? '', 'base64')
  if (bytes.length === 32) return bytes
  throw new AppError(
    'corrupt',
    'ERR_AUTHORITY_SECRET',
    `Secret ${operatorKeySecretName} must hold 32 bytes under ${operatorKeyField}; it is never overwritten at a start`,
  )
}
