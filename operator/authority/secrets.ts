import type { KeyPair } from './certificates.ts'
import type { RenewalReason } from './renewal.ts'

/** A Secret of the operator's own namespace, its values as text. */
export interface StoredSecret {
  readonly resourceVersion: string
  readonly data: Readonly<Record<string, string>>
}

/** The Secrets in the operator's own namespace: all that the authority needs of Kubernetes. */
export interface OwnSecrets {
  /** @returns null if there is none */
  read(name: string): Promise<StoredSecret | null>
  /** @returns false, with nothing changed, if there is one already */
  create(name: string, type: string, data: Readonly<Record<string, string>>): Promise<boolean>
  /** @returns false, with nothing changed, if the Secret is no longer the one that was read */
  replace(name: string, read: StoredSecret, data: Readonly<Record<string, string>>): Promise<boolean>
}

export const tlsSecretType = 'kubernetes.io/tls'

export const certificateKey = 'tls.crt'
export const privateKeyKey = 'tls.key'
export const authorityKey = 'ca.crt'

/** A certificate with its key, and the authorities that its holder checks peers against, one or two; all PEM. */
export interface Identity extends KeyPair {
  readonly authorityPem: string
}

/** An identity as it is to be. */
export interface KeptIdentity {
  readonly identity: Identity
  /** What is new of it: all for a reason, or nothing but who is trusted; null for nothing. */
  readonly change: RenewalReason | 'trust' | null
  /** When it is to be renewed, milliseconds. */
  readonly dueMs: number
}

export function identityData(identity: Identity): Readonly<Record<string, string>> {
  return {
    [certificateKey]: identity.certificatePem,
    [privateKeyKey]: identity.privateKeyPem,
    [authorityKey]: identity.authorityPem,
  }
}

/** @param data values of a Secret, as text */
export function identityOf(data: Readonly<Record<string, string | undefined>>): Partial<Identity> {
  const {
    [certificateKey]: certificatePem,
    [privateKeyKey]: privateKeyPem,
    [authorityKey]: authorityPem,
  } = data
  return {
    ...(certificatePem !== undefined && { certificatePem }),
    ...(privateKeyPem !== undefined && { privateKeyPem }),
    ...(authorityPem !== undefined && { authorityPem }),
  }
}
