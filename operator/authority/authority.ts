import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import { identity } from '../../common/identity.ts'
import type { Logger } from '../../common/log.ts'
import type { ClientIdentity } from '../node-client/peer.ts'
import {
  createAuthority,
  issueCertificate,
  needsRenewal,
  type CertificateRequest,
  type KeyPair,
} from './certificates.ts'
import {
  authorityKey,
  certificateKey,
  privateKeyKey,
  tlsSecretType,
  type OwnSecrets,
  type StoredSecret,
} from './secrets.ts'

export const authoritySecretName = 'holdfast-ca'
export const operatorKeySecretName = 'holdfast-operator-key'
export const gatewayIdentitySecretName = 'holdfast-gateway-identity'
export const gatewayServerSecretName = 'holdfast-gateway-tls'

const operatorKeyField = 'key'
/** How often a lost race for a Secret is tried again before it is an error. */
const attemptsLimit = 5

export interface AuthoritySettings {
  readonly installationId: string
  /** Host names and IP addresses of the gateway's own server certificate; null when the platform brings one. */
  readonly gatewayHosts: readonly string[] | null
}

/**
 * The installation's certificate authority and its key for marks (MACs). Both live in Secrets of the operator's
 * namespace that are created once and never overwritten; a damaged one is an error for people, not repaired.
 */
export class Authority {
  readonly installationId: string
  readonly #settings: AuthoritySettings
  readonly #secrets: OwnSecrets
  readonly #clock: Clock
  readonly #log: Logger
  readonly #keys: KeyPair
  readonly #operatorKey: Buffer
  #operatorIdentity: ClientIdentity

  private constructor(
    settings: AuthoritySettings,
    parts: { secrets: OwnSecrets; clock: Clock; log: Logger },
    keys: KeyPair,
    operatorKey: Buffer,
    operatorIdentity: ClientIdentity,
  ) {
    this.installationId = settings.installationId
    this.#settings = settings
    this.#secrets = parts.secrets
    this.#clock = parts.clock
    this.#log = parts.log
    this.#keys = keys
    this.#operatorKey = operatorKey
    this.#operatorIdentity = operatorIdentity
  }

  /**
   * Reads the authority, or creates it: of several operators that start at once, one wins and all use the same.
   * @throws AppError corrupt, ERR_AUTHORITY_SECRET
   */
  static async open(
    settings: AuthoritySettings,
    parts: { secrets: OwnSecrets; clock: Clock; log: Logger },
  ): Promise<Authority> {
    const { secrets, clock, log } = parts
    const keys = keyPairOf(
      authoritySecretName,
      await readOrCreate(secrets, authoritySecretName, tlsSecretType, async () => {
        log.info({ name: authoritySecretName }, 'creating certificate authority')
        const made = await createAuthority(settings.installationId, clock.nowMs())
        return { [certificateKey]: made.certificatePem, [privateKeyKey]: made.privateKeyPem }
      }),
    )
    const operatorKey = operatorKeyOf(
      await readOrCreate(secrets, operatorKeySecretName, 'Opaque', async () => ({
        [operatorKeyField]: randomBytes(32).toString('base64'),
      })),
    )
    const own = await issueOperatorIdentity(keys, settings.installationId, clock.nowMs())
    return new Authority(settings, parts, keys, operatorKey, own)
  }

  /** The authority's own certificate, PEM: what peers are checked against. */
  get certificatePem(): string {
    return this.#keys.certificatePem
  }

  /** The operator's client identity. It lives in memory only; the same object until `refresh` renews it. */
  get operatorIdentity(): ClientIdentity {
    return this.#operatorIdentity
  }

  /** A new identity of an organization's storage nodes, for both ends of connections. */
  async issueNodeIdentity(organizationId: string, dnsNames: readonly string[]): Promise<KeyPair> {
    return issueCertificate(this.#keys, nodeRequest(organizationId, dnsNames), this.#clock.nowMs())
  }

  /** Whether the time has come to give storage nodes a new identity. @param pem the certificate that they have */
  isNodeIdentityDue(pem: string, organizationId: string, dnsNames: readonly string[]): boolean {
    const request = nodeRequest(organizationId, dnsNames)
    return needsRenewal(pem, this.certificatePem, request, this.#clock.nowMs())
  }

  /** 32 bytes that only this installation knows: for marks (MACs) on what it has made. */
  get operatorKey(): Uint8Array {
    return this.#operatorKey
  }

  /**
   * Makes or renews what lasts a year: the operator's identity, and the gateway's identity and server certificate
   * in their Secrets. To be called at start and every hour; writes nothing when nothing is due.
   */
  async refresh(): Promise<void> {
    const nowMs = this.#clock.nowMs()
    const own = operatorRequest(this.installationId)
    if (needsRenewal(this.#operatorIdentity.certificatePem, this.certificatePem, own, nowMs)) {
      this.#operatorIdentity = await issueOperatorIdentity(this.#keys, this.installationId, nowMs)
    }
    await this.#keepIssued(gatewayIdentitySecretName, gatewayRequest(this.installationId))
    const hosts = this.#settings.gatewayHosts
    if (hosts && hosts.length > 0) await this.#keepIssued(gatewayServerSecretName, serverRequest(hosts))
  }

  async #keepIssued(name: string, request: CertificateRequest): Promise<void> {
    for (let attempt = 0; attempt < attemptsLimit; attempt += 1) {
      const nowMs = this.#clock.nowMs()
      const found = await this.#secrets.read(name)
      const pem = found?.data[certificateKey] ?? ''
      if (found && !needsRenewal(pem, this.certificatePem, request, nowMs)) return
      const issued = await issueCertificate(this.#keys, request, nowMs)
      const data = {
        [certificateKey]: issued.certificatePem,
        [privateKeyKey]: issued.privateKeyPem,
        [authorityKey]: this.certificatePem,
      }
      const written = found
        ? await this.#secrets.replace(name, found, data)
        : await this.#secrets.create(name, tlsSecretType, data)
      if (written) {
        this.#log.info({ certificate: name, renewed: found !== null }, 'certificate issued')
        return
      }
    }
    throw new AppError(
      'conflict',
      'ERR_AUTHORITY_CONTENTION',
      `Secret ${name} keeps changing under the operator`,
    )
  }
}

async function issueOperatorIdentity(
  authority: KeyPair,
  installationId: string,
  nowMs: number,
): Promise<ClientIdentity> {
  const issued = await issueCertificate(authority, operatorRequest(installationId), nowMs)
  return { ...issued, authorityPem: authority.certificatePem }
}

function operatorRequest(installationId: string): CertificateRequest {
  return {
    commonName: 'Holdfast operator',
    uris: [identity(installationId, 'operator')],
    dnsNames: [],
    ipAddresses: [],
    // It calls the nodes, and the gateway calls it.
    usages: ['server', 'client'],
  }
}

function nodeRequest(organizationId: string, dnsNames: readonly string[]): CertificateRequest {
  return {
    commonName: `Holdfast node ${organizationId}`,
    uris: [identity(organizationId, 'node')],
    dnsNames,
    ipAddresses: [],
    usages: ['server', 'client'],
  }
}

function gatewayRequest(installationId: string): CertificateRequest {
  return {
    commonName: 'Holdfast gateway',
    uris: [identity(installationId, 'gateway')],
    dnsNames: [],
    ipAddresses: [],
    usages: ['client'],
  }
}

/** The public certificate carries no identity: it must open no door inside. */
function serverRequest(hosts: readonly string[]): CertificateRequest {
  return {
    commonName: 'Holdfast',
    uris: [],
    dnsNames: hosts.filter((host) => isIP(host) === 0),
    ipAddresses: hosts.filter((host) => isIP(host) !== 0),
    usages: ['server'],
  }
}

async function readOrCreate(
  secrets: OwnSecrets,
  name: string,
  type: string,
  make: () => Promise<Record<string, string>>,
): Promise<StoredSecret> {
  const found = await secrets.read(name)
  if (found) return found
  await secrets.create(name, type, await make())
  // Read back rather than trust what was made: of two that create at once, only one has.
  const created = await secrets.read(name)
  if (!created) throw new AppError('unavailable', 'ERR_AUTHORITY_SECRET', `Secret ${name} vanished at start`)
  return created
}

function keyPairOf(name: string, secret: StoredSecret): KeyPair {
  const certificatePem = secret.data[certificateKey] ?? ''
  const privateKey = secret.data[privateKeyKey] ?? ''
  try {
    const certificate = new X509Certificate(certificatePem)
    if (certificate.ca && certificate.checkPrivateKey(createPrivateKey(privateKey))) {
      return { certificatePem, privateKeyPem: privateKey }
    }
  } catch {
    // Said below, without the parser's words: they could quote the key.
  }
  throw new AppError(
    'corrupt',
    'ERR_AUTHORITY_SECRET',
    `Secret ${name} must hold ${certificateKey} and ${privateKeyKey} of one certificate authority; it is never overwritten: restore it, or delete it to start a new installation`,
  )
}

function operatorKeyOf(secret: StoredSecret): Buffer {
  const bytes = Buffer.from(secret.data[operatorKeyField] ?? '', 'base64')
  if (bytes.length === 32) return bytes
  throw new AppError(
    'corrupt',
    'ERR_AUTHORITY_SECRET',
    `Secret ${operatorKeySecretName} must hold 32 bytes under ${operatorKeyField}; it is never overwritten`,
  )
}
