import type { Random } from './random.ts'

export const pageBytes = 4096
/** Of a page that is written again and again without a sync, so many states are kept. */
const maxStates = 4

/**
 * The content of a file: as programs see it, and as it is on stable storage. What lies between is pages: the system may
 * write any of them at any moment, in any order, in any of the states that they had since the last sync.
 */
export class Inode {
  #content: Buffer = Buffer.alloc(0)
  #durable: Buffer = Buffer.alloc(0)
  /** States of pages that no sync has covered, older first. */
  readonly #dirty = new Map<number, Buffer[]>()

  get content(): Buffer {
    return this.#content
  }

  write(bytes: Uint8Array, offset: number): void {
    const content = Buffer.alloc(Math.max(this.#content.length, offset + bytes.length))
    this.#content.copy(content)
    content.set(bytes, offset)
    // What lies between the old end and the offset are zeros, and new.
    const from = Math.min(offset, this.#content.length)
    this.#content = content
    this.#soil(from, offset + bytes.length)
  }

  truncate(sizeBytes: number): void {
    const content = Buffer.alloc(sizeBytes)
    this.#content.copy(content)
    const from = Math.min(sizeBytes, this.#content.length)
    this.#content = content
    for (const page of this.#dirty.keys()) if (page * pageBytes >= sizeBytes) this.#dirty.delete(page)
    this.#soil(from, sizeBytes)
  }

  sync(): void {
    // A page whose sync failed once is clean for the system: only what was written since goes out.
    this.#durable = this.#withPages((_, states) => states.at(-1)!, this.#content.length)
    this.#dirty.clear()
  }

  /**
   * A sync that fails, as Linux does it: some pages went out, and all of them count as clean from then on. Programs still
   * see what they wrote; no later sync will bring it to stable storage.
   */
  failSync(random: Random): void {
    this.#durable = this.#anyPages(random)
    this.#dirty.clear()
  }

  /** What is left is on stable storage. */
  losePower(random: Random): void {
    const kinds = ['nothing', 'all', 'beginning', 'pages'] as const
    const kind = random.pick(kinds)
    if (kind === 'all') this.sync()
    if (kind === 'beginning') this.#durable = this.#beginning(random)
    if (kind === 'pages') this.#durable = this.#anyPages(random)
    this.#dirty.clear()
    this.#content = this.#durable
  }

  /** The file grew, not as far as it was to. */
  #beginning(random: Random): Buffer {
    const sizes = [this.#durable.length, this.#content.length]
    const size = random.between(Math.min(...sizes), Math.max(...sizes))
    return this.#withPages((_, states) => states.at(-1)!, size)
  }

  #anyPages(random: Random): Buffer {
    let end = 0
    const chosen = new Map<number, Buffer | null>()
    for (const [page, states] of this.#dirty) {
      const state = random.below(states.length + 1)
      chosen.set(page, states[state - 1] ?? null)
      if (state > 0) end = Math.max(end, Math.min((page + 1) * pageBytes, this.#content.length))
    }
    const sizes = [this.#content.length, this.#durable.length, Math.max(end, this.#durable.length)]
    return this.#withPages((page) => chosen.get(page) ?? null, random.pick(sizes))
  }

  /** Stable storage with some dirty pages put over it, cut or filled up with zeros to a size. */
  #withPages(pick: (page: number, states: readonly Buffer[]) => Buffer | null, sizeBytes: number): Buffer {
    const durable = Buffer.alloc(sizeBytes)
    this.#durable.copy(durable)
    for (const [page, states] of this.#dirty) {
      const start = page * pageBytes
      const state = pick(page, states)
      if (state === null || start >= sizeBytes) continue
      durable.fill(0, start, Math.min(start + pageBytes, sizeBytes))
      state.copy(durable, start)
    }
    return durable
  }

  #soil(from: number, end: number): void {
    for (let page = Math.floor(from / pageBytes); page * pageBytes < end; page++) {
      const states = this.#dirty.get(page) ?? []
      states.push(Buffer.from(this.#content.subarray(page * pageBytes, (page + 1) * pageBytes)))
      if (states.length > maxStates) states.shift()
      this.#dirty.set(page, states)
    }
  }
}
