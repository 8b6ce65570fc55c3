import { addPoints, emptyWindows, type SeriesWindows } from '../aggregation/series-windows.ts'
import { compareTimes, timeWords } from '../buffer/time-order.ts'
import type { Run } from '../buffer/merge.ts'
import type { Block } from '../engine/reader.ts'
import { SeriesMerger } from '../engine/series-merger.ts'
import { runsOfRows } from '../engine/series-runs.ts'
import type { Database } from './database.ts'
import type { AggregateJob, AggregateStep, Response } from './messages.ts'
import { RowStream } from './row-stream.ts'
import { selectRows, selectRowsAsTheyStand } from './sql.ts'

/** Windows with more values are sent in several messages. */
const maxValuesPerMessage = 65_536

/** One aggregation: rows become windows here, and only these go out. */
export class AggregateTask {
  readonly #stream: RowStream
  readonly #job: number
  readonly #reply: (response: Response) => Promise<void>
  readonly #windows = new Map<number, SeriesWindows>()
  readonly #lastNs = new Map<number, bigint>()
  #rowCount = 0

  constructor(database: Database, job: number, reply: (response: Response) => Promise<void>) {
    this.#stream = new RowStream(database)
    this.#job = job
    this.#reply = reply
  }

  async run(job: AggregateJob): Promise<void> {
    for (const step of job.steps) {
      if (this.#stream.isCancelled) return
      if (step.merged) await this.#addMerged(step, job)
      else await this.#addAsTheyStand(step, job)
    }
    await this.#send()
  }

  cancel(): void {
    this.#stream.cancel()
  }

  async #addAsTheyStand(step: AggregateStep, job: AggregateJob): Promise<void> {
    const wanted = new Set(step.seriesIds)
    for await (const rows of this.#stream.rows(step, selectRowsAsTheyStand)) {
      for (const { seriesId, run } of runsOfRows(rows))
        if (wanted.has(seriesId)) this.#add(seriesId, run, job)
    }
  }

  async #addMerged(step: AggregateStep, job: AggregateJob): Promise<void> {
    const { types } = job.aggregation
    const nothing: Run = { times: new BigInt64Array(0), columns: types.map(() => null) }
    let seriesId = -1
    let merger = new SeriesMerger(seriesId, types, nothing)
    for await (const rows of this.#stream.rows(step, selectRows)) {
      for (const piece of runsOfRows(rows)) {
        if (piece.seriesId !== seriesId) {
          this.#addBlocks(merger.end(), job)
          seriesId = piece.seriesId
          merger = new SeriesMerger(seriesId, types, nothing)
        }
        this.#addBlocks(merger.add(piece.run), job)
      }
    }
    this.#addBlocks(merger.end(), job)
  }

  #addBlocks(blocks: Iterable<Block>, job: AggregateJob): void {
    for (const block of blocks) this.#add(block.seriesId, block, job)
  }

  /** @throws if points do not come by time: windows would be wrong without a sign */
  #add(seriesId: number, run: Run, { aggregation }: AggregateJob): void {
    const { times } = run
    const lastNs = this.#lastNs.get(seriesId)
    if ((lastNs !== undefined && lastNs >= times[0]!) || !isAscending(times))
      throw new Error(`rows of series ${seriesId} do not come by time`)
    this.#lastNs.set(seriesId, times.at(-1)!)
    let windows = this.#windows.get(seriesId)
    if (!windows) {
      windows = emptyWindows(seriesId, aggregation.measures)
      this.#windows.set(seriesId, windows)
    }
    addPoints(windows, aggregation, run)
    this.#rowCount += times.length
  }

  async #send(): Promise<void> {
    let batch: SeriesWindows[] = []
    let values = 0
    for (const windows of this.#windows.values()) {
      batch.push(windows)
      values += windows.startsNs.length * windows.fields.length
      if (values < maxValuesPerMessage) continue
      await this.#sendBatch(batch)
      batch = []
      values = 0
    }
    if (batch.length > 0) await this.#sendBatch(batch)
  }

  async #sendBatch(windows: readonly SeriesWindows[]): Promise<void> {
    if (this.#stream.isCancelled) return
    await this.#reply({ kind: 'windows', job: this.#job, windows, rowCount: this.#rowCount })
    this.#rowCount = 0
  }
}

function isAscending(times: BigInt64Array): boolean {
  const words = timeWords(times)
  for (let row = 1; row < times.length; row++) if (compareTimes(words, row - 1, row) >= 0) return false
  return true
}
