import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { isFull, type Disk } from '../disk/disk.ts'

const mebibyte = 1_048_576
const maxBytes = 64 * mebibyte
/** Of a small volume it takes no more. */
const maxShare = 0.01
/** It is made only while so much is free. */
const roomyShare = 0.1

const sizeOn = (totalBytes: number): number => Math.min(maxBytes, Math.floor(totalBytes * maxShare))

/**
 * A file that holds nothing. It is given up when the disk is full to the brim, for whatever reason, so that there is
 * room for what makes room: deletes, retention, buffers put into files. It comes back when there is space again.
 */
export class Ballast {
  readonly #disk: Disk
  readonly #log: Logger
  readonly #folder: string
  readonly #path: string
  /** null until somebody has looked. */
  #isThere: boolean | null = null

  constructor(disk: Disk, log: Logger, folder: string) {
    this.#disk = disk
    this.#log = log
    this.#folder = folder
    this.#path = join(folder, 'ballast')
  }

  /** Makes it while there is room for it, gives it up where nothing else is left. A failure is only told. */
  async keep(): Promise<void> {
    try {
      await this.#keep()
    } catch (error) {
      this.#log.error({ err: error }, 'the ballast could not be looked after')
    }
  }

  async #keep(): Promise<void> {
    await this.releaseIfFull()
    const { freeBytes, totalBytes } = await this.#disk.space(this.#folder)
    const sizeBytes = sizeOn(totalBytes)
    // A stop in the middle of the making leaves a part of it.
    this.#isThere ??=
      (await this.#disk.exists(this.#path)) && (await this.#disk.sizeBytes(this.#path)) === sizeBytes
    if (!this.#isThere && freeBytes > totalBytes * roomyShare + sizeBytes) await this.#make(sizeBytes)
  }

  /** @returns whether there was something to give up, and a need for it */
  async releaseIfFull(): Promise<boolean> {
    const { freeBytes, totalBytes } = await this.#disk.space(this.#folder)
    return freeBytes < sizeOn(totalBytes) && (await this.release())
  }

  /** @returns whether there was something to give up */
  async release(): Promise<boolean> {
    const wasThere = this.#isThere ?? (await this.#disk.exists(this.#path))
    if (!wasThere) return false
    this.#isThere = false
    await this.#disk.remove(this.#path)
    this.#log.warn('the disk is full: the ballast is given up')
    return true
  }

  async #make(sizeBytes: number): Promise<void> {
    // Of random bytes, so that no file system makes them smaller.
    const piece = randomBytes(Math.min(sizeBytes, 4 * mebibyte))
    await this.#disk.remove(this.#path)
    const file = await this.#disk.create(this.#path)
    try {
      for (let offset = 0; offset < sizeBytes; offset += piece.length)
        await file.write(piece.subarray(0, sizeBytes - offset), offset)
      await file.sync()
      this.#isThere = true
    } catch (error) {
      if (!isFull(error)) throw error
      this.#log.info({ reason: messageOf(error) }, 'no room for the ballast')
    } finally {
      await file.close()
      if (!this.#isThere) await this.#disk.remove(this.#path)
    }
  }
}
