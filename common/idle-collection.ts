import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from './clock.ts'
import type { Component } from './lifecycle.ts'

/** How often it looks. */
const periodMs = 5_000
/** A process that used less of the processor than this in a period is quiet: a pause holds nobody up. */
const quietMs = 250
/**
 * What a process has used since the last collection before there can be garbage worth another one. With less, who asks
 * something every few seconds would find the code for it thrown away each time.
 */
const worthMs = 2_000
/** Collections take no more of the processor than one part in this many of what requests do. */
const share = 20

export interface IdleCollectionParts {
  readonly clock: Clock
  /** Processor time of this process so far. */
  readonly usedMs: () => number
  readonly collect: () => void
}

/**
 * Gives memory back once a process has gone quiet. V8 collects when much is allocated, so that an idle process would
 * keep for hours what its start and its last requests have left behind.
 */
export class IdleCollection implements Component {
  readonly name = 'idle collection'
  readonly #parts: IdleCollectionParts
  readonly #stopped = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(parts: IdleCollectionParts) {
    this.#parts = parts
  }

  start(): Promise<void> {
    this.#running = this.#run()
    return Promise.resolve()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, usedMs, collect } = this.#parts
    // The start itself leaves the most behind.
    let dueMs = 0
    for (let seenMs = usedMs(); ; seenMs = usedMs()) {
      try {
        await clock.sleep(periodMs, this.#stopped.signal)
      } catch {
        return // Stopped.
      }
      const nowMs = usedMs()
      if (nowMs - seenMs >= quietMs || nowMs < dueMs) continue
      collect()
      const costMs = usedMs() - nowMs
      dueMs = nowMs + costMs + Math.max(worthMs, share * costMs)
    }
  }
}

/** The collection of the process that this runs in. */
export function idleCollection(clock: Clock): IdleCollection {
  const usedMs = (): number => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  }
  return new IdleCollection({ clock, usedMs, collect: collectAll })
}

/** Of a larger heap it would hold a request up for more than a second. */
const maxHeapBytes = 512 * 1_048_576

/** V8 keeps nothing that it can do without: code that has not run lately is compiled again when it is needed. */
export function collectAll(): void {
  if (process.memoryUsage().heapUsed > maxHeapBytes) return
  // Only contexts that are made while the flag is set can see the collector.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as NodeJS.GCFunction
  setFlagsFromString('--no-expose-gc')
  collect({ type: 'major', flavor: 'last-resort' })
}
