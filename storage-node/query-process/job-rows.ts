import { setImmediate } from 'node:timers/promises'
import { mergeRuns, type Run } from '../buffer/merge.ts'
import type { FieldType } from '../engine/reader.ts'
import type { SeriesRun } from '../engine/series-runs.ts'
import type { Blocks } from './block-store.ts'
import type { RowRange } from './directory.ts'
import { FileRows, type TimeSpan } from './file-rows.ts'
import type { ReadJob } from './messages.ts'

/** What is put together at a time, unless one point is more: the cells of some series, or of one over some time. */
const defaultCellsAtOnce = 1_048_576
const maxSeriesAtOnce = 8_192
const seriesPerTurn = 256
/** Between two turns for others. */
const turnMs = 5

/** A run of one file. Of two values for one time and column that of the higher order counts. */
interface FileRun {
  readonly order: number
  readonly run: Run
}

/** The rows of a job, merged: each point once. */
export class JobRows {
  readonly #job: ReadJob
  readonly #types: readonly FieldType[]
  readonly #isCancelled: () => boolean
  readonly #maxCellsAtOnce: number
  #files: readonly { readonly order: number; readonly rows: FileRows }[] = []
  #turnStartedMs = performance.now()

  constructor(job: ReadJob, isCancelled: () => boolean, maxCellsAtOnce = defaultCellsAtOnce) {
    this.#job = job
    this.#types = job.columns.map(({ type }) => type)
    this.#isCancelled = isCancelled
    this.#maxCellsAtOnce = maxCellsAtOnce
  }

  /**
   * Runs in the order of the job's series and of time, until the job is cancelled.
   * @throws Error if a file cannot be read
   */
  async *runs(store: Blocks): AsyncGenerator<SeriesRun> {
    const files = []
    for (const file of this.#job.files) {
      if (this.#isCancelled()) return
      files.push({ order: file.order, rows: await FileRows.open(store, file, this.#job) })
      await this.#turn()
    }
    this.#files = files
    const { minTimeNs, maxTimeNs } = this.#job
    for await (const group of this.#groups()) {
      if (this.#isCancelled()) return
      const [first] = group
      if (group.length === 1) yield* this.#runsOfLong(first!, { minTimeNs, maxTimeNs })
      else yield* this.#runsOfMany(group, { minTimeNs, maxTimeNs })
    }
  }

  /** Series that are read together, so that a block in which many of them stand is read once. */
  async *#groups(): AsyncGenerator<readonly number[]> {
    let group: number[] = []
    let cells = 0
    for (const [index, seriesId] of this.#job.seriesIds.entries()) {
      if (index % seriesPerTurn === 0) await this.#turn()
      const more = cellsOf(this.#files.map(({ rows }) => ({ rows, range: rows.all(seriesId) })))
      if (more === 0) continue
      if (group.length >= maxSeriesAtOnce || (group.length > 0 && cells + more > this.#maxCellsAtOnce)) {
        yield group
        group = []
        cells = 0
      }
      group.push(seriesId)
      cells += more
    }
    if (group.length > 0) yield group
  }

  /** File by file, so that no more than the blocks of one are needed at a time. */
  async *#runsOfMany(seriesIds: readonly number[], span: TimeSpan): AsyncGenerator<SeriesRun> {
    const found = new Map<number, FileRun[]>(seriesIds.map((id) => [id, []]))
    // As they stand in files, so that each block is looked at once.
    const asTheyStand = [...found].sort(([a], [b]) => a - b)
    for (const { order, rows } of this.#files) {
      for (const [seriesId, runs] of asTheyStand) {
        if (this.#isCancelled()) return
        const range = await rows.range(seriesId, span)
        for await (const run of rows.runs(seriesId, range)) runs.push({ order, run })
        await this.#turn()
      }
      rows.release()
    }
    for (const [seriesId, runs] of found) for await (const run of this.#merged(runs)) yield { seriesId, run }
  }

  /** A span of time with too many rows is halved. */
  async *#runsOfLong(seriesId: number, span: TimeSpan): AsyncGenerator<SeriesRun> {
    if (this.#isCancelled()) return
    const ranges = []
    for (const { order, rows } of this.#files) {
      const range = await rows.range(seriesId, span)
      rows.release()
      if (range.from < range.end) ranges.push({ order, rows, range })
    }
    const { minTimeNs, maxTimeNs } = span
    if (cellsOf(ranges) > this.#maxCellsAtOnce && minTimeNs < maxTimeNs) {
      const middleNs = (minTimeNs + maxTimeNs) >> 1n
      yield* this.#runsOfLong(seriesId, { minTimeNs, maxTimeNs: middleNs })
      yield* this.#runsOfLong(seriesId, { minTimeNs: middleNs + 1n, maxTimeNs })
      return
    }
    const runs: FileRun[] = []
    for (const { order, rows, range } of ranges) {
      for await (const run of rows.runs(seriesId, range)) runs.push({ order, run })
      rows.release()
      await this.#turn()
    }
    for await (const run of this.#merged(runs)) yield { seriesId, run }
  }

  /** Runs that follow each other in time. */
  async *#merged(found: FileRun[]): AsyncGenerator<Run> {
    for (const group of apartInTime(found)) {
      let runs = group.toSorted((a, b) => a.order - b.order).map(({ run }) => run)
      // Neighbours two by two: one after the other, the first would be copied as often as there are runs.
      while (runs.length > 1) {
        const merged: Run[] = []
        for (let index = 0; index < runs.length; index += 2) {
          const [older, newer] = [runs[index]!, runs[index + 1]]
          merged.push(newer ? mergeRuns(this.#types, older, newer) : older)
          await this.#turn()
        }
        runs = merged
      }
      yield runs[0]!
    }
  }

  async #turn(): Promise<void> {
    if (performance.now() - this.#turnStartedMs < turnMs) return
    await setImmediate()
    this.#turnStartedMs = performance.now()
  }
}

/** What ranges of rows take in memory, about. */
const cellsOf = (ranges: readonly { readonly rows: FileRows; readonly range: RowRange | null }[]): number =>
  ranges.reduce((sum, { rows, range }) => sum + (range ? (range.end - range.from) * rows.cellsPerRow : 0), 0)

/** @returns groups of which each is later than those before */
function apartInTime(runs: FileRun[]): readonly (readonly FileRun[])[] {
  runs.sort((a, b) => compare(a.run.times[0]!, b.run.times[0]!))
  const groups: FileRun[][] = []
  let endNs: bigint | null = null
  for (const each of runs) {
    const { times } = each.run
    if (endNs === null || times[0]! > endNs) groups.push([])
    groups.at(-1)!.push(each)
    if (endNs === null || times.at(-1)! > endNs) endNs = times.at(-1)!
  }
  return groups
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)
