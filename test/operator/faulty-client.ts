import { AppError } from '../../common/errors.ts'
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
import { answerError } from '../../operator/kube/errors.ts'
import type { KubeObject, ObjectRef } from '../../operator/kube/object.ts'
import { resourceOf, type Resource } from '../../operator/kube/resource.ts'
import type { MemoryKube } from '../support/memory-kube.ts'
import type { Cluster } from './cluster.ts'

/** What becomes of one request. */
export type Fault =
  /** It is worked on, and the process ends before the answer. */
  | 'crash'
  /** It is worked on, and the line breaks before the answer. */
  | 'reset after'
  /** The line breaks before it is worked on. */
  | 'reset before'
  /** No answer comes until the client gives up. */
  | 'hang'
  | 409
  | 410
  | 429
  | 500

/** Somebody else does something before a request is worked on, or between that and its answer. */
export interface Race {
  readonly when: 'before' | 'after'
  readonly act: (cluster: Cluster) => Promise<void>
}

export interface Call {
  readonly verb: string
  readonly what: string
  readonly isWrite: boolean
}

const hangMs = 20_000
const writes = new Set(['create', 'apply', 'replace', 'status', 'metadata', 'delete', 'node'])

/** What one process asks of the API server and the nodes, counted, with a fault at most at one place. */
export class Line {
  readonly cluster: Cluster
  /** Requests in order, as far as they were made. */
  readonly calls: Call[] = []
  /** What requests changed: `create tokens team/writer`. */
  readonly effects: string[] = []
  readonly #faultAt: (call: Call, index: number) => Fault | Race | null
  isDead = false

  constructor(cluster: Cluster, faultAt: (call: Call, index: number) => Fault | Race | null) {
    this.cluster = cluster
    this.#faultAt = faultAt
  }

  async request<Answer>(
    verb: string,
    what: string,
    signal: AbortSignal | undefined,
    act: () => Promise<Answer>,
  ): Promise<Answer> {
    this.requireLife()
    const call = { verb, what, isWrite: writes.has(verb) }
    const fault = this.#faultAt(call, this.calls.length)
    this.calls.push(call)
    const asked = { verb, resource: what }
    if (fault === 'hang') await this.cluster.clock.sleep(hangMs, signal)
    if (fault === 'hang' || fault === 'reset before') throw lost()
    if (typeof fault === 'number') throw answerError(fault, { reason: 'Injected', code: fault }, asked)
    const race = typeof fault === 'object' ? fault : null
    if (race?.when === 'before') await race.act(this.cluster)
    const { world } = this.cluster.kube
    const before = { version: world.version, size: world.objects.size }
    const answer = await act()
    if (world.version !== before.version) {
      const made = world.objects.size > before.size ? 'create' : verb
      this.effects.push(`${verb === 'apply' ? made : verb} ${what}`)
    }
    if (race?.when === 'after') await race.act(this.cluster)
    if (fault === 'crash') this.isDead = true
    this.requireLife()
    if (fault === 'reset after') throw lost()
    return answer
  }

  /** @throws AppError fenced: what a process that has ended would have done does not happen */
  requireLife(): void {
    if (this.isDead) throw new AppError('unavailable', 'ERR_KUBE_FENCED', 'the process has ended')
  }
}

const lost = (): AppError => new AppError('unavailable', 'ERR_KUBE_CONNECTION', 'ECONNRESET')

export class FaultyClient implements KubeClient {
  readonly #kube: MemoryKube
  readonly #line: Line
  readonly #scope: Scope

  constructor(kube: MemoryKube, line: Line, scope: Scope = {}) {
    this.#kube = kube
    this.#line = line
    this.#scope = scope
  }

  with(scope: Scope): FaultyClient {
    return new FaultyClient(this.#kube.with(scope), this.#line, { ...this.#scope, ...scope })
  }

  get(resource: Resource, ref: ObjectRef): Promise<KubeObject | null> {
    return this.#read('get', resource, ref, () => this.#kube.get(resource, ref))
  }

  list(resource: Resource, options: ListOptions = {}): Promise<KubeList> {
    const ref = { name: '', namespace: options.namespace ?? '' }
    return this.#read('list', resource, ref, () => this.#kube.list(resource, options))
  }

  create(object: KubeObject): Promise<KubeObject> {
    return this.#write('create', object, () => this.#kube.create(object))
  }

  apply(object: KubeObject): Promise<KubeObject> {
    return this.#write('apply', object, () => this.#kube.apply(object))
  }

  replace(object: KubeObject): Promise<KubeObject> {
    return this.#write('replace', object, () => this.#kube.replace(object))
  }

  patchStatus(target: KubeObject, status: Readonly<Record<string, unknown>>): Promise<KubeObject> {
    return this.#write('status', target, () => this.#kube.patchStatus(target, status))
  }

  patchMetadata(target: KubeObject, patch: MetadataPatch): Promise<KubeObject> {
    return this.#write('metadata', target, () => this.#kube.patchMetadata(target, patch))
  }

  async delete(
    target: KubeObject,
    options: { readonly propagationPolicy?: PropagationPolicy; readonly unchanged?: boolean } = {},
  ): Promise<void> {
    if (target.metadata.uid === undefined)
      throw new TypeError(`delete of ${target.metadata.name} without a uid`)
    return this.#write('delete', target, () => this.#kube.delete(target, options))
  }

  async *watch(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent> {
    await this.#line.request('watch', resource.plural, options.signal, () => Promise.resolve())
    yield* this.#kube.watch(resource, options)
  }

  async close(): Promise<void> {}

  #read<Answer>(
    verb: string,
    resource: Resource,
    ref: ObjectRef,
    act: () => Promise<Answer>,
  ): Promise<Answer> {
    return this.#line.request(verb, nameOf(resource, ref), this.#scope.signal, () => {
      if (verb === 'get') this.#authorize(resource, ref)
      return act()
    })
  }

  #write<Answer>(verb: string, object: KubeObject, act: () => Promise<Answer>): Promise<Answer> {
    const resource = resourceOf(object)
    return this.#line.request(verb, nameOf(resource, object.metadata), this.#scope.signal, () => {
      this.#authorize(resource, object.metadata)
      return act()
    })
  }

  #authorize(resource: Resource, { namespace = '' }: ObjectRef): void {
    if (resource.plural === 'secrets') this.#line.cluster.requireSecretsRight(namespace)
  }
}

const nameOf = ({ plural }: Resource, { namespace, name }: ObjectRef): string =>
  `${plural} ${namespace ?? ''}/${name}`
