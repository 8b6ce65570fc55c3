/**
 * Values kept while they fit: those that were used longest ago go first. Nothing in it is ever out of date, for files are
 * never written again under their names; what is kept of a file that is gone just is not asked for any more.
 */
export class SizedCache<V extends { readonly sizeBytes: number }> {
  readonly #maxBytes: number
  readonly #values = new Map<string, V>()
  #sizeBytes = 0

  /** @param maxBytes of all values together */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get(key: string): V | undefined {
    const value = this.#values.get(key)
    if (value) {
      this.#values.delete(key)
      this.#values.set(key, value)
    }
    return value
  }

  /** A value that alone is more than half of what may be kept is not kept. */
  set(key: string, value: V): void {
    this.#delete(key)
    if (value.sizeBytes > this.#maxBytes / 2) return
    this.#values.set(key, value)
    this.#sizeBytes += value.sizeBytes
    for (const oldest of this.#values.keys()) {
      if (this.#sizeBytes <= this.#maxBytes) return
      this.#delete(oldest)
    }
  }

  #delete(key: string): void {
    const value = this.#values.get(key)
    if (!value) return
    this.#values.delete(key)
    this.#sizeBytes -= value.sizeBytes
  }
}
