import { identitiesOf, identity } from '../../common/identity.ts'

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
export function identityError(subjectAltName: string | undefined, organizationId: string): Error | undefined {
  const wanted = identity(organizationId, 'node')
  const found = identitiesOf(subjectAltName)
  if (found.length === 1 && found[0] === wanted) return undefined
  return new Error(`peer is not ${wanted}`)
}
