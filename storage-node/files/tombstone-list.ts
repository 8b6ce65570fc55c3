import { contains } from '../engine/deleted-areas.ts'
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

  /**
   * One that a later one contains is left out: whatever file has not seen it has not seen the later one either. A start
   * replays deletes that the manifest knows, or has left out: those change nothing.
   */
  add(tombstone: Tombstone): void {
    if (this.#all.some((each) => each.position >= tombstone.position && containsAll(each, tombstone))) return
    this.#all = [...this.#all.filter((each) => !containsAll(tombstone, each)), tombstone]
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

/** Does a delete delete all that the other one does, if both come after it was written? */
function containsAll(tombstone: Tombstone, other: Tombstone): boolean {
  return (
    tombstone.databaseId === other.databaseId &&
    (tombstone.retentionPolicy === null || tombstone.retentionPolicy === other.retentionPolicy) &&
    (tombstone.measurement === null || tombstone.measurement === other.measurement) &&
    contains(tombstone, other)
  )
}
