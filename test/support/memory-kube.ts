import { AppError } from '../../common/errors.ts'
import { canonicalJson } from '../../common/state-document.ts'
import type {
  KubeClient,
  KubeList,
  ListOptions,
  MetadataPatch,
  PropagationPolicy,
  Scope,
  WatchEvent,
  WatchOptions,
} from '../../operator/kube/client.ts'
import type { KubeObject, ObjectRef } from '../../operator/kube/object.ts'
import { resourceOf, type Resource } from '../../operator/kube/resource.ts'

interface Entry {
  readonly resource: Resource
  readonly event: WatchEvent
  readonly version: number
}

interface OpenWatch {
  readonly resource: Resource
  readonly options: WatchOptions
  /** Ends it as the network would. */
  readonly cut: (error: Error | null) => void
  readonly wake: () => void
}

/** All that a `MemoryKube` and its views share. */
interface World {
  version: number
  readonly objects: Map<string, KubeObject>
  readonly history: Entry[]
  readonly watches: Set<OpenWatch>
  readonly writes: string[]
  readonly calls: string[]
  /** Called before each call; what it throws is what the caller gets. */
  intercept: (call: string) => void
  /** Events that a watch loses on the way. */
  lose: (event: WatchEvent) => boolean
  /** What a line of a watch becomes: other lines, or an error that ends the watch; a promise holds it back. */
  deliver: (event: WatchEvent) => Delivered | Promise<Delivered>
  /** Versions up to this one are forgotten: a watch from one of them has expired. */
  compactedVersion: number
  /** Called before something is stored: what it throws is what the caller gets. */
  admit: (verb: 'create' | 'update' | 'delete', object: KubeObject) => void
  /** A new object as it is stored. */
  prepare: (object: KubeObject) => KubeObject
  now: () => string
}

type Delivered = readonly WatchEvent[] | AppError

const keyOf = (resource: Resource, { namespace, name }: ObjectRef): string =>
  `${resource.group}/${resource.plural}/${resource.namespaced ? (namespace ?? '') : ''}/${name}`

/** The API server counts the specs of its own kinds. */
export const firstGeneration = ({ kind }: KubeObject) => (kind === 'StatefulSet' ? { generation: 1 } : {})

function withGeneration(known: KubeObject, object: KubeObject): KubeObject {
  const { generation } = known.metadata
  const isCounted = known.kind === 'StatefulSet' && generation !== undefined
  if (!isCounted || canonicalJson(known['spec']) === canonicalJson(object['spec'])) return object
  return { ...object, metadata: { ...object.metadata, generation: generation + 1 } }
}

function withoutOurs(annotations: Readonly<Record<string, string>> = {}) {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith('holdfast.dev/')))
}

/**
 * An API server in memory, for the machinery's own tests on a fake clock: resource versions, uids, preconditions,
 * finalizers, watches with a history. It neither validates, defaults nor tracks field owners; what depends on those is
 * tested against a real one.
 */
export class MemoryKube implements KubeClient {
  readonly world: World
  readonly #scope: Scope

  constructor(world?: World, scope: Scope = {}) {
    this.#scope = scope
    this.world = world ?? {
      version: 100,
      objects: new Map(),
      history: [],
      watches: new Set(),
      writes: [],
      calls: [],
      intercept: () => undefined,
      lose: () => false,
      deliver: (event) => [event],
      compactedVersion: 0,
      admit: () => undefined,
      prepare: (object) => ({
        ...object,
        metadata: { ...object.metadata, uid: crypto.randomUUID(), ...firstGeneration(object) },
      }),
      now: () => '2026-11-22T00:00:00Z',
    }
  }

  with(scope: Scope): MemoryKube {
    return new MemoryKube(this.world, { ...this.#scope, ...scope })
  }

  async get(resource: Resource, ref: ObjectRef): Promise<KubeObject | null> {
    await this.#enter(`get ${resource.plural} ${ref.name}`)
    return this.world.objects.get(keyOf(resource, ref)) ?? null
  }

  async list(resource: Resource, options: ListOptions = {}): Promise<KubeList> {
    await this.#enter(`list ${resource.plural}`)
    const items = [...this.world.objects.values()].filter(
      (object) => resourceOf(object) === resource && isSelected(object, options),
    )
    const { transform } = options
    return {
      resourceVersion: String(this.world.version),
      items: transform ? items.map((item) => transform(item)) : items,
    }
  }

  async create(object: KubeObject): Promise<KubeObject> {
    await this.#enterWrite('create', object)
    if (this.world.objects.has(keyOf(resourceOf(object), object.metadata)))
      throw new AppError('conflict', 'ERR_KUBE_ALREADY_EXISTS', 'already exists')
    return this.#add(object)
  }

  #add(object: KubeObject): KubeObject {
    this.world.admit('create', object)
    return this.#store('ADDED', this.world.prepare(object))
  }

  /**
   * Takes top-level fields as they are given and metadata's key by key, and of a claim's spec what is named; of
   * annotations, ours are stated whole.
   */
  async apply(object: KubeObject): Promise<KubeObject> {
    await this.#enterWrite('apply', object)
    const known = this.#known(object)
    if (!known && object.metadata.uid !== undefined) throw conflict('uid')
    if (!known) return this.#add(object)
    this.#precondition(known, object)
    const { metadata } = known
    const isClaim = object.kind === 'PersistentVolumeClaim'
    const merged = {
      ...known,
      ...object,
      ...(isClaim && { spec: { ...(known['spec'] as object), ...(object['spec'] as object) } }),
      metadata: {
        ...metadata,
        ...object.metadata,
        labels: { ...metadata.labels, ...object.metadata.labels },
        annotations: { ...withoutOurs(metadata.annotations), ...object.metadata.annotations },
      },
    }
    return this.#update(known, merged)
  }

  async replace(object: KubeObject): Promise<KubeObject> {
    await this.#enterWrite('replace', object)
    const known = this.#existing(object)
    this.#precondition(known, object)
    return this.#update(known, object)
  }

  async patchStatus(target: KubeObject, status: Readonly<Record<string, unknown>>): Promise<KubeObject> {
    await this.#enterWrite('status', target)
    const known = this.#existing(target)
    this.#precondition(known, target)
    return this.#update(known, { ...known, status })
  }

  async patchMetadata(target: KubeObject, patch: MetadataPatch): Promise<KubeObject> {
    await this.#enterWrite('metadata', target)
    const known = this.#existing(target)
    this.#precondition(known, target)
    const { labels, annotations, finalizers } = patch
    const metadata = {
      ...known.metadata,
      // What a patch does not name stays as it is, also where it is not there.
      ...(labels && { labels: merged(known.metadata.labels, labels) }),
      ...(annotations && { annotations: merged(known.metadata.annotations, annotations) }),
      ...(finalizers ? { finalizers } : {}),
    }
    const isGone = metadata.deletionTimestamp !== undefined && metadata.finalizers?.length === 0
    if (isGone) return this.#store('DELETED', { ...known, metadata })
    const added = finalizers?.filter((name) => !known.metadata.finalizers?.includes(name)) ?? []
    if (metadata.deletionTimestamp !== undefined && added.length > 0)
      throw new AppError('invalid', 'ERR_KUBE_INVALID', 'no new finalizers can be added while it is deleted')
    return this.#update(known, { ...known, metadata })
  }

  /** A write that changes nothing is no new version. */
  #update(known: KubeObject, object: KubeObject): KubeObject {
    if (canonicalJson(withoutVersion(known)) === canonicalJson(withoutVersion(object))) return known
    this.world.admit('update', object)
    return this.#store('MODIFIED', withGeneration(known, object))
  }

  /** With propagation Orphan the object stays until its garbage collector has let go of what it owns. */
  async delete(
    target: KubeObject,
    options: { readonly unchanged?: boolean; readonly propagationPolicy?: PropagationPolicy } = {},
  ): Promise<void> {
    await this.#enterWrite('delete', target)
    const known = this.#known(target)
    if (!known) return
    const { uid, resourceVersion } = target.metadata
    this.#precondition(known, {
      ...target,
      metadata: {
        name: target.metadata.name,
        ...(uid ? { uid } : {}),
        ...(options.unchanged && resourceVersion ? { resourceVersion } : {}),
      },
    })
    this.world.admit('delete', known)
    const orphan = options.propagationPolicy === 'Orphan' ? ['orphan'] : []
    const finalizers = [...(known.metadata.finalizers ?? []), ...orphan]
    if (finalizers.length === 0) this.#store('DELETED', known)
    else if (known.metadata.deletionTimestamp === undefined)
      this.#store('MODIFIED', {
        ...known,
        metadata: { ...known.metadata, finalizers, deletionTimestamp: this.world.now() },
      })
  }

  async *watch(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent> {
    await this.#enter(`watch ${resource.plural} ${options.resourceVersion}`)
    if (Number(options.resourceVersion) < this.world.compactedVersion) throw expired()
    const from = this.world.history.findIndex(({ version }) => version > Number(options.resourceVersion))
    let position = from < 0 ? this.world.history.length : from
    let ended: Error | null | undefined
    let woken = Promise.withResolvers<void>()
    const cut = Promise.withResolvers<'cut'>()
    const wake = () => {
      woken.resolve()
      woken = Promise.withResolvers()
    }
    const watch: OpenWatch = {
      resource,
      options,
      wake,
      cut: (error) => {
        ended = error
        cut.resolve('cut')
        wake()
      },
    }
    const onAbort = () =>
      watch.cut(options.signal.reason instanceof Error ? options.signal.reason : new Error())
    options.signal.addEventListener('abort', onAbort)
    this.world.watches.add(watch)
    options.onOpen?.()
    try {
      for (;;) {
        const next = this.world.history[position]
        if (ended) throw ended
        if (ended === null) return
        if (!next) await woken.promise
        else {
          position += 1
          if (next.resource !== resource || this.world.lose(next.event)) continue
          if (next.event.type !== 'BOOKMARK' && !isSelected(next.event.object, options)) continue
          const delivered = await Promise.race([this.world.deliver(next.event), cut.promise])
          if (delivered === 'cut') continue
          if (delivered instanceof AppError) throw delivered
          for (const event of delivered) {
            if (ended) throw ended
            options.onBytes?.()
            yield event
          }
        }
      }
    } finally {
      this.world.watches.delete(watch)
      options.signal.removeEventListener('abort', onAbort)
    }
  }

  async close(): Promise<void> {}

  /** A BOOKMARK to all watches of a resource. */
  bookmark(resource: Resource): void {
    const metadata = { name: '', resourceVersion: String(this.world.version) }
    const object = { apiVersion: 'v1', kind: resource.kind, metadata }
    this.world.history.push({
      resource,
      event: { type: 'BOOKMARK', object },
      version: this.world.version + 0.5,
    })
    for (const watch of this.world.watches) watch.wake()
  }

  #known(object: KubeObject): KubeObject | undefined {
    return this.world.objects.get(keyOf(resourceOf(object), object.metadata))
  }

  #existing(object: KubeObject): KubeObject {
    const known = this.#known(object)
    if (!known) throw new AppError('not-found', 'ERR_KUBE_NOT_FOUND', 'not found')
    return known
  }

  #precondition(known: KubeObject, asked: KubeObject): void {
    const { uid, resourceVersion } = asked.metadata
    if (uid !== undefined && uid !== known.metadata.uid) throw conflict('uid')
    if (resourceVersion !== undefined && resourceVersion !== known.metadata.resourceVersion)
      throw conflict('resource version')
  }

  #store(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): KubeObject {
    const resource = resourceOf(object)
    this.world.version += 1
    const resourceVersion = String(this.world.version)
    const stored = structuredClone({ ...object, metadata: { ...object.metadata, resourceVersion } })
    const key = keyOf(resource, object.metadata)
    if (type === 'DELETED') this.world.objects.delete(key)
    else this.world.objects.set(key, stored)
    this.world.history.push({ resource, event: { type, object: stored }, version: this.world.version })
    for (const watch of this.world.watches) watch.wake()
    return stored
  }

  async #enter(call: string): Promise<void> {
    this.#scope.signal?.throwIfAborted()
    this.world.calls.push(call)
    this.world.intercept(call)
    // An answer never comes within the same turn.
    await Promise.resolve()
  }

  async #enterWrite(verb: string, object: KubeObject): Promise<void> {
    const call = `${verb} ${resourceOf(object).plural} ${object.metadata.name}`
    this.#scope.fence?.()
    await this.#enter(call)
    this.world.writes.push(call)
  }
}

const conflict = (what: string): AppError => new AppError('conflict', 'ERR_KUBE_CONFLICT', `another ${what}`)

function merged(
  known: Readonly<Record<string, string>> | undefined,
  patch: Readonly<Record<string, string | null>> | undefined,
): Readonly<Record<string, string>> {
  const entries = Object.entries({ ...known, ...patch })
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null))
}

/** What a watch from a version that the server has forgotten ends with. */
export const expired = (): AppError => new AppError('unavailable', 'ERR_KUBE_EXPIRED', 'too old')

function isSelected(
  { metadata }: KubeObject,
  options: { readonly namespace?: string; readonly labelSelector?: string },
): boolean {
  if (options.namespace !== undefined && metadata.namespace !== options.namespace) return false
  const wanted = options.labelSelector?.split(',').map((pair) => pair.split('=')) ?? []
  return wanted.every(([key, value]) => metadata.labels?.[key!] === value)
}

function withoutVersion({ metadata: { resourceVersion: _version, ...metadata }, ...object }: KubeObject) {
  return { ...object, metadata }
}
