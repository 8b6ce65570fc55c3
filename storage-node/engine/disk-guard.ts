import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Disk } from '../disk/disk.ts'

const minFreeShare = 0.05
const checkEveryMs = 1_000

export interface DiskGuardOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly dataFolder: string
}

/** Refuses writes while little space is left: reads, deletes and retention need none of it or make some. */
export class DiskGuard {
  readonly #options: DiskGuardOptions
  #checkedMs = Number.NEGATIVE_INFINITY
  /** What may still be taken, as far as is known; below 0 writes are refused. Nothing is known before the first look. */
  #roomBytes = Number.POSITIVE_INFINITY
  #isFull = false

  constructor(options: DiskGuardOptions) {
    this.#options = options
  }

  /** Writes are being refused. */
  get isFull(): boolean {
    return this.#isFull
  }

  /**
   * @param bytes about to be written
   * @throws AppError unavailable, ERR_DISK_FULL
   */
  async check(bytes: number): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - this.#checkedMs >= checkEveryMs) {
      this.#checkedMs = nowMs
      this.#note(await this.#measure())
    }
    // Much can be written before the next look.
    if (!this.#isFull) this.#note(this.#roomBytes - bytes)
    if (!this.#isFull) return
    const text = 'less than 5 % of the disk is free: writes wait for space'
    throw new AppError('unavailable', 'ERR_DISK_FULL', text)
  }

  /** Something that is not urgent may take so much. */
  async hasRoomFor(bytes: number): Promise<boolean> {
    return (await this.#measure()) >= bytes
  }

  async #measure(): Promise<number> {
    const { freeBytes, totalBytes } = await this.#options.disk.space(this.#options.dataFolder)
    return freeBytes - totalBytes * minFreeShare
  }

  #note(roomBytes: number): void {
    this.#roomBytes = roomBytes
    const isFull = roomBytes < 0
    if (isFull === this.#isFull) return
    this.#isFull = isFull
    if (isFull) this.#options.log.warn('the disk is nearly full: writes are refused')
    else this.#options.log.info('there is space on the disk again: writes go on')
  }
}
