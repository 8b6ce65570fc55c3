import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import { logBusy } from '../log/busy.ts'
import type { Shares } from './shares.ts'

/** How long a write waits for room; what comes faster than it can be stored for longer is refused. */
const maxWaitMs = 10_000
const maxWaiting = 1_000

export interface RoomOptions {
  readonly clock: Clock
  readonly shares: Pick<Shares, 'flushBytes' | 'refuseBytes' | 'waitingBytes'>
  bufferBytes(): number
  /** Called when the buffers are full. */
  onFull(): void
}

const bufferFull = () =>
  new AppError('unavailable', 'ERR_BUFFER_FULL', 'points come faster than they can be put into files')

interface Waiting {
  readonly bytes: number
  readonly admit: () => void
}

/**
 * Room for points: in the buffers, and before them in the log. Writers wait for it in the order in which they came, so
 * that large batches have their turn beside small ones.
 */
export class Room {
  readonly #options: RoomOptions
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  /** What writes that wait for the log will take in the buffers. */
  #comingBytes = 0

  constructor(options: RoomOptions) {
    this.#options = options
  }

  /**
   * Resolves when there was room for a batch that will take so many bytes of the buffers.
   * @throws AppError unavailable: ERR_BUFFER_FULL, ERR_LOG_BUSY, after ten seconds, and at once where as many wait as may
   */
  async take(bytes: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#lack(bytes, this.#options.bufferBytes()) === null) {
      this.#comingBytes += bytes
      return
    }
    const mayWait = this.#waiting.length === 0 || this.#waitingBytes + bytes <= this.#maxWaitingBytes
    if (this.#waiting.length >= maxWaiting || !mayWait) throw this.#refusal(bytes)
    await this.#wait(bytes)
  }

  /** The batch is in the buffers, or nowhere. */
  giveBack(bytes: number): void {
    this.#comingBytes -= bytes
    this.made()
  }

  /** There may be room now. */
  made(): void {
    if (this.#waiting.length === 0) return
    const bufferBytes = this.#options.bufferBytes()
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#lack(next.bytes, bufferBytes) !== null) return
      this.#leave(next)
      this.#comingBytes += next.bytes
      next.admit()
    }
  }

  /** Batches that wait are in memory, and their bodies are not counted any more. */
  get #maxWaitingBytes(): number {
    return 2 * this.#options.shares.waitingBytes
  }

  async #wait(bytes: number): Promise<void> {
    const timeout = new AbortController()
    let admit: () => void = () => undefined
    const admitted = new Promise<true>((resolve) => {
      admit = () => resolve(true)
    })
    const waiting: Waiting = { bytes, admit }
    this.#waiting.push(waiting)
    this.#waitingBytes += bytes
    const late = this.#options.clock.sleep(maxWaitMs, timeout.signal).then(
      () => false,
      () => false,
    )
    const isAdmitted = await Promise.race([admitted, late])
    timeout.abort()
    if (isAdmitted) return
    // It may have been admitted in the same moment.
    if (!this.#leave(waiting)) return
    const refusal = this.#refusal(bytes)
    this.made()
    throw refusal
  }

  #leave(waiting: Waiting): boolean {
    const index = this.#waiting.indexOf(waiting)
    if (index < 0) return false
    this.#waiting.splice(index, 1)
    this.#waitingBytes -= waiting.bytes
    return true
  }

  #refusal(bytes: number): AppError {
    return this.#lack(bytes, this.#options.bufferBytes()) ?? logBusy()
  }

  /** @returns why there is no room, if there is none */
  #lack(bytes: number, bufferBytes: number): AppError | null {
    const { flushBytes, refuseBytes, waitingBytes } = this.#options.shares
    // However large a batch, it finds room once the buffers are flushed.
    const wantedBytes = Math.min(bytes, refuseBytes - flushBytes)
    if (bufferBytes + this.#comingBytes + wantedBytes > refuseBytes) {
      this.#options.onFull()
      return bufferFull()
    }
    // What waits for the log is in memory several times; the large ones wait one at a time.
    if (this.#comingBytes > 0 && this.#comingBytes + bytes > waitingBytes) return logBusy()
    return null
  }
}
