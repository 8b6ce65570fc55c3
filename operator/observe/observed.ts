import type { Database } from '../api/database.ts'
import type { Organization } from '../api/organization.ts'
import type { Token } from '../api/token.ts'
import type { KubeObject } from '../kube/object.ts'

/** One tenant: the key of the queue, whether its Organization exists or not. */
export interface TenantKey {
  readonly namespace: string
  readonly name: string
}

/** A user's object as it was read. */
export interface Seen<Parsed> {
  readonly object: KubeObject
  /**
   * null when it is not what the schema says; `problem` then names the field. An Organization is here as far as it can be
   * read, with a `problem`, as long as that says who it is: what it asks for is not acted on then.
   */
  readonly parsed: Parsed | null
  readonly problem: string | null
}

/** Everything that a pass knows of a tenant's world, read once from the caches. */
export interface Observed {
  readonly key: TenantKey
  readonly organization: Seen<Organization> | null
  /** Oldest first: where two want the same, the older one has it. */
  readonly databases: readonly Seen<Database>[]
  readonly tokens: readonly Seen<Token>[]
}

export function keyText(key: TenantKey): string {
  return `${key.namespace}/${key.name}`
}

export function parseKey(text: string): TenantKey {
  const slash = text.indexOf('/')
  return { namespace: text.slice(0, slash), name: text.slice(slash + 1) }
}
