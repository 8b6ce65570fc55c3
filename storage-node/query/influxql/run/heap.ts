/**
 * A binary heap whose order among equals is that of Go's container/heap, so that ties come out as they do from
 * InfluxDB 1.x.
 */
export class Heap<T> {
  readonly #items: T[]
  readonly #less: (a: T, b: T) => boolean

  constructor(items: readonly T[], less: (a: T, b: T) => boolean) {
    this.#items = [...items]
    this.#less = less
    for (let i = Math.floor(items.length / 2) - 1; i >= 0; i--) this.#down(i, items.length)
  }

  get size(): number {
    return this.#items.length
  }

  /** In no order but that the first is the least. */
  get items(): readonly T[] {
    return this.#items
  }

  push(item: T): void {
    this.#items.push(item)
    this.#up(this.#items.length - 1)
  }

  pop(): T | undefined {
    const last = this.#items.length - 1
    if (last < 0) return undefined
    this.#swap(0, last)
    this.#down(0, last)
    return this.#items.pop()
  }

  /** Puts another item in the place of the first. */
  replaceFirst(item: T): void {
    this.#items[0] = item
    this.#down(0, this.#items.length)
  }

  #up(from: number): void {
    let j = from
    for (;;) {
      const parent = Math.trunc((j - 1) / 2)
      if (parent === j || !this.#less(this.#items[j]!, this.#items[parent]!)) return
      this.#swap(parent, j)
      j = parent
    }
  }

  #down(from: number, length: number): void {
    let i = from
    for (;;) {
      let j = 2 * i + 1
      if (j >= length) return
      if (j + 1 < length && this.#less(this.#items[j + 1]!, this.#items[j]!)) j++
      if (!this.#less(this.#items[j]!, this.#items[i]!)) return
      this.#swap(i, j)
      i = j
    }
  }

  #swap(i: number, j: number): void {
    const item = this.#items[i]!
    this.#items[i] = this.#items[j]!
    this.#items[j] = item
  }
}
