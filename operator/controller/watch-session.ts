import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import type { KubeClient, WatchEvent } from '../kube/client.ts'
import type { Resource } from '../kube/resource.ts'

export interface SessionOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly resource: Resource
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly resourceVersion: string
  /** When a successor should take over; the server ends the watch a while after that. */
  readonly lifetimeMs: number
  /** Without a byte for so long the line counts as dead. Longer than the minute between two bookmarks. */
  readonly silenceMs: number
  readonly signal: AbortSignal
  readonly onOpen: () => void
  readonly onBytes: () => void
  readonly onEvent: (event: WatchEvent) => void
}

/** How much longer than its lifetime a session may live while its successor opens. */
const overlapMs = 20_000

/**
 * One watch, from its request to its end. It ends when the server ends it, when the line breaks or is silent for too
 * long (a dead connection says nothing by itself, for hours), and when it is closed.
 */
export class WatchSession {
  readonly #options: SessionOptions
  readonly #abort = new AbortController()
  readonly #ended: Promise<void>
  #bytesMs: number

  constructor(options: SessionOptions) {
    this.#options = options
    this.#bytesMs = options.clock.monotonicMs()
    this.#ended = this.#run()
    this.#ended.catch(() => undefined)
  }

  /**
   * @returns `due` when a successor should open while this one goes on, `ended` when the server has ended it
   * @throws what broke it
   */
  async untilDueOrEnded(): Promise<'due' | 'ended'> {
    const timer = new AbortController()
    const due = this.#options.clock.sleep(this.#options.lifetimeMs, timer.signal).then(
      () => 'due' as const,
      () => 'ended' as const,
    )
    try {
      return await Promise.race([due, this.#ended.then(() => 'ended' as const)])
    } finally {
      timer.abort()
    }
  }

  close(): void {
    this.#abort.abort(new AppError('unavailable', 'ERR_WATCH_CLOSED', 'the watch was closed'))
  }

  async #run(): Promise<void> {
    const { client, onOpen, onBytes, onEvent, lifetimeMs, ...watched } = this.#options
    const signal = AbortSignal.any([this.#options.signal, this.#abort.signal])
    const watchdog = this.#watchSilence()
    try {
      const events = client.watch(watched.resource, {
        ...(watched.namespace === undefined ? {} : { namespace: watched.namespace }),
        ...(watched.labelSelector === undefined ? {} : { labelSelector: watched.labelSelector }),
        ...(watched.fieldSelector === undefined ? {} : { fieldSelector: watched.fieldSelector }),
        resourceVersion: watched.resourceVersion,
        timeoutSeconds: Math.ceil((lifetimeMs + overlapMs) / 1000),
        signal,
        onOpen,
        onBytes: () => {
          this.#bytesMs = this.#options.clock.monotonicMs()
          onBytes()
        },
      })
      for await (const event of events) {
        if (signal.aborted) break
        onEvent(event)
      }
    } finally {
      this.close()
      await watchdog
    }
  }

  async #watchSilence(): Promise<void> {
    const { clock, silenceMs } = this.#options
    while (!this.#abort.signal.aborted) {
      const leftMs = this.#bytesMs + silenceMs - clock.monotonicMs()
      if (leftMs <= 0) {
        this.#abort.abort(
          new AppError('unavailable', 'ERR_WATCH_SILENT', `the watch was silent for ${silenceMs} ms`),
        )
        return
      }
      await clock.sleep(leftMs, this.#abort.signal).catch(() => undefined)
    }
  }
}
