import type { Registry } from 'prom-client'
import type { Clock } from '../../common/clock.ts'
import { AppError, messageOf } from '../../common/errors.ts'
import type { Component } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import type { KubeClient, WatchEvent } from '../kube/client.ts'
import { compareResourceVersions, type KubeObject } from '../kube/object.ts'
import type { Resource } from '../kube/resource.ts'
import { backoffMs, watchBackoff } from './backoff.ts'
import { counterIn, gaugeIn } from './metrics.ts'
import { ObjectStore, type Change, type Store } from './store.ts'
import { WatchSession } from './watch-session.ts'

export interface ReflectorOptions {
  readonly resource: Resource
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** In [0, 1). */
  readonly random?: () => number
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Drops what no pass reads. `metadata.managedFields` are dropped in any case. */
  readonly transform?: (object: KubeObject) => KubeObject
  /** A full list at least this often repairs whatever a watch has lost. */
  readonly relistMs?: number
  readonly silenceMs?: number
}

/** Only enqueues keys. `before` and `after` never have different uids; `mayBeOurs` as of a `Change`. */
export type ChangeListener = (
  before: KubeObject | undefined,
  after: KubeObject | undefined,
  mayBeOurs: boolean,
) => void

/** How long a watch lives before the next takes over, drawn so that the watches of a program do not move together. */
const lifetimeMs = { shortest: 290_000, longest: 570_000 }

/** A watch that ended sooner than this counts as a failure, or an eager server would be asked in a tight loop. */
const shortLivedMs = 10_000

/**
 * A cache of one resource that follows the API server: a list, then watches from where it ended, each opened before
 * its predecessor closes. A broken line is taken up again where it broke; after any other error everything is listed
 * anew, and so it is where nothing is heard twice: a server whose history was taken back opens a watch from what it
 * takes for the future, and is silent. Lists ask for the newest state, so that a restart never sees an older one than the process before it did.
 */
export class Reflector implements Component, Store {
  readonly name: string
  readonly #options: ReflectorOptions
  readonly #random: () => number
  readonly #log: Logger
  readonly #metrics: ReturnType<typeof metricsOf>
  readonly #labels: { readonly resource: string; readonly namespace: string }
  readonly #transform: (object: KubeObject) => KubeObject
  readonly #store: ObjectStore
  readonly #listeners: ChangeListener[] = []
  readonly #synced = Promise.withResolvers<void>()
  readonly #refused = Promise.withResolvers<void>()
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #isSynced = false
  #listedMs = 0
  /** Watches in a row that ended because nothing was heard of them. */
  #silences = 0

  constructor(options: ReflectorOptions) {
    const { resource, transform } = options
    this.name = `${resource.plural} reflector`
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#log = options.log.child({ resource: resource.plural })
    this.#metrics = metricsOf(options.registry)
    this.#labels = { resource: resource.plural, namespace: options.namespace ?? '' }
    this.#transform = (object) => {
      const slim = withoutManagedFields(object)
      return transform ? transform(slim) : slim
    }
    this.#store = new ObjectStore(this.#transform)
    this.#synced.promise.catch(() => undefined)
  }

  /** The first list is in. From then on the cache is never empty again, however long the API server is away. */
  get synced(): boolean {
    return this.#isSynced
  }

  /** Resolves when the API server has said for the first time that this may not be read. It is tried on all the same. */
  get refused(): Promise<void> {
    return this.#refused.promise
  }

  get size(): number {
    return this.#store.size
  }

  get(namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#store.get(namespace, name)
  }

  list(namespace?: string): readonly KubeObject[] {
    return this.#store.list(namespace)
  }

  observe(object: KubeObject, isOurs = true): void {
    this.#store.observe(object, isOurs)
  }

  writing(namespace: string | undefined, name: string): () => void {
    return this.#store.writing(namespace, name)
  }

  /** Before `start`: the first list reports every object as an addition. */
  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener)
  }

  /** Resolves once synced; rejects if stopped before. */
  start(): Promise<void> {
    this.#running = this.#run(this.#stopping.signal)
    return this.#synced.promise
  }

  /** From here on no listener is called. */
  async stop(): Promise<void> {
    const stopped = new AppError('unavailable', 'ERR_REFLECTOR_STOPPED', `${this.name} was stopped`)
    this.#stopping.abort(stopped)
    this.#synced.reject(stopped)
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0
    let listDue = true
    while (!signal.aborted) {
      const startMs = this.#options.clock.monotonicMs()
      try {
        // However often watches end: each of them may have missed something.
        if (listDue || this.#isListDue) await this.#relist(signal)
        listDue = false
        listDue = await this.#follow(signal)
        failures = 0
      } catch (error) {
        if (signal.aborted) return
        if (this.#options.clock.monotonicMs() - startMs >= shortLivedMs) failures = 0
        failures += 1
        if (error instanceof AppError && error.kind === 'forbidden') this.#refused.resolve()
        if (hasCode(error, 'ERR_WATCH_SILENT')) this.#silences += 1
        listDue ||= !canResume(error) || failures > 1 || this.#silences > 1
        const retryMs = backoffMs(watchBackoff, failures, this.#random())
        this.#metrics.failures.inc(this.#labels)
        this.#log.warn({ err: messageOf(error), failures, retryMs }, 'watch failed')
        await this.#options.clock.sleep(retryMs, signal).catch(() => undefined)
      }
    }
  }

  get #isListDue(): boolean {
    const { clock, relistMs = 1_200_000 } = this.#options
    return clock.monotonicMs() - this.#listedMs >= relistMs
  }

  async #relist(signal: AbortSignal): Promise<void> {
    const { client, resource, clock, namespace, labelSelector, fieldSelector } = this.#options
    const list = await client.with({ signal, priority: 'resync' }).list(resource, {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      transform: this.#transform,
    })
    if (signal.aborted) return
    this.#listedMs = clock.monotonicMs()
    this.#silences = 0
    this.#touch()
    this.#metrics.relists.inc(this.#labels)
    this.#tell(this.#store.replace(list.items, list.resourceVersion))
    this.#isSynced = true
    this.#synced.resolve()
  }

  /**
   * Follows watches, one after the other.
   * @returns true when the next full list is due, false when the server ended the watch
   */
  async #follow(signal: AbortSignal): Promise<boolean> {
    let previous: WatchSession | undefined
    let session: WatchSession | undefined
    try {
      for (;;) {
        previous = session
        const replaced = previous
        session = this.#openSession(signal, () => replaced?.close())
        const startMs = this.#options.clock.monotonicMs()
        if ((await session.untilDueOrEnded()) === 'ended') {
          if (this.#options.clock.monotonicMs() - startMs >= shortLivedMs) return false
          throw new AppError('unavailable', 'ERR_WATCH_CUT', 'the server ended the watch at once')
        }
        if (this.#isListDue) return true
      }
    } finally {
      previous?.close()
      session?.close()
    }
  }

  #openSession(signal: AbortSignal, onOpen: () => void): WatchSession {
    const { client, clock, resource, namespace, labelSelector, fieldSelector, silenceMs } = this.#options
    const { resourceVersion } = this.#store
    return new WatchSession({
      client,
      clock,
      resource,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      resourceVersion,
      lifetimeMs:
        lifetimeMs.shortest + Math.floor(this.#random() * (lifetimeMs.longest - lifetimeMs.shortest)),
      silenceMs: silenceMs ?? 90_000,
      signal,
      onOpen,
      onBytes: () => {
        this.#silences = 0
        this.#touch()
      },
      onEvent: (event) => this.#accept(event, resourceVersion, signal),
    })
  }

  /** @throws AppError where the server is behind what its watch was asked to go on from: no line would ever come */
  #accept({ type, object }: WatchEvent, from: string, signal: AbortSignal): void {
    if (signal.aborted) return
    if (type === 'BOOKMARK') {
      const { resourceVersion = from } = object.metadata
      if (compareResourceVersions(resourceVersion, from) >= 0) return this.#store.bookmark(resourceVersion)
      throw new AppError(
        'unavailable',
        'ERR_WATCH_BEHIND',
        `the server is at ${resourceVersion}, before ${from}`,
      )
    }
    this.#metrics.events.inc({ ...this.#labels, type })
    this.#tell(this.#store.accept(type, object))
  }

  #tell(changes: readonly Change[]): void {
    for (const { before, after, mayBeOurs = false } of changes) {
      for (const listener of this.#listeners) {
        try {
          listener(before, after, mayBeOurs)
        } catch (error) {
          this.#log.error({ err: error }, 'change listener failed')
        }
      }
    }
  }

  #touch(): void {
    const { clock } = this.#options
    this.#metrics.lastEvent.set(this.#labels, clock.nowMs() / 1000)
    this.#metrics.objects.set(this.#labels, this.#store.size)
  }
}

/** Whether the line merely broke, so that a watch from the last seen resource version loses nothing. */
const canResume = (error: unknown): boolean =>
  hasCode(error, 'ERR_WATCH_SILENT', 'ERR_WATCH_CUT', 'ERR_KUBE_CUT')

const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof AppError && codes.includes(error.code)

function withoutManagedFields(object: KubeObject): KubeObject {
  if (!('managedFields' in object.metadata)) return object
  const { managedFields: _dropped, ...metadata } = object.metadata
  return { ...object, metadata }
}

function metricsOf(registry: Registry) {
  return {
    lastEvent: gaugeIn(registry, {
      name: 'holdfast_watch_last_event_timestamp_seconds',
      help: 'When a watch last heard from the API server; its age is time() minus this',
      labelNames: ['resource', 'namespace'],
    }),
    objects: gaugeIn(registry, {
      name: 'holdfast_cache_objects',
      help: 'Objects in the cache',
      labelNames: ['resource', 'namespace'],
    }),
    relists: counterIn(registry, {
      name: 'holdfast_watch_relists_total',
      help: 'Full lists',
      labelNames: ['resource', 'namespace'],
    }),
    failures: counterIn(registry, {
      name: 'holdfast_watch_failures_total',
      help: 'Lists and watches that failed',
      labelNames: ['resource', 'namespace'],
    }),
    events: counterIn(registry, {
      name: 'holdfast_watch_events_total',
      help: 'Objects that watches reported',
      labelNames: ['resource', 'namespace', 'type'],
    }),
  }
}
