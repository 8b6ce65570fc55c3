import { AppError } from '../../common/errors.ts'

const ofSelect =
  'the query merges more points than there is memory for: choose a shorter range, fewer series or GROUP BY tags'
const ofShow =
  'SHOW keeps more series or tag values than there is memory for: narrow it by FROM or WHERE, or show fewer with LIMIT'

/**
 * Memory that queries hold while the series that they merge come one after another, shared by all that run: one that
 * asks for more ends, and not the process.
 */
export class HeldBytes {
  readonly #limitBytes: number
  readonly #shared: HeldBytes | null
  #usedBytes = 0

  /** @param shared what these bytes are a part of */
  constructor(limitBytes: number, shared: HeldBytes | null = null) {
    this.#limitBytes = limitBytes
    this.#shared = shared
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /**
   * @param excess what to say where there is no such room
   * @throws AppError too-large
   */
  take(bytes: number, excess: string = ofSelect): void {
    if (this.#usedBytes + bytes > this.#limitBytes) {
      throw new AppError('too-large', 'ERR_QUERY_MEMORY', excess)
    }
    this.#shared?.take(bytes, excess)
    this.#usedBytes += bytes
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes
    this.#shared?.give(bytes)
  }
}

/** What a SHOW statement, or a part of it, holds of it, all of which is given back at its end. */
export class Holding {
  readonly #held: HeldBytes
  #bytes = 0

  constructor(held: HeldBytes) {
    this.#held = held
  }

  /** @param bytes negative where they are given back. @throws AppError too-large */
  readonly hold = (bytes: number): void => {
    this.#held.take(bytes, ofShow)
    this.#bytes += bytes
  }

  close(): void {
    this.#held.give(this.#bytes)
    this.#bytes = 0
  }
}
