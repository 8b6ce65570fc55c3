import { tokenUsesLimit, type TokenUses } from '../../common/admin-api.ts'
import { withRoom } from '../../common/bounded-map.ts'

const minuteMs = 60_000

/** When each token string was last let in by this process, to the minute; of those used last, `tokenUsesLimit`. */
export class UsedTokens {
  /** Minutes since the epoch, by id; the one that was not used for longest comes first. */
  readonly #minutes = new Map<string, number>()

  note(id: string, nowMs: number): void {
    const minute = Math.floor(nowMs / minuteMs)
    if (this.#minutes.get(id) === minute) return
    if (!this.#minutes.delete(id)) withRoom(this.#minutes, tokenUsesLimit)
    this.#minutes.set(id, minute)
  }

  report(): TokenUses {
    const uses = [...this.#minutes].map(([id, minute]) => ({
      id,
      lastUsedAt: new Date(minute * minuteMs).toISOString(),
    }))
    return { uses }
  }
}
