// The ASN.1 library resolves its parts with decorators and asks for this polyfill before anything else.
import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate as PeculiarCertificate,
  X509CertificateGenerator,
  type JsonGeneralName,
} from '@peculiar/x509'

/** A certificate with its private key, both PEM (PKCS #8). */
export interface KeyPair {
  readonly certificatePem: string
  readonly privateKeyPem: string
}

/** What a certificate says: who its holder is and for which end of a connection it may be used. */
export interface CertificateRequest {
  readonly commonName: string
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly usages: readonly ('server' | 'client')[]
}

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const

const dayMs = 24 * 3_600_000
export const authorityLifetimeMs = 10 * 365 * dayMs
export const certificateLifetimeMs = 365 * dayMs
/** Certificates are valid from a little before they are made, for clocks that are late. */
const clockSkewMs = 5 * 60_000

/** A tenth of a short life, so that what is said of parts of a life stays true. */
const startMs = (nowMs: number, lifetimeMs: number): number =>
  nowMs - Math.min(clockSkewMs, Math.floor(lifetimeMs / 10))

/**
 * A new self-signed authority of the installation: EC P-256, signs leaves only. Each has a name of its own, so that
 * whoever trusts two of them takes the right one.
 */
export async function createAuthority(
  installationId: string,
  nowMs: number,
  lifetimeMs = authorityLifetimeMs,
): Promise<KeyPair> {
  const keys = await generateKeys()
  const serialNumber = newSerialNumber()
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber,
      name: `CN=Holdfast ${installationId} ${serialNumber.slice(0, 8)}`,
      notBefore: new Date(startMs(nowMs, lifetimeMs)),
      notAfter: new Date(nowMs + lifetimeMs),
      signingAlgorithm,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  )
  return { certificatePem: certificate.toString('pem'), privateKeyPem: await privateKeyPem(keys) }
}

/** A new key with a certificate by `authority`, which it does not outlive: EC P-256. */
export async function issueCertificate(
  authority: KeyPair,
  request: CertificateRequest,
  nowMs: number,
  lifetimeMs = certificateLifetimeMs,
): Promise<KeyPair> {
  const issuer = new PeculiarCertificate(authority.certificatePem)
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    PemConverter.decodeFirst(authority.privateKeyPem),
    keyAlgorithm,
    false,
    ['sign'],
  )
  const keys = await generateKeys()
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: newSerialNumber(),
      subject: [{ CN: [request.commonName] }],
      issuer: issuer.subject,
      notBefore: new Date(startMs(nowMs, lifetimeMs)),
      notAfter: new Date(Math.min(nowMs + lifetimeMs, issuer.notAfter.getTime())),
      signingAlgorithm,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension(request.usages.map(usageOid)),
        new SubjectAlternativeNameExtension(alternativeNames(request)),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  )
  return { certificatePem: certificate.toString('pem'), privateKeyPem: await privateKeyPem(keys) }
}

function alternativeNames(request: CertificateRequest): JsonGeneralName[] {
  return [
    ...request.uris.map((value) => ({ type: 'url', value }) as const),
    ...request.dnsNames.map((value) => ({ type: 'dns', value }) as const),
    ...request.ipAddresses.map((value) => ({ type: 'ip', value }) as const),
  ]
}

function usageOid(usage: 'server' | 'client'): string {
  return usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
}

async function privateKeyPem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
}

/** 127 random bits: positive, as RFC 5280 section 4.1.2.2 demands. */
function newSerialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes.toString('hex')
}
