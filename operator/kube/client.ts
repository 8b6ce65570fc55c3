import type { KubeObject, ObjectMeta, ObjectRef } from './object.ts'
import type { Resource } from './resource.ts'

/** The name under which Holdfast owns fields in server-side apply. */
export const fieldManager = 'holdfast'

/** Who goes first when requests must wait: the lease, then what a user's edit caused, then routine. */
export type Priority = 'lease' | 'user' | 'resync'

/**
 * Asked at the moment at which a write goes to the socket, on each attempt. It throws when this process may no longer
 * write; then nothing of the request is sent.
 */
export type Fence = () => void

/** What all requests of a view of the client share. */
export interface Scope {
  readonly priority?: Priority
  readonly fence?: Fence
  /** Ends waiting, requests and retries. */
  readonly signal?: AbortSignal
}

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Applied page by page, so that what is dropped is never held for all objects at once. */
  readonly transform?: (object: KubeObject) => KubeObject
}

export interface KubeList {
  /** From where a watch goes on. */
  readonly resourceVersion: string
  readonly items: readonly KubeObject[]
}

export interface WatchOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Events after this one. */
  readonly resourceVersion: string
  /** After how long the server ends the watch. */
  readonly timeoutSeconds: number
  /** Ends the watch: the iteration rejects with the signal's reason. */
  readonly signal: AbortSignal
  /** The server accepted the watch. */
  readonly onOpen?: () => void
  /** Bytes arrived: the line is alive. */
  readonly onBytes?: () => void
}

/** The object of a BOOKMARK has a resource version only. What the server sends as ERROR is thrown. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: KubeObject
}

export type PropagationPolicy = 'Background' | 'Foreground' | 'Orphan'

/** Metadata that a merge patch may change; null as a value deletes the key. */
export interface MetadataPatch {
  readonly finalizers?: readonly string[]
  readonly annotations?: Readonly<Record<string, string | null>>
  readonly labels?: Readonly<Record<string, string | null>>
}

/**
 * The API server, in raw JSON.
 *
 * All methods throw AppError: `conflict` (409; code ERR_KUBE_ALREADY_EXISTS from `create`), `not-found`, `forbidden`,
 * `unauthenticated`, `invalid` (400, 422), `too-many-requests`, `unavailable` (no answer, time-out, 5xx; code
 * ERR_KUBE_EXPIRED for 410, ERR_KUBE_FENCED when the fence refused), `too-large`.
 * What can be repeated is repeated a few times before that, see `retry.ts`.
 */
export interface KubeClient {
  /** The newest state, not the cache's. @returns null if there is none */
  get(resource: Resource, ref: ObjectRef): Promise<KubeObject | null>
  /** All objects in the newest state, fetched in pages. */
  list(resource: Resource, options?: ListOptions): Promise<KubeList>
  create(object: KubeObject): Promise<KubeObject>
  /**
   * Server-side apply as field manager `holdfast`: states the fields that we own, others stay as they are.
   * @param options.force take over fields that others own, instead of failing with `conflict`; true unless said
   */
  apply(object: KubeObject, options?: { readonly force?: boolean }): Promise<KubeObject>
  /** Writes the object whole if it still has the resource version given in it. For what is ours alone: the lease. */
  replace(object: KubeObject): Promise<KubeObject>
  /**
   * States the whole status by server-side apply on the status subresource: a field that `status` no longer has goes
   * away by itself, and the API server drops anything of spec or metadata on that path. Fails with `conflict` if
   * `target` is not the same object (uid) any more, or has another resource version, if `target` holds one.
   */
  patchStatus(target: KubeObject, status: Readonly<Record<string, unknown>>): Promise<KubeObject>
  /**
   * Changes metadata alone, by merge patch, if the object has not changed since `target` was read.
   * A merge patch replaces the list of finalizers whole, which the resource version in it makes safe.
   */
  patchMetadata(target: KubeObject, patch: MetadataPatch): Promise<KubeObject>
  /**
   * Deletes exactly the object with the uid of `target`; that it is gone already is success.
   * @param options.resourceVersion also demand that it has not changed since `target` was read
   */
  delete(
    target: KubeObject,
    options?: { readonly propagationPolicy?: PropagationPolicy; readonly unchanged?: boolean },
  ): Promise<void>
  /**
   * Ends without an error when the server ends the watch.
   * @throws AppError unavailable, ERR_KUBE_CUT, when the line is cut: a watch from the last resource version goes on
   *   where it broke; anything else, as ERR_KUBE_EXPIRED, calls for a new list
   */
  watch(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent>
  /** The same connections and limits with other circumstances; what `scope` does not name stays as it is. */
  with(scope: Scope): KubeClient
  /** Ends all requests and watches and closes all connections. */
  close(): Promise<void>
}

export type { KubeObject, ObjectMeta, ObjectRef, Resource }
