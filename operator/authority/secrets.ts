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
