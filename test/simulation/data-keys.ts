const keyBytes = 32

/** The data keys of a folder, as whoever starts its processes knows them. */
export class DataKeys {
  #current = keyOf(1)
  #older: Uint8Array[] = []
  #isChanging = false

  /** What the next process is given. */
  get given(): { readonly dataKey: Uint8Array; readonly olderDataKeys: readonly Uint8Array[] } {
    return { dataKey: this.#current, olderDataKeys: this.#older }
  }

  /** A change that was under way has ended with its process. */
  begin(): void {
    this.#isChanging = false
  }

  /**
   * Puts another key in force, or once more the one of a change that did not come to its end. What came before it is no
   * longer known when `use` resolves. One change at a time, as whoever asks for them does it.
   * @returns whether a key has been changed
   */
  async change(
    number: number,
    again: boolean,
    use: (dataKey: Uint8Array) => Promise<void>,
  ): Promise<boolean> {
    if (this.#isChanging) return false
    this.#isChanging = true
    if (this.#older.length === 0 || !again) {
      this.#older.push(this.#current)
      this.#current = keyOf(number)
    }
    try {
      await use(this.#current)
      this.#older = []
      return true
    } finally {
      this.#isChanging = false
    }
  }
}

function keyOf(number: number): Uint8Array {
  const key = new Uint8Array(keyBytes).fill(1)
  new DataView(key.buffer).setUint32(0, number)
  return key
}
