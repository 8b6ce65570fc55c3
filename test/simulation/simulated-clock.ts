import type { Clock } from '../../common/clock.ts'

interface Sleeper {
  readonly dueMs: number
  readonly wake: () => void
}

/** A clock that whoever drives the simulation sets; those who sleep wake when their time has come. */
export class SimulatedClock implements Clock {
  #monotonicMs = 0
  #wallMs: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(wallMs: number) {
    this.#wallMs = wallMs
  }

  nowMs(): number {
    return this.#wallMs
  }

  nowNs(): bigint {
    return BigInt(this.#wallMs) * 1_000_000n
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { dueMs: this.#monotonicMs + ms, wake: resolve }
      const onAbort = () => {
        this.#sleepers.delete(sleeper)
        reject(signal?.reason)
      }
      if (signal?.aborted) return onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#sleepers.add(sleeper)
    })
  }

  pass(ms: number): void {
    this.#monotonicMs += ms
    this.#wallMs += ms
    for (const sleeper of this.#sleepers) {
      if (sleeper.dueMs > this.#monotonicMs) continue
      this.#sleepers.delete(sleeper)
      sleeper.wake()
    }
  }

  /** The wall clock is set, forwards or backwards. */
  set(wallMs: number): void {
    this.#wallMs = wallMs
  }
}
