import type { Clock } from '../../common/clock.ts'

const firstPauseMs = 10 * 60_000
const maxPauseMs = 6 * 60 * 60_000

interface Pause {
  readonly failures: number
  readonly untilMs: number
}

/** What failed waits before it is tried again, longer each time, so that other work has its turn. */
export class Pauses {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #pauses = new Map<string, Pause>()

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /** How many have failed and not succeeded since. */
  get size(): number {
    return this.#pauses.size
  }

  isWaiting(name: string): boolean {
    return this.#clock.monotonicMs() < (this.#pauses.get(name)?.untilMs ?? 0)
  }

  /** @returns whether one of them has failed for the first time */
  noteFailure(names: readonly string[]): boolean {
    const failures = names.map((name) => 1 + (this.#pauses.get(name)?.failures ?? 0))
    const pauseMs = Math.min(maxPauseMs, firstPauseMs * 2 ** (Math.max(...failures) - 1))
    const untilMs = this.#clock.monotonicMs() + pauseMs
    for (const [index, name] of names.entries())
      this.#pauses.set(name, { failures: failures[index]!, untilMs })
    return failures.includes(1)
  }

  /** Forgets all but these. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#pauses.keys()) if (!names.has(name)) this.#pauses.delete(name)
  }
}
