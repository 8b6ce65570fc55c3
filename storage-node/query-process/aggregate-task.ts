import { Aggregator, textLength, type SeriesWindows } from '../aggregation/series-windows.ts'
import type { BlockStore } from './block-store.ts'
import { JobRows } from './job-rows.ts'
import type { AggregateJob, Response } from './messages.ts'

/** Windows with more values are sent in several messages. */
const maxValuesPerMessage = 65_536
/** And those with more characters. */
const maxTextLength = 1_048_576

/** One aggregation: rows become windows here, and only these go out. */
export class AggregateTask {
  readonly #store: BlockStore
  readonly #job: number
  readonly #reply: (response: Response) => Promise<void>
  #batch: SeriesWindows[] = []
  #values = 0
  #textLength = 0
  #rowCount = 0
  #cancelled = false

  constructor(store: BlockStore, job: number, reply: (response: Response) => Promise<void>) {
    this.#store = store
    this.#job = job
    this.#reply = reply
  }

  async run({ read, aggregation }: AggregateJob): Promise<void> {
    // As they stand in files.
    const seriesIds = read.seriesIds.toSorted((a, b) => a - b)
    const all = { comparisons: [], beforeNs: read.minTimeNs }
    const rows = new JobRows({ ...read, seriesIds, matching: all }, () => this.#cancelled)
    const aggregator = new Aggregator(aggregation)
    let windows: SeriesWindows | null = null
    await rows.each(this.#store, ({ seriesId, run }) => {
      const before = windows
      if (windows?.seriesId !== seriesId) windows = aggregator.empty(seriesId)
      aggregator.add(windows, run)
      this.#rowCount += run.times.length
      return before && before !== windows ? this.#done(before) : undefined
    })
    if (windows) await this.#done(windows)
    await this.#send()
  }

  cancel(): void {
    this.#cancelled = true
  }

  /** @returns what has to be waited for */
  #done(windows: SeriesWindows): Promise<void> | undefined {
    this.#batch.push(windows)
    this.#values += windows.startsNs.length * windows.fields.length
    this.#textLength += textLength(windows)
    const isFull = this.#values >= maxValuesPerMessage || this.#textLength >= maxTextLength
    return isFull ? this.#send() : undefined
  }

  async #send(): Promise<void> {
    if (this.#cancelled || this.#batch.length === 0) return
    const [windows, rowCount] = [this.#batch, this.#rowCount]
    this.#batch = []
    this.#values = 0
    this.#textLength = 0
    this.#rowCount = 0
    await this.#reply({ kind: 'windows', job: this.#job, windows, rowCount })
  }
}
