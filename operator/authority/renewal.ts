import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIPv6 } from 'node:net'
import type { CertificateRequest, KeyPair } from './certificates.ts'

/**
 * Why a certificate is made anew: it cannot be read or its key is another one's; nobody who is trusted signed it; it says
 * something else than it should; its time has come; or it is not valid yet, after a clock was set back.
 */
export type RenewalReason = 'unreadable' | 'authority' | 'names' | 'time' | 'clock'

const turnParts = 0x1_0000_0000

/**
 * When a certificate is to be renewed, milliseconds: when 60 to 67 % of its life are over. Where in between is drawn from
 * its serial number, so that those that were issued together are not all renewed together, and every process finds the
 * same moment.
 */
export function renewalDueMs(pem: string): number {
  const certificate = new X509Certificate(pem)
  const fromMs = certificate.validFromDate.getTime()
  const lifeMs = certificate.validToDate.getTime() - fromMs
  const turn = Number.parseInt(certificate.serialNumber.slice(-8), 16) / turnParts
  return Math.round(fromMs + lifeMs * (2 / 3 - turn / 15))
}

export const endMsOf = (pem: string): number => new X509Certificate(pem).validToDate.getTime()

/** @param trusted PEM of each authority that signs or has signed @returns null for one that stays */
export function renewalReason(
  found: Partial<KeyPair>,
  trusted: readonly string[],
  request: CertificateRequest,
  nowMs: number,
): RenewalReason | null {
  const certificate = readable(found)
  if (certificate === null) return 'unreadable'
  const isTrusted = trusted.some((pem) => {
    const authority = new X509Certificate(pem)
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
  })
  if (!isTrusted) return 'authority'
  if (namesOf(certificate) !== namesOf(request)) return 'names'
  if (certificate.validFromDate.getTime() > nowMs) return 'clock'
  return nowMs >= renewalDueMs(found.certificatePem ?? '') ? 'time' : null
}

/** The certificate, if it can be read and the key is its own. */
function readable({ certificatePem, privateKeyPem }: Partial<KeyPair>): X509Certificate | null {
  try {
    const certificate = new X509Certificate(certificatePem ?? '')
    return certificate.checkPrivateKey(createPrivateKey(privateKeyPem ?? '')) ? certificate : null
  } catch {
    // Without the parser's words: they could quote the key.
    return null
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
