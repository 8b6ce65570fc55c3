import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { stringify } from 'yaml'
import { cacheKey } from '../../scripts/cache.ts'
import { KUBERNETES_SERVICE_ADDRESS, NODE_ADDRESS, NODE_NAME } from './layout.ts'

/**
 * Who may call whom: the cluster's authority, a certificate for each program, and the key that signs the pods' tokens.
 * Everything is trusted through `ca.crt` alone; users are told apart by common name, their groups by organization
 * (Kubernetes' X.509 client authentication).
 */
interface Holder {
  readonly file: string
  readonly commonName: string
  readonly organization?: string
  readonly names?: readonly string[]
  readonly addresses?: readonly string[]
}

const VALID_DAYS = 3650
const DAY_MS = 86_400_000
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
} as const

const HOLDERS: readonly Holder[] = [
  {
    file: 'apiserver',
    commonName: 'kube-apiserver',
    names: [
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      'kubernetes.default.svc.cluster.local',
      'localhost',
    ],
    addresses: ['127.0.0.1', KUBERNETES_SERVICE_ADDRESS, NODE_ADDRESS],
  },
  { file: 'apiserver-kubelet', commonName: 'kube-apiserver-kubelet-client', organization: 'system:masters' },
  { file: 'local', commonName: 'localhost', names: ['localhost'], addresses: ['127.0.0.1'] },
  { file: 'admin', commonName: 'admin', organization: 'system:masters' },
  { file: 'controller-manager', commonName: 'system:kube-controller-manager' },
  { file: 'scheduler', commonName: 'system:kube-scheduler' },
  { file: 'proxy', commonName: 'system:kube-proxy' },
  { file: 'network-policy', commonName: 'holdfast:network-policy' },
  {
    file: 'kubelet',
    commonName: `system:node:${NODE_NAME}`,
    organization: 'system:nodes',
    names: [NODE_NAME],
    addresses: ['127.0.0.1', NODE_ADDRESS],
  },
]

export const KUBECONFIG_USERS = [
  'admin',
  'controller-manager',
  'scheduler',
  'proxy',
  'kubelet',
  'network-policy',
] as const

/** Makes all keys and certificates in `folder`, unless they are there and made for the same holders. */
export async function ensureAuthority(folder: string, nowMs: number): Promise<void> {
  const version = cacheKey([JSON.stringify(HOLDERS), String(VALID_DAYS)])
  const present = await readFile(join(folder, 'version'), 'utf8').catch(() => '')
  const [madeFor, madeMs] = present.split(' ')
  if (madeFor === version && nowMs - Number(madeMs) < (VALID_DAYS / 2) * DAY_MS) return
  const draft = `${folder}.draft`
  await rm(draft, { recursive: true, force: true })
  await mkdir(dirname(folder), { recursive: true, mode: 0o755 })
  await mkdir(draft, { mode: 0o700 })
  const write = (file: string, text: string) => writeFile(join(draft, file), text, { mode: 0o600 })

  const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify'])
  const validity = { notBefore: new Date(nowMs - DAY_MS), notAfter: new Date(nowMs + VALID_DAYS * DAY_MS) }
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=holdfast-local-kubernetes',
    serialNumber: serialNumber(),
    keys,
    signingAlgorithm: EC,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  await write('ca.crt', ca.toString('pem'))
  await write('ca.key', await pem(keys.privateKey, 'PRIVATE KEY'))
  for (const holder of HOLDERS) {
    const held = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify'])
    const certificate = await issue(holder, held.publicKey, { ca, key: keys.privateKey, validity })
    await write(`${holder.file}.crt`, certificate.toString('pem'))
    await write(`${holder.file}.key`, await pem(held.privateKey, 'PRIVATE KEY'))
  }
  const tokens = await webcrypto.subtle.generateKey(RSA, true, ['sign', 'verify'])
  await write('service-account.key', await pem(tokens.privateKey, 'PRIVATE KEY'))
  await write('service-account.pub', await pem(tokens.publicKey, 'PUBLIC KEY'))
  await write('version', `${version} ${nowMs}`)
  await rm(folder, { recursive: true, force: true })
  await rename(draft, folder)
}

interface Issuer {
  readonly ca: x509.X509Certificate
  readonly key: webcrypto.CryptoKey
  readonly validity: { readonly notBefore: Date; readonly notAfter: Date }
}

async function issue(
  holder: Holder,
  publicKey: webcrypto.CryptoKey,
  issuer: Issuer,
): Promise<x509.X509Certificate> {
  const alternatives: x509.JsonGeneralName[] = [
    ...(holder.names ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(holder.addresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ]
  return x509.X509CertificateGenerator.create({
    subject: [{ CN: [holder.commonName] }, ...(holder.organization ? [{ O: [holder.organization] }] : [])],
    issuer: issuer.ca.subject,
    serialNumber: serialNumber(),
    publicKey,
    signingKey: issuer.key,
    signingAlgorithm: EC,
    ...issuer.validity,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.clientAuth,
        x509.ExtendedKeyUsage.serverAuth,
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.ca, false),
      ...(alternatives.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternatives)] : []),
    ],
  })
}

/** Positive and of 16 random bytes, as RFC 5280 section 4.1.2.2 asks for. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16))
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return Buffer.from(bytes).toString('hex')
}

async function pem(key: webcrypto.CryptoKey, label: 'PRIVATE KEY' | 'PUBLIC KEY'): Promise<string> {
  const format = label === 'PRIVATE KEY' ? 'pkcs8' : 'spki'
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey(format, key), label)
}

/** Writes a kubeconfig with everything in it, so that it works from any folder and can be copied. */
export async function writeKubeconfig(
  pki: string,
  user: (typeof KUBECONFIG_USERS)[number],
  output: string,
): Promise<void> {
  const base64 = async (file: string) => (await readFile(join(pki, file))).toString('base64')
  const cluster = 'holdfast-local'
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: cluster,
        cluster: {
          server: `https://${NODE_ADDRESS}:6443`,
          'certificate-authority-data': await base64('ca.crt'),
        },
      },
    ],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': await base64(`${user}.crt`),
          'client-key-data': await base64(`${user}.key`),
        },
      },
    ],
    contexts: [{ name: cluster, context: { cluster, user } }],
    'current-context': cluster,
  }
  await mkdir(dirname(output), { recursive: true, mode: 0o700 })
  await writeFile(output, stringify(config), { mode: 0o600 })
}
