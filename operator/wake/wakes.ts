import type { Clock } from '../../common/clock.ts'
import { withRoom } from '../../common/bounded-map.ts'

/** Longer than it takes until status says so; whoever waits for an organization asks for it again and again. */
const wantedMs = 15_000
const wantedLimit = 10_000

/**
 * Which organizations are wanted awake just now. It lives in memory alone: that one wakes is a fact once status says so,
 * and until then the gateway goes on asking, be it another leader.
 */
export class Wakes {
  readonly #clock: Clock
  readonly #wanted = new Map<string, { readonly tokenId: string; readonly atMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param tokenId of the valid token with which somebody asks */
  want(organizationId: string, tokenId: string): void {
    this.#wanted.delete(organizationId)
    withRoom(this.#wanted, wantedLimit).set(organizationId, { tokenId, atMs: this.#clock.monotonicMs() })
  }

  /** Id of the token with which it was asked for last, null if it is not wanted any more. */
  wantedBy(organizationId: string): string | null {
    const found = this.#wanted.get(organizationId)
    if (!found) return null
    if (this.#clock.monotonicMs() - found.atMs < wantedMs) return found.tokenId
    this.#wanted.delete(organizationId)
    return null
  }
}
