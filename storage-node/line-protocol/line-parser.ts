import type { ParsedBatch } from './batch.ts'
import { paddingBytes, parseSection, type BodyOptions } from './parse.ts'
import { SeriesCache } from './series-cache.ts'
import { textOf, type Text } from './text.ts'

/** What is parsed in one go: some milliseconds, after which others have their turn, and one record of the log. */
const defaultSectionBytes = 1_048_576

/** Where the lines of a body come from. */
export interface LineSource {
  /** Whether nothing more will come. */
  readonly isWhole: boolean
  /** What has come since the last time; it becomes the caller's. */
  take(): Buffer[]
}

/** One parser serves all bodies, since they mostly name the same series. */
export class LineParser {
  readonly #cache: SeriesCache
  readonly #section: Text
  #batches = 0

  /** A batch is parsed of so much of a body, where there is so much of it. */
  readonly sectionBytes: number

  /** @param maxSeries how many series keys are remembered; each takes about half a kilobyte, and as much again where it has a field of its own */
  constructor(maxSeries: number, sectionBytes: number = defaultSectionBytes) {
    this.#cache = new SeriesCache(maxSeries)
    this.sectionBytes = sectionBytes
    this.#section = textOf(Buffer.alloc(sectionBytes + paddingBytes))
  }

  /**
   * A body in batches of about a megabyte of lines. Others may parse between one batch and the next, and more of the
   * body may come: with less of it, a batch is smaller.
   * @param source decompressed; its size is the caller's to limit. Its pieces are let go as they are taken.
   */
  *parse(source: LineSource, options: BodyOptions): Generator<ParsedBatch> {
    const rest = new Rest(source)
    let carried: Buffer = Buffer.alloc(0)
    let firstLine = 1
    do {
      const text = this.#placeFor(carried.length)
      text.bytes.set(carried)
      const end = rest.take(text.bytes, carried.length, text.bytes.length - paddingBytes)
      text.bytes.fill(0, end, end + paddingBytes)
      const section = { text, end, isLast: rest.isEmpty, firstLine }
      const { batch, consumedBytes, lines } = parseSection(this.#cache, ++this.#batches, section, options)
      firstLine += lines
      // A copy: the next batch of another body takes the place.
      carried = Buffer.from(text.bytes.subarray(consumedBytes, end))
      // Also where it is empty, of a line that is not complete: the next look at it is longer.
      yield batch
    } while (!rest.isEmpty || carried.length > 0)
  }

  /** A line that fills the section has a place of its own, twice as large each time: its bytes are looked at few times. */
  #placeFor(carriedBytes: number): Text {
    if (carriedBytes + paddingBytes < this.#section.bytes.length) return this.#section
    return textOf(Buffer.alloc(2 * carriedBytes + paddingBytes))
  }
}

/** What of a body is not parsed yet. */
class Rest {
  readonly #source: LineSource
  #pieces: (Buffer | null)[] = []
  #next = 0
  #from = 0

  constructor(source: LineSource) {
    this.#source = source
  }

  /** Whether there is nothing left, and nothing will come. */
  get isEmpty(): boolean {
    return !this.#hasMore() && this.#source.isWhole
  }

  /** Copies what there is room for from `at` to `end`. @returns where it ends */
  take(target: Buffer, at: number, end: number): number {
    while (at < end && this.#hasMore()) {
      const piece = this.#pieces[this.#next]!
      const copied = piece.copy(target, at, this.#from, Math.min(piece.length, this.#from + end - at))
      at += copied
      this.#from += copied
      if (this.#from < piece.length) break
      this.#pieces[this.#next++] = null
      this.#from = 0
    }
    return at
  }

  #hasMore(): boolean {
    if (this.#next >= this.#pieces.length) {
      this.#pieces = this.#source.take()
      this.#next = 0
    }
    return this.#next < this.#pieces.length
  }
}
