import { createPrivateKey, X509Certificate } from 'node:crypto'
import { AppError } from '../../common/errors.ts'
import type { KeyPair } from './certificates.ts'
import { endMsOf, renewalDueMs } from './renewal.ts'
import { certificateKey, privateKeyKey } from './secrets.ts'

/**
 * The installation's authority and, around its renewal, the one beside it. The Secret that holds them is the whole state
 * of the renewal, so each step is one write and any process goes on from it:
 *
 *     signer                  at 60 to 67 % of its life:
 *     -> signer, next         both are trusted by all, the old one still signs; half-way from here to its end:
 *     -> signer, previous     the new one signs; the old one's key is gone, what it has signed is trusted to its end
 */
export interface AuthorityKeys {
  readonly signer: KeyPair
  /** Trusted by now, so that everybody knows it when it signs. */
  readonly next: KeyPair | null
  /** PEM of the certificate that signed before. */
  readonly previous: string | null
}

const nextCertificateKey = 'next.crt'
const nextPrivateKeyKey = 'next.key'
const previousCertificateKey = 'previous.crt'

export type AuthorityStep = 'announce' | 'switch'

/** What there is to be done by now, null for nothing. */
export function authorityStep({ signer, next }: AuthorityKeys, nowMs: number): AuthorityStep | null {
  if (!next) return nowMs >= renewalDueMs(signer.certificatePem) ? 'announce' : null
  const announcedMs = new X509Certificate(next.certificatePem).validFromDate.getTime()
  const endMs = endMsOf(signer.certificatePem)
  return nowMs >= announcedMs + (endMs - announcedMs) / 2 ? 'switch' : null
}

export function withNext(keys: AuthorityKeys, next: KeyPair): AuthorityKeys {
  return { ...keys, next }
}

export function switched({ signer, next }: AuthorityKeys): AuthorityKeys {
  if (!next) throw new TypeError('next: there is none to switch to')
  return { signer: next, next: null, previous: signer.certificatePem }
}

/** PEM of each authority whose word counts, the one that signs first. What has ended is worth nothing to anybody. */
export function trustedCertificates(
  { signer, next, previous }: AuthorityKeys,
  nowMs: number,
): readonly string[] {
  const isOver = previous !== null && endMsOf(previous) < nowMs
  return [
    signer.certificatePem,
    ...(next ? [next.certificatePem] : []),
    ...(previous === null || isOver ? [] : [previous]),
  ]
}

export function authorityData({ signer, next, previous }: AuthorityKeys): Readonly<Record<string, string>> {
  return {
    [certificateKey]: signer.certificatePem,
    [privateKeyKey]: signer.privateKeyPem,
    ...(next && { [nextCertificateKey]: next.certificatePem, [nextPrivateKeyKey]: next.privateKeyPem }),
    ...(previous !== null && { [previousCertificateKey]: previous }),
  }
}

/** @throws AppError corrupt, ERR_AUTHORITY_SECRET */
export function authorityKeysOf(name: string, data: Readonly<Record<string, string>>): AuthorityKeys {
  const next = data[nextCertificateKey]
  const previous = data[previousCertificateKey]
  const keys: AuthorityKeys = {
    signer: { certificatePem: data[certificateKey] ?? '', privateKeyPem: data[privateKeyKey] ?? '' },
    next: next === undefined ? null : { certificatePem: next, privateKeyPem: data[nextPrivateKeyKey] ?? '' },
    previous: previous ?? null,
  }
  if (isPair(keys.signer) && (!keys.next || isPair(keys.next)) && isCertificate(keys.previous)) return keys
  throw new AppError(
    'corrupt',
    'ERR_AUTHORITY_SECRET',
    `Secret ${name} must hold ${certificateKey} and ${privateKeyKey} of one certificate authority, and the same of one that comes after it, if any; at its start the operator overwrites none: restore it, or delete it to start a new installation`,
  )
}

function isPair({ certificatePem, privateKeyPem }: KeyPair): boolean {
  try {
    const certificate = new X509Certificate(certificatePem)
    return certificate.ca && certificate.checkPrivateKey(createPrivateKey(privateKeyPem))
  } catch {
    // Said by the caller, without the parser's words: they could quote the key.
    return false
  }
}

function isCertificate(pem: string | null): boolean {
  try {
    return pem === null || new X509Certificate(pem).ca
  } catch {
    return false
  }
}
