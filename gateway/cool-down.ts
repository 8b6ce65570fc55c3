import type { Clock } from '../common/clock.ts'

/** Within a second; so many are seen of a client that is a little over its limit now and then. */
const nodesRefusals = 10
const lastsMs = 1_000

interface Refused {
  readonly sinceMs: number
  readonly count: number
  readonly untilMs: number
}

/**
 * Who goes on sending more than its node allows, and so gets one 429 after the other, has them from the gateway for a
 * second: passing a request on, to be refused, costs both of them several times as much as the answer, and everybody else
 * waits meanwhile. Whoever is refused ten times within a second is such a one. At the first refusal already, a client with one
 * query too many would wait for a second where a place is free again after milliseconds.
 */
export class CoolDown {
  readonly #clock: Clock
  readonly #maxKeys: number
  readonly #refused = new Map<string, Refused>()

  constructor(clock: Clock, maxKeys = 10_000) {
    this.#clock = clock
    this.#maxKeys = maxKeys
  }

  /** Whether the gateway answers in the node's place. */
  isOn(key: string): boolean {
    const refused = this.#refused.get(key)
    return refused !== undefined && this.#clock.monotonicMs() < refused.untilMs
  }

  /** A node has answered 429. What was under way when it began makes it no longer. */
  note(key: string): void {
    if (this.isOn(key)) return
    const nowMs = this.#clock.monotonicMs()
    const known = this.#refused.get(key)
    const { sinceMs, count } =
      known && known.untilMs === 0 && nowMs - known.sinceMs < lastsMs ? known : { sinceMs: nowMs, count: 0 }
    const isOver = count + 1 >= nodesRefusals
    this.#refused.delete(key)
    this.#refused.set(key, { sinceMs, count: count + 1, untilMs: isOver ? nowMs + lastsMs : 0 })
    if (this.#refused.size > this.#maxKeys) this.#refused.delete(this.#refused.keys().next().value!)
  }
}
