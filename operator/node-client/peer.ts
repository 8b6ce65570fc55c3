import type { PeerCertificate } from 'node:tls'
import { identity } from '../../common/identity.ts'
import { carriesExactly } from '../../common/tls.ts'

/** What the operator presents to nodes, and what it checks them against; PEM. */
export interface ClientIdentity {
  readonly certificatePem: string
  readonly privateKeyPem: string
  readonly authorityPem: string
}

/**
 * Why a peer, whose chain was checked, is not a storage node of the organization; undefined when it is one. Its
 * certificate must carry that one identity and no other: an address says nothing of who answers there.
 */
export function identityError(certificate: PeerCertificate, organizationId: string): Error | undefined {
  const expected = identity(organizationId, 'node')
  return carriesExactly(certificate, expected) ? undefined : new Error(`peer is not ${expected}`)
}
