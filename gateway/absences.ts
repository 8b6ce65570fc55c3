import type { Clock } from '../common/clock.ts'

const shortestSeconds = 2
const longestSeconds = 30
/** Whom nobody has asked for in this time may have been back meanwhile. */
const staleMs = 120_000

interface Absence {
  readonly sinceMs: number
  readonly seenMs: number
}

/**
 * How long organizations have been without a node, as far as this process has noticed, and from that when their clients
 * should come back. The official clients come back five times, when they are told to, and then let go of what they were
 * to write: told two seconds each time they wait for ten in all, and told thirty, they lose half a minute to a restart of
 * three seconds. Told as long as it has taken already and two seconds more, they wait for a minute in all, and hardly
 * longer than twice what a restart takes.
 */
export class Absences {
  readonly #clock: Clock
  readonly #maxKeys: number
  readonly #absences = new Map<string, Absence>()

  constructor(clock: Clock, maxKeys = 10_000) {
    this.#clock = clock
    this.#maxKeys = maxKeys
  }

  /** Notes that a node was not reached. @returns seconds after which to come back */
  note(organizationId: string): number {
    const nowMs = this.#clock.monotonicMs()
    const known = this.#absences.get(organizationId)
    const sinceMs = known && nowMs - known.seenMs < staleMs ? known.sinceMs : nowMs
    this.#absences.delete(organizationId)
    this.#absences.set(organizationId, { sinceMs, seenMs: nowMs })
    if (this.#absences.size > this.#maxKeys) this.#absences.delete(this.#absences.keys().next().value!)
    return Math.min(longestSeconds, shortestSeconds + Math.ceil((nowMs - sinceMs) / 1_000))
  }

  /** A node has answered. */
  end(organizationId: string): void {
    this.#absences.delete(organizationId)
  }
}
