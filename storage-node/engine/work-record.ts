import type { NodeTrouble } from '../../common/admin-api.ts'
import type { Clock } from '../../common/clock.ts'
import { AppError, messageOf } from '../../common/errors.ts'
import { isFull } from '../disk/disk.ts'
import { processFailed, statementFailed } from '../query-process/client.ts'

/** What fails so often in a row does not go over by itself at the next attempt: people are told. */
export const troubleAfter = 3

/** How one kind of work that is tried again and again has gone since the start. */
export class WorkRecord {
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #what: string
  #successes = 0
  #failures = 0
  #failuresInRow = 0
  #succeededMs = 0
  #firstFailureMs = 0
  #reason = ''
  #isWriteRefused = false

  /** @param what fails, for people */
  constructor(clock: Pick<Clock, 'nowMs'>, what: string) {
    this.#clock = clock
    this.#what = what
  }

  get successes(): number {
    return this.#successes
  }

  get failures(): number {
    return this.#failures
  }

  /** Since the last success. */
  get failuresInRow(): number {
    return this.#failuresInRow
  }

  /** When it last succeeded, Unix time in seconds; 0 for never since the start. */
  get succeededS(): number {
    return this.#succeededMs / 1_000
  }

  succeeded(): void {
    this.#successes++
    this.#succeededMs = this.#clock.nowMs()
    this.nothingLeft()
  }

  failed(cause: unknown): void {
    this.#failures++
    this.#failuresInRow++
    if (this.#failuresInRow === 1) this.#firstFailureMs = this.#clock.nowMs()
    this.#reason = reasonOf(cause)
  }

  /** What had failed is not wanted any more. */
  nothingLeft(): void {
    this.#failuresInRow = 0
    this.#isWriteRefused = false
  }

  /** A write found no room, which only this work makes. */
  noteNoRoom(): void {
    this.#isWriteRefused = this.#failuresInRow > 0
  }

  /** null unless it has failed again and again. */
  trouble(work: NodeTrouble['work']): NodeTrouble | null {
    if (this.#failuresInRow < troubleAfter) return null
    return {
      work,
      failures: this.#failuresInRow,
      since: new Date(this.#firstFailureMs).toISOString(),
      message: `${this.#what}: ${this.#reason}`,
      refusesWrites: this.#isWriteRefused,
    }
  }
}

export function troublesOf(flushes: WorkRecord, compactions: WorkRecord): readonly NodeTrouble[] {
  return [flushes.trouble('flush'), compactions.trouble('compaction')].filter((each) => each !== null)
}

/** In our own words: what the system or DuckDB say may have values of the tenant's in it, and anybody may read this. */
function reasonOf(cause: unknown): string {
  const message = messageOf(cause)
  if (isFull(cause) || /no space left on device/i.test(message)) return 'the disk is full'
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (/^E[A-Z0-9]{2,15}$/.test(code)) return `the disk answers ${code}`
  if (cause instanceof AppError && code === processFailed)
    return 'the query process, which reads and writes files, ended'
  if (code === statementFailed && /memory|allocate/i.test(message))
    return 'the query process has too little memory'
  if (code === statementFailed && /IO Error/.test(message)) return 'files cannot be opened, read or written'
  return "the node's log says why"
}
