import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { keyBytes, type Keyring } from '../crypto/keyring.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import { encodeHeader, encodeRecord, encodeSlot, slotBytes } from './segment.ts'

export const segmentSuffix = '.log'
export const syncedSuffix = '.synced'

export function segmentName(firstPosition: number): string {
  return firstPosition.toString(16).padStart(16, '0') + segmentSuffix
}

/** What seals a segment's key: the name binds it to its place in the log. */
export const segmentPurpose = (name: string): string => `log/${name}`

/** The segment that takes new records, under a key of its own. */
export class SegmentWriter {
  readonly firstPosition: number
  readonly name: string
  readonly #file: DiskFile
  readonly #syncedFile: DiskFile
  readonly #key: Uint8Array
  #sizeBytes: number
  #counter = 0
  #slot = 0
  #noting: Promise<void> = Promise.resolve()

  private constructor(
    firstPosition: number,
    name: string,
    file: DiskFile,
    syncedFile: DiskFile,
    key: Uint8Array,
    sizeBytes: number,
  ) {
    this.firstPosition = firstPosition
    this.name = name
    this.#file = file
    this.#syncedFile = syncedFile
    this.#key = key
    this.#sizeBytes = sizeBytes
  }

  static async create(
    disk: Disk,
    folder: string,
    keyring: Keyring,
    firstPosition: number,
  ): Promise<SegmentWriter> {
    const name = segmentName(firstPosition)
    const key = randomBytes(keyBytes)
    const header = encodeHeader(firstPosition, keyring.seal(segmentPurpose(name), key))
    const opened: DiskFile[] = []
    try {
      const file = await disk.create(join(folder, name), 'durable')
      opened.push(file)
      const syncedFile = await disk.create(join(folder, name + syncedSuffix))
      opened.push(syncedFile)
      await file.write(header, 0)
      await disk.syncFolder(folder)
      const writer = new SegmentWriter(firstPosition, name, file, syncedFile, key, header.length)
      writer.#noting = writer.#note()
      return writer
    } catch (error) {
      for (const file of opened) await file.close().catch(() => undefined)
      throw error
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Encrypts the payloads as the records that begin at `position`; resolves when they are durable. */
  async append(position: number, payloads: readonly Uint8Array[]): Promise<void> {
    const records = payloads.map((payload, index) =>
      encodeRecord(this.#key, ++this.#counter, position + index, payload),
    )
    // A large record comes alone, and is not copied once more.
    const bytes = records.length === 1 ? records[0]! : Buffer.concat(records)
    await this.#file.write(bytes, this.#sizeBytes)
    this.#sizeBytes += bytes.length
    // Nobody waits for the note, only the next one does: each has the other slot.
    await this.#noting
    this.#noting = this.#note()
  }

  /** Takes back what an append that failed may have left. */
  async cut(): Promise<void> {
    await this.#file.truncate(this.#sizeBytes)
    await this.#file.sync()
  }

  async close(): Promise<void> {
    await this.#noting
    await this.#file.close()
    await this.#syncedFile.close()
  }

  /** The records are durable whether this succeeds or not: a note that is behind guards less, it is never wrong. */
  async #note(): Promise<void> {
    try {
      await this.#syncedFile.write(encodeSlot(this.#sizeBytes), this.#slot * slotBytes)
      this.#slot = 1 - this.#slot
    } catch {
      // The slot may be torn, so the next note goes into the same one; the other stays whole.
    }
  }
}
