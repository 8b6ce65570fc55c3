import type { Clock } from '../../common/clock.ts'

interface Sleeper {
  readonly dueMs: number
  readonly wake: () => void
}

/** A clock that stands still until it is told how much time passes. */
export class FakeClock implements Clock {
  #monotonicMs = 1_000
  #wallMs: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(wallMs = Date.UTC(2026, 10, 22)) {
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
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        this.#sleepers.delete(sleeper)
        reject(signal?.reason)
      }
      const sleeper: Sleeper = {
        dueMs: this.#monotonicMs + ms,
        wake: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#sleepers.add(sleeper)
    })
  }

  /** Lets time pass, waking each sleeper at its moment and letting what it does come to rest. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms
    await rest()
    for (;;) {
      const [next] = [...this.#sleepers].sort((a, b) => a.dueMs - b.dueMs)
      if (!next || next.dueMs > untilMs) break
      this.jump(Math.max(0, next.dueMs - this.#monotonicMs))
      this.#sleepers.delete(next)
      next.wake()
      await rest()
    }
    this.jump(untilMs - this.#monotonicMs)
  }

  /** Lets time pass at once; those whose time has come wake, and run when the caller lets them. */
  pass(ms: number): void {
    this.jump(ms)
    for (const sleeper of this.#sleepers) {
      if (sleeper.dueMs > this.#monotonicMs) continue
      this.#sleepers.delete(sleeper)
      sleeper.wake()
    }
  }

  /** Time passes, but nothing of this process runs: SIGSTOP. */
  jump(ms: number): void {
    this.#monotonicMs += ms
    this.#wallMs += ms
  }

  /** Only the wall clock is set. */
  step(ms: number): void {
    this.#wallMs += ms
  }
}

/** Until no promise is left to run that does not wait for time. */
export async function rest(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await new Promise((resolve) => setImmediate(resolve))
}
