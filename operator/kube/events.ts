import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors.ts'
import type { Component } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/log.ts'
import { withRoom } from '../../common/bounded-map.ts'
import { fieldManager, type KubeClient } from './client.ts'
import type { KubeObject } from './object.ts'
import { apiVersionOf, resources } from './resource.ts'

export type EventType = 'Normal' | 'Warning'

export interface EventRecorderOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
}

/** Repetitions of one event are counted here and written at most this often. */
const repeatMs = 60_000
/** Of one object; further kinds of events within the time are dropped, so that one tenant cannot fill the log. */
const perObject = { events: 30, perMs: 600_000 }
const maxRemembered = 4_096
const maxWaiting = 1_000
const maxNoteLength = 1_000

interface Series {
  readonly name: string
  readonly object: KubeObject
  readonly type: EventType
  readonly reason: string
  readonly firstMs: number
  message: string
  lastMs: number
  count: number
  writtenMs: number | null
}

interface Budget {
  sinceMs: number
  used: number
}

/**
 * Kubernetes Events: the same reason of the same object is one Event with a count. Recording never fails and never
 * waits; what cannot be written is dropped and logged, since conditions carry the truth.
 */
export class EventRecorder implements Component {
  readonly name = 'events'
  readonly #options: EventRecorderOptions
  readonly #instance = randomBytes(4).toString('hex')
  readonly #series = new Map<string, Series>()
  readonly #budgets = new Map<string, Budget>()
  readonly #waiting = new Set<Series>()
  readonly #stopping = new AbortController()
  #writing: Promise<void> = Promise.resolve()
  #isWriting = false

  constructor(options: EventRecorderOptions) {
    this.#options = options
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#writing
  }

  /**
   * @param reason in CamelCase, from a fixed set
   * @param message for people; holds no secret
   */
  record(object: KubeObject, type: EventType, reason: string, message: string): void {
    if (this.#stopping.signal.aborted) return
    const nowMs = this.#options.clock.nowMs()
    const key = `${object.metadata.uid ?? ''} ${type} ${reason}`
    const series = this.#series.get(key) ?? this.#newSeries(key, object, type, reason, nowMs)
    if (!series) return
    series.count += 1
    series.lastMs = nowMs
    series.message = message.slice(0, maxNoteLength)
    // The most recently used stands last, so that what is forgotten is the oldest.
    this.#series.delete(key)
    this.#series.set(key, series)
    if (series.writtenMs !== null && nowMs - series.writtenMs < repeatMs) return
    if (this.#waiting.size >= maxWaiting) return
    this.#waiting.add(series)
    if (this.#isWriting) return
    this.#isWriting = true
    this.#writing = this.#drain()
  }

  #newSeries(
    key: string,
    object: KubeObject,
    type: EventType,
    reason: string,
    nowMs: number,
  ): Series | undefined {
    if (!this.#spend(object.metadata.uid ?? '', nowMs)) return undefined
    const hash = createHash('sha256').update(`${this.#instance} ${nowMs} ${key}`).digest('hex').slice(0, 16)
    withRoom(this.#series, maxRemembered)
    const name = `${object.metadata.name.slice(0, 200)}.${hash}`
    return {
      name,
      object,
      type,
      reason,
      firstMs: nowMs,
      message: '',
      lastMs: nowMs,
      count: 0,
      writtenMs: null,
    }
  }

  #spend(uid: string, nowMs: number): boolean {
    const budget = this.#budgets.get(uid)
    if (!budget || nowMs - budget.sinceMs >= perObject.perMs) {
      this.#budgets.delete(uid)
      withRoom(this.#budgets, maxRemembered)
      this.#budgets.set(uid, { sinceMs: nowMs, used: 1 })
      return true
    }
    budget.used += 1
    return budget.used <= perObject.events
  }

  async #drain(): Promise<void> {
    const client = this.#options.client.with({ priority: 'resync', signal: this.#stopping.signal })
    for (const series of this.#waiting) {
      this.#waiting.delete(series)
      series.writtenMs = this.#options.clock.nowMs()
      try {
        await client.apply(eventOf(series, this.#instance))
      } catch (error) {
        if (!this.#stopping.signal.aborted)
          this.#options.log.warn({ err: messageOf(error), reason: series.reason }, 'event was not written')
      }
    }
    this.#isWriting = false
  }
}

function eventOf(series: Series, instance: string): KubeObject {
  const { object, firstMs, lastMs } = series
  const { name, namespace, uid, resourceVersion } = object.metadata
  return {
    apiVersion: apiVersionOf(resources.events),
    kind: resources.events.kind,
    // Events of objects without a namespace are kept in `default`, where kubectl looks for them.
    metadata: { name: series.name, namespace: namespace ?? 'default' },
    involvedObject: {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid,
      resourceVersion,
    },
    type: series.type,
    reason: series.reason,
    message: series.message,
    count: series.count,
    firstTimestamp: seconds(firstMs),
    lastTimestamp: seconds(lastMs),
    source: { component: fieldManager },
    reportingComponent: fieldManager,
    reportingInstance: instance,
  }
}

const seconds = (ms: number): string => new Date(ms).toISOString().replace(/\.[0-9]{3}Z$/, 'Z')
