// The ASN.1 library resolves its parts with decorators and asks for this polyfill before anything else.
import 'reflect-metadata'
import { randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { isIPv6 } from 'node:net'
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

/** A new self-signed authority of the installation: EC P-256, 10 years, signs leaves only. */
export async function createAuthority(installationId: string, nowMs: number): Promise<KeyPair> {
  const keys = await generateKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: newSerialNumber(),
      name: `CN=Holdfast ${installationId}`,
      notBefore: new Date(nowMs - clockSkewMs),
      notAfter: new Date(nowMs + authorityLifetimeMs),
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

/** A new key with a certificate by `authority`: EC P-256, one year. */
export async function issueCertificate(
  authority: KeyPair,
  request: CertificateRequest,
  nowMs: number,
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
      notBefore: new Date(nowMs - clockSkewMs),
      notAfter: new Date(nowMs + certificateLifetimeMs),
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

/**
 * Whether a certificate must be made anew: another authority signed it, it does not say what `request` says, it
 * cannot be read, or less than a third of its time is left.
 */
export function needsRenewal(
  pem: string,
  authorityPem: string,
  request: CertificateRequest,
  nowMs: number,
): boolean {
  try {
    const certificate = new X509Certificate(pem)
    const authority = new X509Certificate(authorityPem)
    if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) return true
    if (namesOf(certificate) !== namesOf(request)) return true
    const endMs = certificate.validToDate.getTime()
    return endMs - nowMs < (endMs - certificate.validFromDate.getTime()) / 3
  } catch {
    return true
  }
}

function namesOf(from: X509Certificate | CertificateRequest): string {
  const names =
    from instanceof X509Certificate
      ? (from.subjectAltName ?? '').split(', ')
      : [
          ...from.uris.map((uri) => `URI:${uri}`),
          ...from.dnsNames.map((name) => `DNS:${name}`),
          ...from.ipAddresses.map((address) => ipPrefix + address),
        ]
  return names.map(canonicalName).toSorted().join(', ')
}

const ipPrefix = 'IP Address:'

/** One IPv6 address has many spellings: the certificate's and the configuration's must compare equal. */
function canonicalName(name: string): string {
  const address = name.startsWith(ipPrefix) ? name.slice(ipPrefix.length) : ''
  return isIPv6(address) ? ipPrefix + new URL(`http://[${address}]`).hostname : name
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
