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

/** Room for points: in the buffers, and before them in the log. Writers wait for it. */
export class Room {
  readonly #options: RoomOptions
  #waiting: (() => void)[] = []
  /** What writes that wait for the log will take in the buffers. */
  #comingBytes = 0

  constructor(options: RoomOptions) {
    this.#options = options
  }

  /**
   * Resolves when there was room for a batch that will take so many bytes of the buffers.
   * @throws AppError unavailable: ERR_BUFFER_FULL, ERR_LOG_BUSY, after ten seconds, and at once where a thousand wait
   */
  async take(bytes: number): Promise<void> {
    let lack = this.#take(bytes)
    if (!lack) return
    const timeout = new AbortController()
    const late = this.#options.clock.sleep(maxWaitMs, timeout.signal).then(
      () => true,
      () => false,
    )
    try {
      for (let isLate = false; lack; lack = this.#take(bytes)) {
        if (isLate || this.#waiting.length >= maxWaiting) throw lack
        const made = new Promise<false>((resolve) => this.#waiting.push(() => resolve(false)))
        isLate = await Promise.race([late, made])
      }
    } finally {
      timeout.abort()
    }
  }

  /** The batch is in the buffers, or nowhere. */
  giveBack(bytes: number): void {
    this.#comingBytes -= bytes
    this.made()
  }

  /** There may be room now. */
  made(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** @returns why there is none, if there is none */
  #take(bytes: number): AppError | null {
    const { flushBytes, refuseBytes, waitingBytes } = this.#options.shares
    // However large a batch, it finds room once the buffers are flushed.
    const wantedBytes = Math.min(bytes, refuseBytes - flushBytes)
    if (this.#options.bufferBytes() + this.#comingBytes + wantedBytes > refuseBytes) {
      this.#options.onFull()
      return bufferFull()
    }
    // What waits for the log is in memory several times; the large ones wait one at a time.
    if (this.#comingBytes > 0 && this.#comingBytes + bytes > waitingBytes) return logBusy()
    this.#comingBytes += bytes
    return null
  }
}
