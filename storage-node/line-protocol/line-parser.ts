import type { ParsedBatch } from './batch.ts'
import { paddingBytes, parseSection, type BodyOptions } from './parse.ts'
import { SeriesCache } from './series-cache.ts'
import { textOf, type Text } from './text.ts'

/** What is parsed in one go: some milliseconds, after which others have their turn, and one record of the log. */
const defaultSectionBytes = 1_048_576

/** One parser serves all bodies, since they mostly name the same series. */
export class LineParser {
  readonly #cache: SeriesCache
  readonly #section: Text
  #batches = 0

  /** @param maxSeries how many series keys are remembered; each takes about half a kilobyte */
  constructor(maxSeries: number, sectionBytes: number = defaultSectionBytes) {
    this.#cache = new SeriesCache(maxSeries)
    this.#section = textOf(Buffer.alloc(sectionBytes + paddingBytes))
  }

  /**
   * A body in batches of about a megabyte of lines. Others may parse between one batch and the next.
   * @param pieces decompressed; their size is the caller's to limit. They are let go as they are taken.
   */
  *parse(pieces: Buffer[], options: BodyOptions): Generator<ParsedBatch> {
    let carried: Buffer = Buffer.alloc(0)
    let firstLine = 1
    do {
      const filled = this.#fill(carried, pieces)
      const isLast = pieces.length === 0
      const section = { ...filled, isLast, firstLine }
      const { batch, consumedBytes, lines } = parseSection(this.#cache, ++this.#batches, section, options)
      firstLine += lines
      const { text, end } = filled
      // A copy: the next batch of another body takes the place.
      carried = Buffer.from(text.bytes.subarray(consumedBytes, end))
      if (consumedBytes === 0 && !isLast) carried = Buffer.concat([carried, ...pieces.splice(0)])
      else yield batch
    } while (pieces.length > 0 || carried.length > 0)
  }

  /** As many pieces as there is room for, after what is carried over; what alone is larger has a place of its own. */
  #fill(carried: Buffer, pieces: Buffer[]): { readonly text: Text; readonly end: number } {
    const isLarge = carried.length + paddingBytes >= this.#section.bytes.length
    const text = isLarge ? textOf(Buffer.alloc(carried.length + paddingBytes)) : this.#section
    text.bytes.set(carried)
    let end = carried.length
    const room = text.bytes.length - paddingBytes
    while (pieces.length > 0 && end < room) {
      const piece = pieces[0]!
      const taken = Math.min(piece.length, room - end)
      text.bytes.set(taken === piece.length ? piece : piece.subarray(0, taken), end)
      end += taken
      if (taken === piece.length) pieces.shift()
      else pieces[0] = piece.subarray(taken)
    }
    text.bytes.fill(0, end, end + paddingBytes)
    return { text, end }
  }
}
