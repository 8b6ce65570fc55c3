/** Points of one writer, told from all others by what they carry. */
export interface Origin {
  readonly measurement: string
  /** A word of one tenant alone: a tag and a field of each of its points. */
  readonly owner: string
  readonly writer: string
}

/** A point as it is read back. */
export interface StoredPoint {
  readonly timeMs: number
  readonly sequence: unknown
  readonly said: unknown
}

/** What is wrong with what is stored; empty lists where nothing is. */
export interface Findings {
  /** Acknowledged, and not there. */
  readonly lost: readonly number[]
  /** There more than once. */
  readonly doubled: readonly number[]
  /** Of somebody else, never sent, or at another time than it was sent for. */
  readonly strange: readonly StoredPoint[]
}

const firstPointMs = 1_700_000_000_000

/** What one writer has sent, point by point, numbered from 0 and a millisecond apart, and what was acknowledged of it. */
export class Ledger {
  readonly origin: Origin
  #sent = 0
  readonly #acknowledged = new Set<number>()

  constructor(origin: Origin) {
    this.origin = origin
  }

  get sent(): number {
    return this.#sent
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  /** The next points, as line protocol; from now on they may be stored. */
  take(count: number): readonly string[] {
    const { measurement, owner, writer } = this.origin
    const first = this.#sent
    this.#sent += count
    return Array.from({ length: count }, (_, index) => {
      const sequence = first + index
      const timeNs = BigInt(timeMsOf(sequence)) * 1_000_000n
      return `${measurement},owner=${owner},writer=${writer} sequence=${sequence}i,said="${owner}" ${timeNs}`
    })
  }

  acknowledge(sequences: readonly number[]): void {
    for (const sequence of sequences) {
      if (sequence >= this.#sent) throw new Error(`point ${sequence} was acknowledged and never sent`)
      this.#acknowledged.add(sequence)
    }
  }

  /** @param stored every point of this writer's series */
  check(stored: readonly StoredPoint[]): Findings {
    const found = new Set<number>()
    const doubled = new Set<number>()
    const strange: StoredPoint[] = []
    for (const point of stored) {
      const { sequence } = point
      if (typeof sequence !== 'number' || !this.#isOurs(sequence, point)) strange.push(point)
      else if (found.has(sequence)) doubled.add(sequence)
      else found.add(sequence)
    }
    const lost = [...this.#acknowledged].filter((sequence) => !found.has(sequence))
    return { lost, doubled: [...doubled], strange }
  }

  #isOurs(sequence: number, { timeMs, said }: StoredPoint): boolean {
    const wasSent = Number.isInteger(sequence) && sequence >= 0 && sequence < this.#sent
    return wasSent && said === this.origin.owner && timeMs === timeMsOf(sequence)
  }
}

/** When a point is said to have happened, milliseconds since the epoch. */
export const timeMsOf = (sequence: number): number => firstPointMs + sequence
