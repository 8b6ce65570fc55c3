/** Labels and annotations. Labels are for selecting and for people; authority is never drawn from one. */
export const labelKeys = {
  name: 'app.kubernetes.io/name',
  component: 'app.kubernetes.io/component',
  managedBy: 'app.kubernetes.io/managed-by',
  version: 'app.kubernetes.io/version',
  organizationId: 'holdfast.dev/organization-id',
  /** Set by the API server on every namespace, so that nobody else can carry it. */
  namespaceName: 'kubernetes.io/metadata.name',
} as const

export const managedBy = 'holdfast-operator'
export type ComponentLabel = 'operator' | 'gateway' | 'storage-node' | 'isolation-probe'

export const annotationKeys = {
  /** "true": the operator looks and changes nothing. */
  paused: 'holdfast.dev/paused',
  /** On an Organization: another value than before asks for one more try of what did not come up. */
  retry: 'holdfast.dev/retry',
  /** On a Token: a string that was made before this time, RFC 3339, is replaced, once it has come. */
  rotate: 'holdfast.dev/rotate',
  /** Any short text: the isolation is proved anew and the answer put into status, with this text. */
  prove: 'holdfast.dev/prove',
  ownerNamespace: 'holdfast.dev/owner-namespace',
  ownerName: 'holdfast.dev/owner-name',
  ownerUid: 'holdfast.dev/owner-uid',
  ownerMac: 'holdfast.dev/owner-mac',
  /** On the namespace of a deleted organization whose data is kept; see retention.ts. */
  retainedSince: 'holdfast.dev/retained-since',
  retainedNamespaceUid: 'holdfast.dev/retained-namespace-uid',
  retainedMac: 'holdfast.dev/retained-mac',
  /** The version of the storage node that served last there. */
  retainedVersion: 'holdfast.dev/retained-version',
  /** By the platform, on that namespace: which tenant's namespace may take the data over; see retention.ts. */
  transferTo: 'holdfast.dev/transfer-to',
  /** Of the Secret with the data key: when the one in force was made. */
  dataKeySince: 'holdfast.dev/data-key-since',
} as const

/** Labels of everything that the operator makes. */
export const managedLabels: Readonly<Record<string, string>> = {
  [labelKeys.name]: 'holdfast',
  [labelKeys.managedBy]: managedBy,
}

/** Labels of everything that exists for one organization. */
export function organizationLabels(organizationId: string): Readonly<Record<string, string>> {
  return { ...managedLabels, [labelKeys.organizationId]: organizationId }
}

/** What selects an organization's storage nodes within its runtime namespace. */
export const storageNodeSelector: Readonly<Record<string, string>> = componentSelector('storage-node')

/** What selects the pods of a component. */
export function componentSelector(component: ComponentLabel): Readonly<Record<string, string>> {
  return { [labelKeys.name]: 'holdfast', [labelKeys.component]: component }
}

/** Labels of the storage nodes' StatefulSet and Service. */
export function storageNodeLabels(organizationId: string): Readonly<Record<string, string>> {
  return { ...organizationLabels(organizationId), [labelKeys.component]: 'storage-node' }
}

const retryLimit = 64

/** What who asks for another try has said, null for nothing. */
export function retryOf(metadata: {
  readonly annotations?: Readonly<Record<string, string>>
}): string | null {
  return metadata.annotations?.[annotationKeys.retry]?.slice(0, retryLimit) ?? null
}

export function isPaused(metadata: { readonly annotations?: Readonly<Record<string, string>> }): boolean {
  return metadata.annotations?.[annotationKeys.paused] === 'true'
}
