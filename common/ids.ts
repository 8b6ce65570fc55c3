import { createHash } from 'node:crypto'

/** 16 lower-case hex digits: the form of every id that Holdfast hands out, and of InfluxDB 2's. */
export const idPattern = /^[0-9a-f]{16}$/

export function isId(text: string): boolean {
  return idPattern.test(text)
}

const first16 = (hexDigest: string): string => hexDigest.slice(0, 16)

/**
 * The id of an organization or a database: derived from the Kubernetes uid of its resource, so that there is nothing
 * to store, lose or race for. A resource that is deleted and made again under the same name has another id.
 */
export function idOfUid(uid: string): string {
  return first16(createHash('sha256').update(uid).digest('hex'))
}

/** The id of a token: the start of its hash. @param hash SHA-256 of the token string, 64 lower-case hex digits */
export function tokenId(hash: string): string {
  return first16(hash)
}

/** The namespace that holds an organization's pods. */
export function runtimeNamespace(organizationId: string): string {
  return `holdfast-${organizationId}`
}
