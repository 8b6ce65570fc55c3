import { coversWhole, touches, type FileBounds, type Tombstone } from '../engine/tombstones.ts'
import type { TombstoneEntry } from './manifest.ts'

/** The deletes that files may not have seen yet, in order. */
export class TombstoneList {
  #all: readonly Tombstone[]
  readonly #awaited = new Set<{ readonly position: number }>()

  constructor(entries: readonly TombstoneEntry[]) {
    this.#all = entries.map((entry) => ({
      ...entry,
      minTimeNs: BigInt(entry.minTimeNs),
      maxTimeNs: BigInt(entry.maxTimeNs),
    }))
  }

  get all(): readonly Tombstone[] {
    return this.#all
  }

  /** A start replays deletes that the manifest knows: those change nothing. */
  add(tombstone: Tombstone): void {
    if (this.#all.some(({ position }) => position === tombstone.position)) return
    this.#all = [...this.#all, tombstone]
  }

  /**
   * Files are being made that have seen the deletes up to a position: those after it are kept for them, whatever becomes
   * of the files that there are now.
   * @returns what is called when the files are there, or never will be
   */
  await(position: number): () => void {
    const awaited = { position }
    this.#awaited.add(awaited)
    return () => void this.#awaited.delete(awaited)
  }

  /** Forgets those that none of the files has to know, nor one that is awaited. */
  prune(files: readonly FileBounds[]): void {
    this.#all = this.#needed(files)
  }

  /** What a manifest has to hold that names these files. */
  entriesFor(files: readonly FileBounds[]): TombstoneEntry[] {
    return this.#needed(files).map((tombstone) => ({
      ...tombstone,
      minTimeNs: String(tombstone.minTimeNs),
      maxTimeNs: String(tombstone.maxTimeNs),
    }))
  }

  /** Is every row of the file deleted? */
  covers(file: FileBounds): boolean {
    return this.#all.some((each) => coversWhole(each, file))
  }

  #needed(files: readonly FileBounds[]): readonly Tombstone[] {
    const awaited = Math.min(...[...this.#awaited].map(({ position }) => position))
    return this.#all.filter(
      (tombstone) => tombstone.position > awaited || files.some((file) => touches(tombstone, file)),
    )
  }
}
