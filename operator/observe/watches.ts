import type { Registry } from 'prom-client'
import type { Clock } from '../../common/clock.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { Logger } from '../../common/log.ts'
import { Reflector, type ChangeListener } from '../controller/reflector.ts'
import type { Store } from '../controller/store.ts'
import type { QueuePriority } from '../controller/work-queue.ts'
import type { KubeClient } from '../kube/client.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { annotationKeys, labelKeys, managedBy, storageNodeSelector } from '../naming/labels.ts'
import { runtimePattern } from '../naming/names.ts'
import { organizationIdOf } from '../naming/organization-id.ts'
import { namedOwner } from '../naming/owner.ts'
import { keepChild, keepTenantObject } from './keep.ts'
import { meaningOf } from './meaning.ts'
import { byAge, organizationNameOf } from './observe.ts'
import { keyText, parseKey } from './observed.ts'

const tenantKinds = ['organizations', 'databases', 'tokens'] as const
const childKinds = [
  'namespaces',
  'roleBindings',
  'resourceQuotas',
  'limitRanges',
  'networkPolicies',
  'serviceAccounts',
  'services',
  'podDisruptionBudgets',
  'statefulSets',
  'pods',
  'persistentVolumeClaims',
] as const

type Kind = (typeof tenantKinds)[number] | (typeof childKinds)[number]

export type WatchedCaches = Readonly<Record<Kind, Store>>

export interface WatchOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** In [0, 1). */
  readonly random?: () => number
  /** Namespaces of tenants; empty for all. */
  readonly namespaces: readonly string[]
}

/** Of those that wait for a place, how many are looked at when one has gone: several may go before the first has its place. */
const nextInLine = 8

const managed = `${labelKeys.managedBy}=${managedBy}`
/** Claims are made by the StatefulSet controller, which gives them the selector's labels and no others. */
const ofStorageNodes = Object.entries(storageNodeSelector)
  .map(([key, value]) => `${key}=${value}`)
  .join(',')

const selectors: Readonly<Partial<Record<Kind, { readonly labelSelector?: string }>>> = {
  persistentVolumeClaims: { labelSelector: ofStorageNodes },
  // Also those that somebody else has put into a runtime namespace: they open what ours close.
  networkPolicies: {},
}

/** The caches of everything that passes read, and who is to be looked at when something in them changes. */
export class Watches {
  readonly caches: WatchedCaches
  /** By the namespace that they watch, "" for all. */
  readonly #reflectors = new Map<string, Reflector[]>()
  /** Namespaces that nobody waits for: the operator may not read them. */
  readonly #refused = new Set<string>()
  /**
   * Of each of the tenants' namespaces that is not all in the caches, who is to be looked at when it is: a pass that saw
   * an Organization without its Tokens would take these for revoked.
   */
  readonly #held: Map<string, Map<string, QueuePriority>>
  /** Of each organization id, the keys of all Organizations that name it, by uid: one has it, the others would. */
  readonly #keysById = new Map<string, Map<string, string>>()
  readonly #isWatched: (namespace: string) => boolean
  #enqueue: (key: string, priority: QueuePriority) => void = () => undefined

  constructor(options: WatchOptions) {
    this.#held = new Map(options.namespaces.map((namespace) => [namespace, new Map()]))
    const watched = new Set(options.namespaces)
    this.#isWatched = (namespace) => watched.size === 0 || watched.has(namespace)
    const open = (kind: Kind, more: { namespace?: string; labelSelector?: string }): Reflector => {
      const { client, clock, log, registry, random } = options
      const resource = resources[kind]
      const reflector = new Reflector({
        client,
        clock,
        log,
        registry,
        resource,
        ...more,
        ...(random && { random }),
        transform: (tenantKinds as readonly Kind[]).includes(kind) ? keepTenantObject : keepChild,
      })
      reflector.onChange(this.#listener(kind, () => reflector.synced))
      const namespace = more.namespace ?? ''
      this.#reflectors.set(namespace, [...(this.#reflectors.get(namespace) ?? []), reflector])
      return reflector
    }
    const tenants = tenantKinds.map((kind): [Kind, Store] => [
      kind,
      perNamespace(options.namespaces, (more) => open(kind, more)),
    ])
    const children = childKinds.map((kind): [Kind, Store] => [
      kind,
      open(kind, selectors[kind] ?? { labelSelector: managed }),
    ])
    this.caches = Object.fromEntries([...tenants, ...children]) as Record<Kind, Store>
  }

  /**
   * Fills the caches; every tenant that there is has been told of when this resolves, but for those of namespaces on the
   * list that the operator may not read. Whoever rules in one can take its rights away there, and nobody else waits for that.
   */
  async start(enqueue: (key: string, priority: QueuePriority) => void): Promise<void> {
    this.#enqueue = enqueue
    await Promise.all(
      [...this.#reflectors].map(([namespace, reflectors]) => this.#fill(namespace, reflectors)),
    )
  }

  async #fill(namespace: string, reflectors: readonly Reflector[]): Promise<void> {
    const filled = Promise.all(reflectors.map((reflector) => reflector.start())).then(() =>
      this.#release(namespace),
    )
    if (namespace === '') return filled
    await Promise.race([filled, ...reflectors.map(({ refused }) => refused)])
    if (this.#held.has(namespace)) this.#refused.add(namespace)
  }

  #release(namespace: string): void {
    const held = this.#held.get(namespace) ?? []
    this.#held.delete(namespace)
    this.#refused.delete(namespace)
    for (const [key, priority] of held) this.#enqueue(key, priority)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#reflectors.values()].flat().map((reflector) => reflector.stop()))
  }

  /** The key of the tenant with an organization id, undefined for none. */
  keyOf(organizationId: string): string | undefined {
    const key = this.#ownerOf(runtimeNamespace(organizationId), this.#keysById.get(organizationId))
    return key !== undefined && this.#held.has(parseKey(key).namespace) ? undefined : key
  }

  /** Kinds whose caches are not filled yet, and are waited for. */
  get missing(): readonly string[] {
    return [...this.#reflectors]
      .filter(([namespace]) => !this.#refused.has(namespace))
      .flatMap(([, reflectors]) => reflectors.filter(({ synced }) => !synced).map(({ name }) => name))
  }

  /** A pass is wanted, at once or when all of the tenant's namespace is in the caches. */
  #look(key: string, priority: QueuePriority): void {
    const held = this.#held.get(parseKey(key).namespace)
    if (!held) this.#enqueue(key, priority)
    else if (held.get(key) !== 'edit') held.set(key, priority)
  }

  /** @param isNews whether a change comes by watch, and not with the list at the start */
  #listener(kind: Kind, isNews: () => boolean): ChangeListener {
    const priority = (after: KubeObject | undefined): QueuePriority =>
      isNews() || (after && isWaitedFor(after)) ? 'edit' : 'resync'
    if (kind === 'organizations')
      return (before, after) => this.#onOrganization(before, after, priority(after))
    if (kind === 'databases' || kind === 'tokens')
      return (before, after) => this.#onMember(before, after, priority(after))
    // Most of what may be ours is: nobody waits for a pass that finds it as the one before has made it.
    return (before, after, mayBeOurs) => {
      const childPriority = isNews() && !mayBeOurs ? 'edit' : 'resync'
      if (!isSameMeaning(before, after)) this.#onChild(before ?? after, childPriority)
    }
  }

  #onOrganization(
    before: KubeObject | undefined,
    after: KubeObject | undefined,
    priority: QueuePriority,
  ): void {
    const object = after ?? before
    if (!object) return
    const key = keyText({ namespace: object.metadata.namespace ?? '', name: object.metadata.name })
    if (before) this.#forget(before)
    if (after) this.#know(after, key)
    if (!isSameMeaning(before, after)) this.#look(key, priority)
    if (!after) this.#onPlace(object.metadata.namespace ?? '')
  }

  /**
   * One that is gone may have left its place, where the platform limits them, to one that nothing was made for: the oldest
   * is next. Who makes and deletes many must not have all of them looked at each time, nor before what others wait for.
   */
  #onPlace(namespace: string): void {
    const waiting = this.caches.organizations
      .list(namespace)
      .filter(
        ({ status }) => typeof status !== 'object' || status === null || !('runtimeNamespace' in status),
      )
    for (const { metadata } of waiting.toSorted(byAge).slice(0, nextInLine))
      this.#look(keyText({ namespace, name: metadata.name }), 'resync')
  }

  #know(organization: KubeObject, key: string): void {
    const id = organizationIdOf(organization)
    const keys = this.#keysById.get(id) ?? new Map<string, string>()
    this.#keysById.set(id, keys.set(organization.metadata.uid ?? '', key))
  }

  #forget(organization: KubeObject): void {
    const id = organizationIdOf(organization)
    const keys = this.#keysById.get(id)
    keys?.delete(organization.metadata.uid ?? '')
    if (keys?.size === 0) this.#keysById.delete(id)
  }

  #onMember(before: KubeObject | undefined, after: KubeObject | undefined, priority: QueuePriority): void {
    if (isSameMeaning(before, after)) return
    for (const object of [before, after]) {
      const name = object && organizationNameOf(object)
      if (name) this.#look(keyText({ namespace: object.metadata.namespace ?? '', name }), priority)
    }
  }

  /** By the namespace's name, which nobody but the operator can have chosen; a label proves nothing. */
  #onChild(object: KubeObject | undefined, priority: QueuePriority): void {
    const namespace = object?.metadata.namespace ?? object?.metadata.name ?? ''
    const id = runtimePattern.exec(namespace)?.[1]
    const keys = id === undefined ? undefined : this.#keysById.get(id)
    if (id !== undefined && object?.kind === 'Namespace') this.#lookAtOwner(object, keys, priority)
    if (keys) {
      for (const key of this.#concerned(keys, object)) this.#look(key, priority)
      return undefined
    }
    if (object?.kind !== 'RoleBinding') return undefined
    // The operator's right to a tenant namespace's Secrets belongs to all organizations there.
    for (const { metadata } of this.caches.organizations.list(namespace)) {
      this.#look(keyText({ namespace, name: metadata.name }), priority)
    }
    return undefined
  }

  /** Its Organization may have gone while nobody looked, without the operator's word: see reconcile/orphans.ts. */
  #lookAtOwner(
    { metadata: { annotations } }: KubeObject,
    keys: ReadonlyMap<string, string> | undefined,
    priority: QueuePriority,
  ): void {
    const owner = namedOwner(annotations)
    const isRetained = annotations?.[annotationKeys.retainedMac] !== undefined
    if (owner === null || isRetained || keys?.has(owner.uid) || !this.#isWatched(owner.namespace)) return
    this.#look(keyText(owner), priority)
  }

  /** A change of the namespace itself may let another one have it; all else is its owner's. */
  #concerned(keys: ReadonlyMap<string, string>, object: KubeObject | undefined): Iterable<string> {
    const name = object?.metadata.namespace
    const own = name === undefined ? undefined : this.#ownerOf(name, keys)
    return own === undefined ? keys.values() : [own]
  }

  #ownerOf(namespace: string, keys: ReadonlyMap<string, string> | undefined): string | undefined {
    const annotations = this.caches.namespaces.get(undefined, namespace)?.metadata.annotations
    return keys?.get(annotations?.[annotationKeys.ownerUid] ?? '')
  }
}

/** Somebody has changed it while no operator looked: that goes before what only has to be compared again. */
function isWaitedFor({ metadata, status }: KubeObject): boolean {
  const seen = typeof status === 'object' && status !== null && 'observedGeneration' in status
  return (
    metadata.deletionTimestamp !== undefined || !seen || status.observedGeneration !== metadata.generation
  )
}

/**
 * As of a status of a tenant's object, which says what a pass found: only the operator writes it, and a pass on it would
 * be the same pass again.
 */
function isSameMeaning(before: KubeObject | undefined, after: KubeObject | undefined): boolean {
  return before !== undefined && after !== undefined && meaningOf(before) === meaningOf(after)
}

/** One cache over the namespaces that are watched, or over all of them. */
function perNamespace(namespaces: readonly string[], open: (more: { namespace?: string }) => Store): Store {
  if (namespaces.length === 0) return open({})
  const stores = new Map(namespaces.map((namespace) => [namespace, open({ namespace })]))
  return {
    get size() {
      return [...stores.values()].reduce((sum, store) => sum + store.size, 0)
    },
    get: (namespace, name) => stores.get(namespace ?? '')?.get(namespace, name),
    list: (namespace) =>
      namespace === undefined
        ? [...stores.values()].flatMap((store) => store.list())
        : (stores.get(namespace)?.list(namespace) ?? []),
    observe: (object, isOurs) => stores.get(object.metadata.namespace ?? '')?.observe(object, isOurs),
    writing: (namespace, name) => stores.get(namespace ?? '')?.writing(namespace, name) ?? (() => undefined),
  }
}
