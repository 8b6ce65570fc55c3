import type { Block, ReadRequest } from '../../../engine/reader.ts'
import type { Environment } from './environment.ts'

export type FeedRequest = Omit<ReadRequest, 'signal'>

/** One read of many series, handed out series by series in the order of the request. Opens on the first demand. */
export class BlockFeed {
  readonly #environment: Environment
  readonly #request: FeedRequest
  readonly #positions: ReadonlyMap<number, number>
  #blocks: AsyncIterator<Block> | null = null
  #next: Block | null = null

  constructor(environment: Environment, request: FeedRequest) {
    this.#environment = environment
    this.#request = request
    this.#positions = new Map(request.seriesIds.map((id, position) => [id, position]))
  }

  /** The blocks of one series, by time. Series asked for later must stand later in the request. */
  async *blocksOf(seriesId: number): AsyncGenerator<Block, void, undefined> {
    const wanted = this.#positions.get(seriesId)!
    for (;;) {
      const block = this.#next ?? (await this.#load())
      if (block === null) return
      const position = this.#positions.get(block.seriesId)!
      if (position > wanted) return
      this.#next = null
      if (position === wanted) yield block
    }
  }

  async close(): Promise<void> {
    await this.#blocks?.return?.()
  }

  async #load(): Promise<Block | null> {
    const { signal, reader } = this.#environment
    if (this.#request.seriesIds.length === 0 || this.#request.fields.length === 0) return null
    this.#blocks ??= reader.read({ ...this.#request, signal })[Symbol.asyncIterator]()
    const result = await this.#blocks.next()
    if (result.done === true) return null
    this.#environment.countPoints(result.value.times.length)
    await this.#environment.giveTurn()
    this.#next = result.value
    return result.value
  }
}
