/**
 * Gives pieces of work of some milliseconds a round of the event loop each, in the order in which they come: bodies that
 * arrive together would otherwise all be parsed in one round, and whatever else came in would wait for all of them.
 */
export class Rounds {
  /** As many as there are bodies at most. */
  readonly #waiting: (() => void)[] = []

  /** Resolves in a round of its own. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length === 1) setImmediate(() => this.#begin())
    })
  }

  #begin(): void {
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) setImmediate(() => this.#begin())
  }
}
