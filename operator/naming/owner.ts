import { createHmac, timingSafeEqual } from 'node:crypto'
import { annotationKeys } from './labels.ts'

/** The Organization that a runtime namespace was made for. */
export interface Owner {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

type Annotations = Readonly<Record<string, string>> | undefined

/**
 * The MAC that marks a runtime namespace as the operator's own work for this owner: HMAC-SHA256 under the operator's
 * key, 64 lower-case hex digits. Somebody who may write annotations cannot make one, nor move one to another
 * namespace. Names and uids hold no line feed, so the joined text is unambiguous.
 */
export function ownerMac(key: Uint8Array, organizationId: string, owner: Owner): string {
  return createHmac('sha256', key)
    .update(['holdfast-owner-1', organizationId, owner.namespace, owner.name, owner.uid].join('\n'))
    .digest('hex')
}

/** The owner record of a runtime namespace, as its annotations. */
export function ownerAnnotations(
  key: Uint8Array,
  organizationId: string,
  owner: Owner,
): Readonly<Record<string, string>> {
  return {
    [annotationKeys.ownerNamespace]: owner.namespace,
    [annotationKeys.ownerName]: owner.name,
    [annotationKeys.ownerUid]: owner.uid,
    [annotationKeys.ownerMac]: ownerMac(key, organizationId, owner),
  }
}

/** The owner that a namespace's annotations name, proven or not. */
export function namedOwner(annotations: Annotations): Owner | null {
  const namespace = annotations?.[annotationKeys.ownerNamespace]
  const name = annotations?.[annotationKeys.ownerName]
  const uid = annotations?.[annotationKeys.ownerUid]
  return namespace === undefined || name === undefined || uid === undefined ? null : { namespace, name, uid }
}

/** The owner that a namespace's annotations prove, or null if they prove none. */
export function provenOwner(key: Uint8Array, organizationId: string, annotations: Annotations): Owner | null {
  const owner = namedOwner(annotations)
  const mac = annotations?.[annotationKeys.ownerMac]
  if (owner === null || mac === undefined) return null
  const wanted = Buffer.from(ownerMac(key, organizationId, owner))
  const given = Buffer.from(mac)
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? owner : null
}
