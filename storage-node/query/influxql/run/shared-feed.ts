interface Item {
  readonly seriesId: number
}

/** Takes its share of a feed, which has one item a series at most, in the order of the read. */
export interface Consumer<T extends Item> {
  /** What belongs to a series, or null. Series asked for later must stand later in the read. */
  take(seriesId: number): Promise<T | null>
  close(): Promise<void>
}

/**
 * One read for several functions of a SELECT, which go over it side by side: what one has taken is held until the
 * others have, too. It opens on the first demand and closes with the last of those that have begun.
 */
export class SharedFeed<T extends Item> {
  readonly #open: () => AsyncIterable<T>
  readonly #positions: ReadonlyMap<number, number>
  readonly #consumers = new Set<{ next: number; begun: boolean }>()
  #items: AsyncIterator<T> | null = null
  #held: T[] = []
  /** How many items stood before those that are held. */
  #passed = 0
  #ended = false

  /** @param seriesIds in the order in which the read gives them */
  constructor(seriesIds: readonly number[], open: () => AsyncIterable<T>) {
    this.#open = open
    this.#positions = new Map(seriesIds.map((id, position) => [id, position]))
  }

  get isOpen(): boolean {
    return this.#items !== null
  }

  /** Before the read opens: all consumers start at its beginning. */
  consumer(): Consumer<T> {
    const state = { next: 0, begun: false }
    this.#consumers.add(state)
    return {
      take: async (seriesId) => {
        state.begun = true
        const wanted = this.#positions.get(seriesId)!
        for (;;) {
          const item = await this.#itemAt(state.next)
          if (item === null) return null
          const position = this.#positions.get(item.seriesId)!
          if (position > wanted) return null
          state.next++
          this.#forget()
          if (position === wanted) return item
        }
      },
      close: async () => {
        this.#consumers.delete(state)
        this.#forget()
        if (![...this.#consumers].some(({ begun }) => begun)) await this.#close()
      },
    }
  }

  async #itemAt(index: number): Promise<T | null> {
    while (index >= this.#passed + this.#held.length) {
      if (this.#ended) return null
      this.#items ??= this.#open()[Symbol.asyncIterator]()
      const result = await this.#items.next()
      if (result.done === true) {
        this.#ended = true
        return null
      }
      this.#held.push(result.value)
      // The read is over with its last series: nothing stays open for those that have not begun yet.
      if (this.#positions.get(result.value.seriesId) === this.#positions.size - 1) {
        this.#ended = true
        await this.#items.return?.()
      }
    }
    return this.#held[index - this.#passed]!
  }

  /** Drops what all consumers are past. */
  #forget(): void {
    let least = Infinity
    for (const { next } of this.#consumers) least = Math.min(least, next)
    const count = Math.min(least - this.#passed, this.#held.length)
    if (count <= 0) return
    this.#held.splice(0, count)
    this.#passed += count
  }

  /** One that has not begun yet finds all there, or reads from the beginning again. */
  async #close(): Promise<void> {
    if (this.#ended && this.#consumers.size > 0) return
    const items = this.#items
    this.#items = null
    this.#held = []
    this.#passed = 0
    this.#ended = false
    await items?.return?.()
  }
}
