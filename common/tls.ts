import { constants } from 'node:crypto'
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls'
import { identitiesOf } from './identity.ts'

/** What a component needs to prove who it is and to check others. PEM. */
export interface TlsMaterial {
  readonly certificate: Buffer
  readonly key: Buffer
  /** The authorities of the installation, two around their renewal; null where a listener serves people only and asks nobody for a certificate. */
  readonly authority: Buffer | null
}

/** Material that is renewed while it is in use. */
export interface TlsSource {
  readonly material: TlsMaterial
  /** Calls `listener` whenever other material comes into force. */
  onChange(listener: (material: TlsMaterial) => void): void
}

/**
 * What every TLS connection of Holdfast is held to: 1.2 or 1.3, and with 1.2 only suites with forward secrecy and
 * authenticated encryption, and one handshake: another, which Node allows three times in ten minutes, would cost a server
 * more than its client, and might show another certificate than the one that was looked at.
 */
export const tlsPolicy = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const

/** The options of Node's TLS for some material under the policy. */
export function tlsOptions(material: TlsMaterial) {
  return {
    ...tlsPolicy,
    cert: material.certificate,
    key: material.key,
    ...(material.authority && { ca: material.authority }),
  }
}

/** Does the peer's certificate, whose chain TLS has checked, carry exactly this one identity? */
export function carriesExactly(
  certificate: PeerCertificate | DetailedPeerCertificate,
  expected: string,
): boolean {
  const identities = identitiesOf(certificate.subjectaltname)
  return identities.length === 1 && identities[0] === expected
}

export type PeerStanding = 'expected' | 'anonymous' | 'refused'

/** Who is at the other end of a connection that we accepted, when only `expected` may present a certificate. */
export function peerStanding(socket: TLSSocket, expected: string): PeerStanding {
  const certificate = socket.getPeerCertificate()
  if (Object.keys(certificate).length === 0) return 'anonymous'
  return socket.authorized && carriesExactly(certificate, expected) ? 'expected' : 'refused'
}
