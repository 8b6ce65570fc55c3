import type { Clock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import type { Disk } from '../disk/disk.ts'

const minFreeShare = 0.05
const checkEveryMs = 1_000

/** Refuses writes while little space is left: reads, deletion and retention need none of it or make some. */
export class DiskGuard {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #folder: string
  #checkedMs = Number.NEGATIVE_INFINITY
  #isFull = false

  constructor(disk: Disk, clock: Clock, folder: string) {
    this.#disk = disk
    this.#clock = clock
    this.#folder = folder
  }

  /** @throws AppError unavailable, ERR_DISK_FULL */
  async check(): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#checkedMs >= checkEveryMs) {
      this.#checkedMs = nowMs
      const { freeBytes, totalBytes } = await this.#disk.space(this.#folder)
      this.#isFull = freeBytes < totalBytes * minFreeShare
    }
    if (this.#isFull) {
      throw new AppError(
        'unavailable',
        'ERR_DISK_FULL',
        'less than 5 % of the disk is free: writes wait for space',
      )
    }
  }
}
