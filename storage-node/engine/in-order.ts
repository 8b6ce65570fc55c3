/** Does one piece of work after the other, in the order in which they were asked for. */
export class InOrder {
  #last: Promise<unknown> = Promise.resolve()

  /** @throws what the work throws, which is no matter of what comes after it */
  readonly run = <T>(work: () => Promise<T>): Promise<T> => {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }
}
