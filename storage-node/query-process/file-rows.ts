import { pickedRows, type Run } from '../buffer/merge.ts'
import { firstNotBefore, splitTime, timeWords } from '../buffer/time-order.ts'
import type { Column } from '../engine/reader.ts'
import { hasSeries } from '../engine/tombstones.ts'
import { viewOf, type Block } from './block.ts'
import { cellsPerRow, timeColumn, type Blocks, type WantedColumn } from './block-store.ts'
import { rowsOfSeries, type Directory, type RowRange } from './directory.ts'
import type { ReadJob, SourceFile } from './messages.ts'

export interface TimeSpan {
  /** Inclusive, nanoseconds; so is the other. */
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
}

/** Room for a column of the job where it stands in blocks in another form; it holds something else by the next run. */
export type Scratch = (column: number, length: number) => Float64Array

export type Keep = (view: Run) => Run | null

/** What one job reads of one file: rows of its series that are not deleted. */
export class FileRows {
  readonly #store: Blocks
  readonly #blockRows: number
  readonly #file: SourceFile
  readonly #scratch: Scratch
  readonly #directory: Directory
  /** Time, then those of the job's columns that the file has. */
  readonly #columns: readonly WantedColumn[]
  /** For each column of the job its place among these; -1 for one that the file lacks. */
  readonly #places: readonly number[]
  /** Of each block whether the job will need it, as far as that is known. */
  readonly #wanted: Uint8Array
  #index = -1
  #blocks: readonly Block[] = []

  private constructor(store: Blocks, file: SourceFile, directory: Directory, job: ReadJob, scratch: Scratch) {
    this.#store = store
    this.#blockRows = store.blockRows(file, directory)
    this.#file = file
    this.#scratch = scratch
    this.#directory = directory
    const has = new Set(file.columns)
    this.#columns = [timeColumn, ...job.columns.filter(({ name }) => has.has(name))]
    const places = new Map(this.#columns.map(({ name }, place) => [name, place]))
    this.#places = job.columns.map(({ name }) => places.get(name) ?? -1)
    this.#wanted = new Uint8Array(Math.ceil(directory.rowCount / this.#blockRows))
    for (const id of job.seriesIds) {
      const range = rowsOfSeries(directory, id)
      if (range && this.#isShort(range)) this.#want(range)
    }
  }

  /** @throws Error if the file cannot be read */
  static async open(store: Blocks, file: SourceFile, job: ReadJob, scratch: Scratch): Promise<FileRows> {
    return new FileRows(store, file, await store.directory(file), job, scratch)
  }

  /** All rows of a series, of whatever time and deleted ones included; null if there are none. */
  all(seriesId: number): RowRange | null {
    return rowsOfSeries(this.#directory, seriesId)
  }

  /** How much memory one row takes on average, as so many cells. */
  get cellsPerRow(): number {
    return cellsPerRow(this.#file, this.#columns, this.#directory)
  }

  /** How much memory one block of the columns takes on average, as so many cells. */
  get cellsPerBlock(): number {
    return Math.min(this.#blockRows, this.#directory.rowCount) * this.cellsPerRow
  }

  /** The rows of a series within a span of time. */
  async range(seriesId: number, span: TimeSpan): Promise<RowRange> {
    const range = rowsOfSeries(this.#directory, seriesId)
    if (!range) return { from: 0, end: 0 }
    const { minTimeNs, maxTimeNs } = this.#file
    if (span.maxTimeNs < minTimeNs || span.minTimeNs > maxTimeNs) return { from: 0, end: 0 }
    const isWhole = span.minTimeNs <= minTimeNs && span.maxTimeNs >= maxTimeNs
    const within = isWhole ? range : await this.#between(range, span)
    if (!this.#isShort(within)) this.#want(within)
    return within
  }

  /**
   * The points of a series within a span of time, as of `runs`, where nothing has to be waited for: they stand in one
   * block, which is in memory, and nothing of the file is deleted.
   * @param range all of the series
   * @returns null if there are none; undefined where `range` and `runs` have to say
   */
  runAtHand(range: RowRange, span: TimeSpan): Run | null | undefined {
    const { minTimeNs, maxTimeNs, deleted } = this.#file
    if (span.maxTimeNs < minTimeNs || span.minTimeNs > maxTimeNs) return null
    const index = Math.floor(range.from / this.#blockRows)
    if (deleted.length > 0 || range.end > (index + 1) * this.#blockRows || !this.#isHeld(index))
      return undefined
    const first = index * this.#blockRows
    const times = timesOf(this.#blocks[0]!)
    const words = timeWords(times)
    let [from, end] = [range.from - first, range.end - first]
    if (span.minTimeNs > minTimeNs) from = firstNotBefore(words, from, end, splitTime(span.minTimeNs))
    if (span.maxTimeNs < maxTimeNs) end = firstNotBefore(words, from, end, splitTime(span.maxTimeNs + 1n))
    return from < end ? this.#view(from, end) : null
  }

  /**
   * Points of a range of `range`, by time: those that are not deleted and have one of the job's columns.
   * @param keep gives back what is needed of a run whose memory holds something else by the next one
   */
  async *runs(seriesId: number, range: RowRange, keep: Keep): AsyncGenerator<Run> {
    for (const { from, end } of await this.#kept(seriesId, range)) {
      for (let row = from; row < end;) {
        const index = Math.floor(row / this.#blockRows)
        const first = index * this.#blockRows
        const stop = Math.min(end, first + this.#blockRows)
        await this.#hold(index)
        const view = this.#view(row - first, stop - first)
        const run = view && keep(view)
        if (run) yield run
        row = stop
      }
    }
  }

  /** Lets go of the memory of what was read last. */
  release(): void {
    this.#index = -1
    this.#blocks = []
  }

  async #kept(seriesId: number, range: RowRange): Promise<readonly RowRange[]> {
    let ranges: readonly RowRange[] = [range]
    for (const area of this.#file.deleted) {
      if (!hasSeries(area.series, seriesId)) continue
      const deleted = await this.#between(range, area)
      ranges = ranges.flatMap((each) => without(each, deleted))
    }
    return ranges
  }

  #view(from: number, end: number): Run | null {
    const columns = this.#places.map((place, index): Column | null =>
      place < 0 ? null : viewOf(this.#blocks[place]!, from, end, () => this.#scratch(index, end - from)),
    )
    if (columns.every((column) => column === null)) return null
    return withValues({ times: timesOf(this.#blocks[0]!).subarray(from, end), columns })
  }

  async #hold(index: number): Promise<void> {
    if (this.#isHeld(index)) return
    this.#blocks = await this.#load(index)
    this.#index = index
  }

  /** Whether a block is in memory, which it is from here on until another one is held. */
  #isHeld(index: number): boolean {
    if (index === this.#index) return true
    const known = this.#columns.map((column) => this.#store.known(this.#file, column, index))
    if (!known.every((block) => block !== undefined)) return false
    this.#blocks = known
    this.#index = index
    return true
  }

  /** For a search. In a range of many blocks it looks at one time of each and may not need the block again. */
  async #timesIn(index: number, range: RowRange): Promise<BigInt64Array> {
    if (this.#isShort(range)) await this.#hold(index)
    if (index === this.#index) return timesOf(this.#blocks[0]!)
    const known = this.#store.known(this.#file, timeColumn, index)
    if (known) return timesOf(known)
    const blocks = { from: index, end: index + 1 }
    const [block] = await this.#store.load(this.#file, [timeColumn], this.#directory, blocks)
    return timesOf(block!)
  }

  #load(index: number): Promise<readonly Block[]> {
    let end = index + 1
    while (this.#wanted[end] === 1) end++
    return this.#store.load(this.#file, this.#columns, this.#directory, { from: index, end })
  }

  /** So many rows are wanted without a look at their times. */
  #isShort({ from, end }: RowRange): boolean {
    return end - from <= 2 * this.#blockRows
  }

  #want({ from, end }: RowRange): void {
    if (from < end) this.#wanted.fill(1, Math.floor(from / this.#blockRows), Math.ceil(end / this.#blockRows))
  }

  async #between(range: RowRange, { minTimeNs, maxTimeNs }: TimeSpan): Promise<RowRange> {
    const from = await this.#firstFrom(range, minTimeNs)
    return { from, end: await this.#firstFrom({ from, end: range.end }, maxTimeNs + 1n) }
  }

  /** @returns the first of rows of rising times that is not before a time; `end` if all are */
  async #firstFrom(range: RowRange, timeNs: bigint): Promise<number> {
    let low = range.from
    let high = range.end
    // From block to block first: inside of one nothing has to be waited for.
    while (Math.floor(low / this.#blockRows) < Math.floor((high - 1) / this.#blockRows)) {
      const middle = Math.floor((low + high) / 2 / this.#blockRows) * this.#blockRows
      const probed = middle > low ? middle : middle + this.#blockRows
      const times = await this.#timesIn(Math.floor(probed / this.#blockRows), range)
      if (times[0]! < timeNs) low = probed
      else high = probed
    }
    if (low >= high) return low
    const index = Math.floor(low / this.#blockRows)
    const times = await this.#timesIn(index, range)
    const first = index * this.#blockRows
    return first + firstNotBefore(timeWords(times), low - first, high - first, splitTime(timeNs))
  }
}

function timesOf({ column }: Block): BigInt64Array {
  if (column?.type !== 'integer') throw new TypeError('times are integers')
  return column.values
}

function without({ from, end }: RowRange, deleted: RowRange): readonly RowRange[] {
  if (deleted.from >= deleted.end) return [{ from, end }]
  return [
    { from, end: Math.min(end, deleted.from) },
    { from: Math.max(from, deleted.end), end },
  ].filter((range) => range.from < range.end)
}

/** Leaves out rows that have none of the columns. */
function withValues(run: Run): Run {
  if (run.columns.some((column) => column?.present === null)) return run
  const { length } = run.times
  const rows = new Int32Array(length)
  let count = 0
  for (let row = 0; row < length; row++)
    if (run.columns.some((column) => column?.present?.[row] === 1)) rows[count++] = row
  return count === length ? run : pickedRows(run, rows.subarray(0, count))
}
