import type { Action } from './operations.ts'
import type { Submission } from './submission.ts'

/** A record on its way into the log, or in it. */
export interface LedgerRecord extends Submission {
  /** null until it is durable. */
  readonly position: number | null
  /** What its effect on the model returned. */
  readonly effect: unknown
}

interface Entry {
  readonly action: Action
  /** The engine's time when the record was made. */
  readonly nowNs: bigint
}

/** Which records have taken effect, at which positions, and which may have: the order of the log is the order of the model. */
export class Ledger {
  #position = 0
  #checkpoint = 0
  /** In the order in which they came to the log. */
  #underway: Entry[] = []

  /**
   * @param nowNs the engine's clock
   * @param isPast whether the process has ended: what it still does is not seen by anybody
   * @param onFault called with what must not be
   */
  record(
    action: Action,
    nowNs: () => bigint,
    isPast: () => boolean,
    onFault: (error: Error) => void,
  ): LedgerRecord {
    let entry: Entry | null = null
    const record = {
      position: null as number | null,
      effect: undefined as unknown,
      submitted: () => {
        if (isPast()) return
        entry = { action, nowNs: nowNs() }
        this.#underway.push(entry)
      },
      applied: (position: number) => {
        if (isPast()) return
        if (this.#underway.shift() !== entry || position !== ++this.#position)
          onFault(new Error(`a record takes effect at ${position}, out of its turn`))
        record.position = position
        record.effect = action.effect?.(entry!.nowNs)
      },
      refused: () => {
        if (!isPast()) this.#underway = this.#underway.filter((each) => each !== entry)
      },
    }
    return record
  }

  /**
   * After a start: of what was on its way into the log a beginning may have come to be there; the position says how much.
   * @returns how many records those are
   * @throws Error if the position is none that there can be
   */
  recover(position: number): number {
    const count = position - this.#position
    if (count < 0 || count > this.#underway.length)
      throw new Error(`position ${position} after ${this.#position}, with ${this.#underway.length} under way`)
    for (const { action, nowNs } of this.#underway.slice(0, count)) action.effect?.(nowNs)
    this.#position = position
    this.#underway = []
    return count
  }

  /** @throws Error if the checkpoint has gone back */
  noteCheckpoint(checkpoint: number): void {
    if (checkpoint < this.#checkpoint) throw new Error(`checkpoint ${checkpoint} after ${this.#checkpoint}`)
    this.#checkpoint = checkpoint
  }
}
