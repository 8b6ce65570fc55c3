import { join } from 'node:path'
import { AppError, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { DamageList } from '../disk/damage.ts'
import { isFull, type Disk } from '../disk/disk.ts'
import { logBusy } from './busy.ts'
import { removeSegment, replaySegments, type SealedSegment } from './replay.ts'
import { maxRecordBytes } from './segment.ts'
import { SegmentWriter, syncedSuffix } from './segment-writer.ts'

export interface LogOptions {
  readonly disk: Disk
  readonly folder: string
  readonly keyring: Keyring
  readonly log: Logger
  readonly damage: DamageList
  /** Called when what is on disk can no longer be known. */
  readonly onFatal: (error: Error) => void
  /** Makes room on a full disk. @returns whether another attempt is worth it */
  readonly makeRoom?: () => Promise<boolean>
  readonly segmentBytes?: number
}

interface Waiting {
  readonly payload: Uint8Array
  /** Applies the record and settles its writer. */
  readonly durable: (position: number) => void
  readonly failed: (error: Error) => void
}

const defaultSegmentBytes = 32 * 1024 * 1024
/** What one sync covers at most; writers beyond it wait for the next. */
const groupBytes = 8 * 1024 * 1024
/** What may wait in memory; writers beyond it are refused. */
const maxWaitingBytes = 64 * 1024 * 1024

/**
 * The write-ahead log: everything that changes data is a record in it, and happens when the record is durable. One sync
 * serves all writers that wait for it.
 */
export class Log {
  readonly #options: LogOptions
  readonly #segments: SealedSegment[]
  /**
   * null where there is damage: then the log takes nothing, and nothing is removed from it. Also null as long as a
   * full disk had no room for it since the start.
   */
  #writer: SegmentWriter | null = null
  #position: number
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #running: Promise<void> | null = null
  #failure: Error | null = null
  #rollWanted = false
  #removable = 0

  private constructor(options: LogOptions, segments: readonly SealedSegment[], position: number) {
    this.#options = options
    this.#segments = [...segments]
    this.#position = position
  }

  /**
   * Replays what is there after `checkpoint`, then opens a new segment under a new key. If it is damaged, or something
   * else is, the log is left as it is.
   * @throws AppError invalid, ERR_DATA_KEY_WRONG
   */
  static async open(
    options: LogOptions,
    checkpoint: number,
    apply: (position: number, payload: Uint8Array) => unknown,
  ): Promise<Log> {
    const { disk, folder, damage } = options
    await disk.makeFolder(folder)
    const replayed = await replaySegments(options, checkpoint, apply)
    const log = new Log(options, replayed.segments, Math.max(checkpoint, replayed.lastPosition))
    if (replayed.damage) damage.add(replayed.damage)
    if (!damage.isEmpty) return log
    await replayed.cleanUp()
    await removeLeftOvers(disk, folder, replayed.segments)
    await log.#begin()
    await log.removeThrough(checkpoint)
    return log
  }

  /** The last position that is durable and applied. */
  get position(): number {
    return this.#position
  }

  /** Complete segments: nothing is appended to them any more. */
  get sealed(): readonly SealedSegment[] {
    return this.#segments
  }

  get sizeBytes(): number {
    const writtenBytes = this.#writer?.sizeBytes ?? 0
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, writtenBytes)
  }

  /**
   * Makes a record durable, then applies it. Records are applied in the order of their positions, each before the next.
   * @throws AppError unavailable: ERR_READ_ONLY, ERR_DISK_FULL, ERR_LOG_BUSY, ERR_LOG_FAILED
   */
  async append<T>(payload: Uint8Array, apply: (position: number) => T): Promise<T> {
    this.#options.damage.requireNone()
    if (this.#failure) throw failed(this.#failure)
    if (payload.length > maxRecordBytes / 2)
      throw new AppError('too-large', 'ERR_LOG_RECORD_SIZE', 'the request is too large for the log')
    if (this.#waitingBytes > maxWaitingBytes) throw logBusy()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ payload, durable: (position) => resolve(apply(position)), failed: reject })
      this.#waitingBytes += payload.length
      this.#running ??= this.#run()
    })
  }

  /** The next record goes into a new segment, so that those before can be removed once they are in files. */
  roll(): void {
    this.#rollWanted = true
  }

  /**
   * Begins a new segment now, under the data key in force, so that none that takes records needs an older one.
   * @throws AppError unavailable: ERR_DISK_FULL, ERR_LOG_FAILED
   */
  async renew(): Promise<void> {
    this.#options.damage.requireNone()
    while (this.#running) await this.#running
    if (this.#failure) throw failed(this.#failure)
    const renewed = this.#renewSegment()
    this.#running = renewed.then(
      () => this.#run(),
      () => this.#run(),
    )
    await renewed
  }

  /** Removes segments that hold nothing after `checkpoint`. */
  async removeThrough(checkpoint: number): Promise<void> {
    if (!this.#options.damage.isEmpty) return
    this.#removable = checkpoint
    for (;;) {
      const [oldest] = this.#segments
      if (!oldest || oldest.lastPosition > checkpoint) return
      // Taken off first: a flush and a new segment may both come here at one time.
      this.#segments.shift()
      await removeSegment(this.#options.disk, this.#options.folder, oldest.name)
    }
  }

  async close(): Promise<void> {
    await this.#running
    this.#failure ??= new Error('the log is closed')
    await this.#writer?.close()
  }

  /** Opens the first segment of this process. A full disk keeps nobody from reading: the next record tries again. */
  async #begin(): Promise<void> {
    try {
      this.#writer = await this.#newWriter()
    } catch (error) {
      if (!isFull(error)) throw error
      this.#options.log.warn('no room for a new log segment')
      await this.#takeBack()
    }
  }

  #newWriter(): Promise<SegmentWriter> {
    const { disk, folder, keyring } = this.#options
    return SegmentWriter.create(disk, folder, keyring, this.#position + 1)
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && !this.#failure) {
        const group = this.#takeGroup()
        try {
          await this.#commit(group)
        } catch (error) {
          await this.#onCommitError(error, group)
        }
      }
    } finally {
      this.#running = null
    }
  }

  #takeGroup(): Waiting[] {
    let bytes = 0
    let count = 0
    while (count < this.#waiting.length && (count === 0 || bytes < groupBytes))
      bytes += this.#waiting[count++]!.payload.length
    const group = this.#waiting.splice(0, count)
    this.#waitingBytes -= bytes
    return group
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    this.#writer ??= await this.#newWriter()
    const { sizeBytes, firstPosition } = this.#writer
    const full = sizeBytes >= (this.#options.segmentBytes ?? defaultSegmentBytes)
    if ((full || this.#rollWanted) && firstPosition <= this.#position) await this.#openSegment(this.#writer)
    this.#rollWanted = false
    await this.#writer.append(
      this.#position + 1,
      group.map(({ payload }) => payload),
    )
    for (const { durable } of group) durable(++this.#position)
  }

  async #openSegment(old: SegmentWriter): Promise<void> {
    this.#writer = await this.#newWriter()
    const { name, firstPosition, sizeBytes } = old
    this.#segments.push({ name, firstPosition, lastPosition: this.#position, sizeBytes })
    await old.close()
    await this.removeThrough(this.#removable)
  }

  async #renewSegment(): Promise<void> {
    const old = this.#writer
    try {
      if (old && old.firstPosition <= this.#position) return await this.#openSegment(old)
      if (old) {
        // The next one begins at the same position and so has the same name.
        this.#writer = null
        await old.close()
        await removeSegment(this.#options.disk, this.#options.folder, old.name)
      }
      this.#writer = await this.#newWriter()
    } catch (error) {
      await this.#onCommitError(error, [])
      throw this.#failure ? failed(this.#failure) : diskFull(error)
    }
  }

  /** A full disk is taken back and told; after anything else nobody knows what is on disk. */
  async #onCommitError(error: unknown, group: readonly Waiting[]): Promise<void> {
    if (isFull(error)) {
      try {
        await this.#takeBack()
        if (await this.#options.makeRoom?.()) {
          this.#waitAgain(group)
          return
        }
        for (const { failed } of group) failed(diskFull(error))
        return
      } catch (second) {
        this.#options.log.error({ err: second }, 'log could not be cut back')
      }
    }
    const fatal = error instanceof Error ? error : new Error(messageOf(error))
    this.#failure = fatal
    const waiting = this.#waiting.splice(0)
    for (const each of [...group, ...waiting]) each.failed(failed(fatal))
    this.#options.onFatal(fatal)
  }

  /** Takes back what an append or a new segment that failed may have left. */
  async #takeBack(): Promise<void> {
    await this.#writer?.cut()
    await removeLeftOvers(this.#options.disk, this.#options.folder, this.#segments, this.#writer?.name)
  }

  #waitAgain(group: readonly Waiting[]): void {
    this.#waiting.unshift(...group)
    for (const { payload } of group) this.#waitingBytes += payload.length
  }
}

/** Removes segments that were begun and never used, and synced lengths whose segment is gone. */
async function removeLeftOvers(
  disk: Disk,
  folder: string,
  segments: readonly SealedSegment[],
  current?: string,
): Promise<void> {
  const names = [...segments.map(({ name }) => name), ...(current === undefined ? [] : [current])]
  const known = new Set(names.flatMap((name) => [name, name + syncedSuffix]))
  for (const name of await disk.list(folder)) if (!known.has(name)) await disk.remove(join(folder, name))
  await disk.syncFolder(folder)
}

function diskFull(cause: unknown): AppError {
  return new AppError('unavailable', 'ERR_DISK_FULL', 'the disk is full', { cause })
}

function failed(cause: Error): AppError {
  return new AppError('unavailable', 'ERR_LOG_FAILED', 'the log takes no more writes', { cause })
}
