import type { Registry } from 'prom-client'
import { systemClock, type Clock } from '../../common/clock.ts'
import { AppError, assert } from '../../common/errors.ts'
import {
  fieldManager,
  type KubeClient,
  type KubeList,
  type ListOptions,
  type MetadataPatch,
  type PropagationPolicy,
  type Scope,
  type WatchEvent,
  type WatchOptions,
} from './client.ts'
import { Connection, requestSockets, type WireAnswer, type WireRequest } from './connection.ts'
import { CredentialSource } from './credentials.ts'
import { answerError, connectionError, type Asked } from './errors.ts'
import { listPages } from './list-pages.ts'
import type { KubeObject, ObjectRef } from './object.ts'
import { requestCounter, type CountRequest } from './request-metrics.ts'
import { RequestLimiter } from './request-limiter.ts'
import { pathOf, resourceOf, type Resource } from './resource.ts'
import { parseRetryAfterMs, retryDelayMs } from './retry.ts'
import { watchEvents } from './watch-lines.ts'

export interface KubeClientOptions {
  /** Path of a kubeconfig file; absent: the pod's service account. */
  readonly kubeconfig?: string
  readonly clock?: Clock
  /** In [0, 1). */
  readonly random?: () => number
  /** Where requests are counted. */
  readonly registry?: Registry
  readonly requestsPerSecond?: number
  readonly burst?: number
  /** For one attempt, from its first byte to the last of the answer. */
  readonly attemptTimeoutMs?: number
}

/** @throws AppError invalid, ERR_KUBECONFIG */
export function openKubeClient(options: KubeClientOptions = {}): KubeClient {
  const clock = options.clock ?? systemClock
  const shared: Shared = {
    clock,
    random: options.random ?? Math.random,
    attemptTimeoutMs: options.attemptTimeoutMs ?? 60_000,
    connection: new Connection(new CredentialSource(options.kubeconfig, clock)),
    limiter: new RequestLimiter({
      clock,
      // The API server shares itself out fairly; this is against loops that nobody thought of.
      requestsPerSecond: options.requestsPerSecond ?? 500,
      burst: options.burst ?? 1_000,
      // One socket stays free for the lease.
      maxInFlight: requestSockets - 1,
      maxWaiting: 20_000,
    }),
    // What fills caches comes in pages of megabytes, of all kinds at once.
    pages: new RequestLimiter({
      clock,
      requestsPerSecond: 500,
      burst: 1_000,
      maxInFlight: 3,
      maxWaiting: 20_000,
    }),
    count: options.registry ? requestCounter(options.registry) : () => undefined,
  }
  return new HttpKubeClient(shared, {})
}

interface Shared {
  readonly clock: Clock
  readonly random: () => number
  readonly attemptTimeoutMs: number
  readonly connection: Connection
  readonly limiter: RequestLimiter
  readonly pages: RequestLimiter
  readonly count: CountRequest
}

/** A request before it is tied to an attempt. */
interface Call extends Asked {
  readonly verb: 'get' | 'list' | 'create' | 'apply' | 'replace' | 'patch' | 'delete'
  readonly method: WireRequest['method']
  readonly path: string
  readonly idempotent: boolean
  readonly contentType?: string
  readonly body?: unknown
  readonly maxAnswerBytes?: number
}

/** Another try would end in the same way. */
const endsTries = new Set(['ERR_KUBE_FENCED', 'ERR_KUBE_CLOSED', 'ERR_KUBE_ANSWER_TOO_LARGE'])

const applyQuery = (force: boolean): string => `?fieldManager=${fieldManager}&force=${force}`

class HttpKubeClient implements KubeClient {
  readonly #shared: Shared
  readonly #scope: Scope

  constructor(shared: Shared, scope: Scope) {
    this.#shared = shared
    this.#scope = scope
  }

  with(scope: Scope): KubeClient {
    const signals = [this.#scope.signal, scope.signal].filter((signal) => signal !== undefined)
    return new HttpKubeClient(this.#shared, {
      ...this.#scope,
      ...scope,
      ...(signals.length === 2 ? { signal: AbortSignal.any(signals) } : {}),
    })
  }

  async get(resource: Resource, ref: ObjectRef): Promise<KubeObject | null> {
    const call = { verb: 'get', method: 'GET', path: pathOf(resource, ref), idempotent: true } as const
    try {
      return parseObject(await this.#call({ ...call, ...askedOf(resource, ref) }))
    } catch (error) {
      if (error instanceof AppError && error.kind === 'not-found') return null
      throw error
    }
  }

  async list(resource: Resource, options: ListOptions = {}): Promise<KubeList> {
    const { namespace } = options
    return listPages(resource, options, async (query, maxAnswerBytes) => {
      const release = await this.#pageTurn()
      try {
        return await this.#call({
          verb: 'list',
          method: 'GET',
          path: `${pathOf(resource, { namespace })}?${query.toString()}`,
          idempotent: true,
          maxAnswerBytes,
          resource: resource.plural,
          namespace,
        })
      } finally {
        release()
      }
    })
  }

  async #pageTurn(): Promise<() => void> {
    const { priority, signal } = this.#scope
    return priority === 'resync' ? this.#shared.pages.acquire(priority, signal) : () => undefined
  }

  async create(object: KubeObject): Promise<KubeObject> {
    const resource = resourceOf(object)
    const { namespace } = object.metadata
    assert(!resource.namespaced || namespace !== undefined, `${resource.kind} needs a namespace`)
    return parseObject(
      await this.#call({
        verb: 'create',
        method: 'POST',
        path: `${pathOf(resource, { namespace })}?fieldManager=${fieldManager}`,
        idempotent: false,
        contentType: 'application/json',
        body: object,
        ...askedOf(resource, object.metadata),
      }),
    )
  }

  async apply(object: KubeObject, options: { readonly force?: boolean } = {}): Promise<KubeObject> {
    return this.#apply(object, undefined, options.force ?? true)
  }

  async replace(object: KubeObject): Promise<KubeObject> {
    assert(object.metadata.resourceVersion, 'replace needs the resource version that was read')
    const resource = resourceOf(object)
    return parseObject(
      await this.#call({
        verb: 'replace',
        method: 'PUT',
        path: `${pathOf(resource, object.metadata)}?fieldManager=${fieldManager}`,
        idempotent: true,
        contentType: 'application/json',
        body: object,
        ...askedOf(resource, object.metadata),
      }),
    )
  }

  async patchStatus(target: KubeObject, status: Readonly<Record<string, unknown>>): Promise<KubeObject> {
    const { apiVersion, kind, metadata } = target
    const { name, namespace, uid, resourceVersion } = metadata
    assert(uid, 'a status is written to an object that was read')
    const same = { name, uid, ...(namespace === undefined ? {} : { namespace }) }
    const unchanged = resourceVersion === undefined ? same : { ...same, resourceVersion }
    return this.#apply({ apiVersion, kind, metadata: unchanged, status }, 'status', true)
  }

  async patchMetadata(target: KubeObject, patch: MetadataPatch): Promise<KubeObject> {
    const { uid, resourceVersion } = target.metadata
    assert(uid && resourceVersion, 'metadata is changed on an object that was read')
    const resource = resourceOf(target)
    return parseObject(
      await this.#call({
        verb: 'patch',
        method: 'PATCH',
        path: `${pathOf(resource, target.metadata)}?fieldManager=${fieldManager}`,
        idempotent: true,
        contentType: 'application/merge-patch+json',
        body: { metadata: { ...patch, uid, resourceVersion } },
        ...askedOf(resource, target.metadata),
      }),
    )
  }

  async delete(
    target: KubeObject,
    options: { readonly propagationPolicy?: PropagationPolicy; readonly unchanged?: boolean } = {},
  ): Promise<void> {
    const { uid, resourceVersion } = target.metadata
    assert(uid, 'only what was read is deleted')
    const resource = resourceOf(target)
    try {
      await this.#call({
        verb: 'delete',
        method: 'DELETE',
        path: pathOf(resource, target.metadata),
        idempotent: true,
        contentType: 'application/json',
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: options.propagationPolicy ?? 'Background',
          preconditions: { uid, ...(options.unchanged ? { resourceVersion } : {}) },
        },
        ...askedOf(resource, target.metadata),
      })
    } catch (error) {
      if (!(error instanceof AppError && error.kind === 'not-found')) throw error
    }
  }

  async *watch(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent> {
    const asked = { verb: 'watch', resource: resource.plural, namespace: options.namespace }
    const query = new URLSearchParams({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: options.resourceVersion,
      timeoutSeconds: String(options.timeoutSeconds),
    })
    if (options.labelSelector !== undefined) query.set('labelSelector', options.labelSelector)
    if (options.fieldSelector !== undefined) query.set('fieldSelector', options.fieldSelector)
    const { signal, onOpen } = options
    try {
      const answer = await this.#shared.connection.stream({
        method: 'GET',
        path: `${pathOf(resource, options)}?${query.toString()}`,
        signal,
      })
      this.#shared.count('watch', resource.plural, String(answer.statusCode))
      if (answer.statusCode === 401) this.#shared.connection.forgetCredentials()
      if (answer.statusCode !== 200)
        throw answerError(answer.statusCode, parseJson(await readSome(answer.body)), asked)
      onOpen?.()
      yield* watchEvents(counted(answer.body, options.onBytes), asked)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (error instanceof AppError) throw error
      this.#shared.count('watch', resource.plural, 'none')
      const { message } = connectionError(error, asked)
      throw new AppError('unavailable', 'ERR_KUBE_CUT', message, { details: asked })
    }
  }

  async close(): Promise<void> {
    await this.#shared.connection.close()
  }

  async #apply(object: KubeObject, subresource: 'status' | undefined, force: boolean): Promise<KubeObject> {
    const resource = resourceOf(object)
    return parseObject(
      await this.#call({
        verb: 'apply',
        method: 'PATCH',
        path: `${pathOf(resource, object.metadata, subresource)}${applyQuery(force)}`,
        idempotent: true,
        contentType: 'application/apply-patch+yaml',
        body: object,
        ...askedOf(resource, object.metadata),
      }),
    )
  }

  /** One call with its retries. */
  async #call(call: Call): Promise<unknown> {
    const { clock, random } = this.#shared
    const { signal } = this.#scope
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body))
    for (let attempt = 1; ; attempt += 1) {
      const { failure, statusCode, retryAfterMs, value } = await this.#attempt(call, body)
      if (!failure) return value
      const delayMs = retryDelayMs({
        attempt,
        statusCode,
        retryAfterMs,
        idempotent: call.idempotent,
        random: random(),
      })
      if (endsTries.has(failure.code) || delayMs === null) throw failure
      await clock.sleep(delayMs, signal)
    }
  }

  async #attempt(call: Call, body: Buffer | undefined): Promise<Attempt> {
    const { limiter, connection, attemptTimeoutMs, count } = this.#shared
    const { signal, fence, priority } = this.#scope
    const release = await limiter.acquire(priority ?? 'user', signal)
    const timeout = AbortSignal.timeout(attemptTimeoutMs)
    let answer: WireAnswer
    try {
      answer = await connection.send({
        method: call.method,
        path: call.path,
        ...(call.contentType === undefined ? {} : { contentType: call.contentType }),
        ...(body ? { body } : {}),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        fence,
        maxAnswerBytes: call.maxAnswerBytes,
      })
    } catch (error) {
      signal?.throwIfAborted()
      count(call.verb, call.resource, 'none')
      return { failure: connectionError(error, call), statusCode: null, retryAfterMs: null }
    } finally {
      release()
    }
    const { statusCode } = answer
    if (statusCode === 401) connection.forgetCredentials()
    count(call.verb, call.resource, String(statusCode))
    const value = parseJson(answer.body)
    if (statusCode >= 200 && statusCode < 300) return { statusCode, retryAfterMs: null, value }
    return {
      failure: answerError(statusCode, value, call),
      statusCode,
      retryAfterMs: parseRetryAfterMs(answer.retryAfter),
    }
  }
}

interface Attempt {
  readonly failure?: AppError
  /** null when no answer came. */
  readonly statusCode: number | null
  readonly retryAfterMs: number | null
  readonly value?: unknown
}

const askedOf = (resource: Resource, { namespace, name }: ObjectRef) => ({
  resource: resource.plural,
  namespace,
  name,
})

/** undefined for what is not JSON: a proxy's page, an empty body. */
function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function parseObject(value: unknown): KubeObject {
  const isObject = typeof value === 'object' && value !== null && 'metadata' in value && 'kind' in value
  if (!isObject) throw new AppError('unavailable', 'ERR_KUBE_ANSWER', 'the answer is not an object')
  return value as KubeObject
}

/** The start of an answer that is only to be quoted. */
async function readSome(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const read: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of chunks) {
    read.push(chunk)
    sizeBytes += chunk.length
    if (sizeBytes > 64 * 1024) break
  }
  return Buffer.concat(read)
}

async function* counted(chunks: AsyncIterable<Buffer>, onBytes?: () => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onBytes?.()
    yield chunk
  }
}
