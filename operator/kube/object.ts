import { assert } from '../../common/errors.ts'

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly OwnerReference[]
  /** RFC 3339. */
  readonly creationTimestamp?: string
  /** RFC 3339; there from the moment that somebody asked for the deletion. */
  readonly deletionTimestamp?: string
  readonly [key: string]: unknown
}

/**
 * A Kubernetes object as the JSON that the API server speaks. Never the client library's classes: those drop the
 * fields that they do not know, and have another shape in a list than in a watch. Whoever needs more than the
 * metadata parses it at the edge.
 */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly [key: string]: unknown
}

/** What names an object within its resource. */
export interface ObjectRef {
  readonly name: string
  readonly namespace?: string
}

/** `namespace/name`, or `name` for what has no namespace: for keys and messages. */
export function refText(ref: ObjectRef): string {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`
}

/**
 * Orders two resource versions of one resource. The API server promises since 1.35 that they compare as whole
 * numbers of any length, and has always behaved so.
 * @returns below 0 if `a` is older, 0 if they are the same, above 0 if `a` is newer
 */
export function compareResourceVersions(a: string, b: string): number {
  assert(/^[0-9]+$/.test(a) && /^[0-9]+$/.test(b), `resource versions are not numbers: "${a}", "${b}"`)
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  if (left.length !== right.length) return left.length - right.length
  return left < right ? -1 : left > right ? 1 : 0
}
