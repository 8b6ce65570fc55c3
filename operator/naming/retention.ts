import { createHmac, timingSafeEqual } from 'node:crypto'
import { annotationKeys } from './labels.ts'
import type { Owner } from './owner.ts'

/** What the namespace of a deleted Organization says whose data is kept. */
export interface Retention {
  /** When its pods were taken away: ISO 8601. */
  readonly since: string
  /** Uid of the tenant's namespace, "" where that was gone already, or where nobody knows whether it is still the same. */
  readonly namespaceUid: string
}

type Annotations = Readonly<Record<string, string>> | undefined

/** The record that data is kept, as annotations. */
export function retentionAnnotations(
  key: Uint8Array,
  organizationId: string,
  owner: Owner,
  retention: Retention,
): Readonly<Record<string, string>> {
  return {
    [annotationKeys.retainedSince]: retention.since,
    [annotationKeys.retainedNamespaceUid]: retention.namespaceUid,
    [annotationKeys.retainedMac]: retentionMac(key, organizationId, owner, retention),
  }
}

/**
 * What of a namespace goes when its data has another owner: the record is that of the one before, and a transfer is
 * allowed once.
 */
export const withoutRetention: Readonly<Record<string, null>> = {
  [annotationKeys.retainedSince]: null,
  [annotationKeys.retainedNamespaceUid]: null,
  [annotationKeys.retainedMac]: null,
  [annotationKeys.transferTo]: null,
}

/** The record that a namespace's annotations prove for its owner, or null if they prove none. */
export function provenRetention(
  key: Uint8Array,
  organizationId: string,
  owner: Owner,
  annotations: Annotations,
): Retention | null {
  const since = annotations?.[annotationKeys.retainedSince]
  const namespaceUid = annotations?.[annotationKeys.retainedNamespaceUid]
  const mac = annotations?.[annotationKeys.retainedMac]
  if (since === undefined || namespaceUid === undefined || mac === undefined) return null
  const retention = { since, namespaceUid }
  const wanted = Buffer.from(retentionMac(key, organizationId, owner, retention))
  const given = Buffer.from(mac)
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? retention : null
}

/** Names, uids and times hold no line feed, so the joined text is unambiguous. */
function retentionMac(
  key: Uint8Array,
  organizationId: string,
  owner: Owner,
  { since, namespaceUid }: Retention,
): string {
  return createHmac('sha256', key)
    .update(
      [
        'holdfast-retained-1',
        organizationId,
        owner.namespace,
        owner.name,
        owner.uid,
        namespaceUid,
        since,
      ].join('\n'),
    )
    .digest('hex')
}

/**
 * Who may take retained data over, as the annotation `holdfast.dev/transfer-to` names it: a namespace with its uid, so
 * that nobody gets what was meant for another of the same name.
 */
export function transferTarget(namespace: { readonly name: string; readonly uid: string }): string {
  return `${namespace.name}/${namespace.uid}`
}
