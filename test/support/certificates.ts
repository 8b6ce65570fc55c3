import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const
const rsaAlgorithm = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2_048,
  publicExponent: new Uint8Array([1, 0, 1]),
} as const
const hourMs = 3_600_000

/** PEM of a certificate, its key, and the authority's certificate. */
export interface TestIdentity {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** Makes certificates. */
export interface Issuer {
  /** @param uris identities, `holdfast://…`; none: the gateway's public certificate */
  issue(...uris: readonly string[]): Promise<TestIdentity>
}

/** An authority of one test, apart from the operator's: what it issues is judged by the code under test alone. */
export class TestAuthority implements Issuer {
  readonly #certificate: X509Certificate
  readonly #keys: webcrypto.CryptoKeyPair

  private constructor(certificate: X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#certificate = certificate
    this.#keys = keys
  }

  static async create(): Promise<TestAuthority> {
    const keys = await newKeys()
    const certificate = await X509CertificateGenerator.createSelfSigned(
      {
        ...validity(),
        name: 'CN=test authority',
        signingAlgorithm,
        keys,
        extensions: [new BasicConstraintsExtension(true, 0, true)],
      },
      webcrypto,
    )
    return new TestAuthority(certificate, keys)
  }

  /** A certificate for both ends of a connection on 127.0.0.1. @param uris identities, `holdfast://…` */
  async issue(...uris: readonly string[]): Promise<TestIdentity> {
    const keys = await newKeys()
    const certificate = await X509CertificateGenerator.create(
      {
        ...validity(),
        subject: 'CN=test',
        issuer: this.#certificate.subject,
        signingAlgorithm,
        publicKey: keys.publicKey,
        signingKey: this.#keys.privateKey,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
          new SubjectAlternativeNameExtension([
            { type: 'ip', value: '127.0.0.1' },
            ...uris.map((value) => ({ type: 'url', value }) as const),
          ]),
        ],
      },
      webcrypto,
    )
    const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
    return {
      cert: certificate.toString('pem'),
      key: PemConverter.encode(key, 'PRIVATE KEY'),
      ca: this.#certificate.toString('pem'),
    }
  }
}

/** What anybody can make: a certificate that says of itself who its holder is. RSA where elliptic curves are not wanted. */
export async function selfSigned(
  algorithmName: 'EC' | 'RSA',
  ...uris: readonly string[]
): Promise<TestIdentity> {
  const isRsa = algorithmName === 'RSA'
  const keys = isRsa
    ? await webcrypto.subtle.generateKey(rsaAlgorithm, true, ['sign', 'verify'])
    : await newKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      ...validity(),
      name: 'CN=test',
      signingAlgorithm: isRsa ? rsaAlgorithm : signingAlgorithm,
      keys,
      extensions: [
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension([
          { type: 'ip', value: '127.0.0.1' },
          ...uris.map((value) => ({ type: 'url', value }) as const),
        ]),
      ],
    },
    webcrypto,
  )
  const cert = certificate.toString('pem')
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { cert, key: PemConverter.encode(key, 'PRIVATE KEY'), ca: cert }
}

/** Writes an identity as Kubernetes mounts it. @returns the folder */
export async function writeIdentity(folder: string, { cert, key, ca }: TestIdentity): Promise<string> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'tls.crt'), cert)
  await writeFile(join(folder, 'tls.key'), key, { mode: 0o600 })
  await writeFile(join(folder, 'ca.crt'), ca)
  return folder
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

function validity() {
  const nowMs = Date.now()
  return {
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    notBefore: new Date(nowMs - hourMs),
    notAfter: new Date(nowMs + 24 * hourMs),
  }
}
