import { dirname } from 'node:path'
import { Inode } from './inode.ts'
import type { Random } from './random.ts'

/** Something done to names that no sync of a folder has covered, whole or not at all; null: the name is gone. */
type Change = ReadonlyMap<string, Inode | null>

/**
 * What outlives processes: names and contents as programs see them, and what of them is on stable storage. Names and
 * contents are apart: a synced content without a synced name is lost, a synced name without a synced content is an empty
 * file.
 */
export class Storage {
  readonly folders = new Set<string>()
  #names = new Map<string, Inode>()
  readonly #durable = new Map<string, Inode>()
  #changes: Change[] = []

  inode(path: string): Inode | undefined {
    return this.#names.get(path)
  }

  get paths(): Iterable<string> {
    return this.#names.keys()
  }

  get usedBytes(): number {
    let bytes = 0
    for (const { content } of this.#names.values()) bytes += content.length
    return bytes
  }

  create(path: string): Inode {
    const inode = new Inode()
    this.#change([[path, inode]])
    return inode
  }

  remove(path: string): void {
    if (this.#names.has(path)) this.#change([[path, null]])
  }

  rename(from: string, to: string): void {
    const inode = this.#names.get(from)!
    this.#change([
      [to, inode],
      [from, null],
    ])
  }

  syncFolder(folder: string): void {
    this.#changes = this.#changes.flatMap((change) =>
      [...change.keys()].some((path) => dirname(path) === folder)
        ? this.#makeDurable(change, folder)
        : [change],
    )
  }

  /**
   * What no sync has covered may be there or not. A journal keeps the order of names, so that a beginning of what was done
   * survives; nothing promises one, so that any part of it may.
   */
  losePower(random: Random): void {
    const kind = random.pick(['nothing', 'all', 'beginning', 'any'] as const)
    const end = random.below(this.#changes.length + 1)
    for (const [index, change] of this.#changes.entries()) {
      const survives =
        kind === 'all' || (kind === 'beginning' && index < end) || (kind === 'any' && random.chance(0.5))
      if (survives) for (const [path, inode] of change) this.#set(this.#durable, path, inode)
    }
    this.#changes = []
    this.#names = new Map(this.#durable)
    for (const inode of new Set(this.#names.values())) inode.losePower(random)
  }

  #change(names: readonly (readonly [string, Inode | null])[]): void {
    this.#changes.push(new Map(names))
    for (const [path, inode] of names) this.#set(this.#names, path, inode)
  }

  /** @returns what remains open of it: a name in another folder that is gone there may come back */
  #makeDurable(change: Change, folder: string): Change[] {
    const rest = new Map<string, Inode | null>()
    for (const [path, inode] of change) {
      if (inode === null && dirname(path) !== folder) rest.set(path, null)
      else this.#set(this.#durable, path, inode)
    }
    return rest.size > 0 ? [rest] : []
  }

  #set(names: Map<string, Inode>, path: string, inode: Inode | null): void {
    if (inode) names.set(path, inode)
    else names.delete(path)
  }
}
