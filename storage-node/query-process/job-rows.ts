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
const maxSeriesAtOnce = 1_024
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
    }
    this.#files = files
    const { minTimeNs, maxTimeNs } = this.#job
    for (const group of this.#groups()) {
      if (this.#isCancelled()) return
      const [first] = group
      if (group.length === 1) yield* this.#runsOfLong(first!, { minTimeNs, maxTimeNs })
      else yield* this.#runsOfMany(group, { minTimeNs, maxTimeNs })
    }
  }

  /** Series that are read together, so that a block in which many of them stand is read once. */
  *#groups(): Generator<readonly number[]> {
    let group: number[] = []
    let cells = 0
    for (const seriesId of this.#job.seriesIds) {
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
    for (const { order, rows } of this.#files) {
      for (const [seriesId, runs] of found) {
        if (this.#isCancelled()) return
        const range = await rows.range(seriesId, span)
        for await (const run of rows.runs(seriesId, range)) runs.push({ order, run })
        await this.#turn()
      }
      rows.release()
    }
    for (const [seriesId, runs] of found)
      for (const run of mergedRuns(this.#types, runs)) yield { seriesId, run }
  }

  /** A span of time with too many rows is halved. */
  async *#runsOfLong(seriesId: number, span: TimeSpan): AsyncGenerator<SeriesRun> {
    if (this.#isCancelled()) return
    const ranges = []
    for (const { order, rows } of this.#files) {
      const range = await rows.range(seriesId, span)
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
    for (const run of mergedRuns(this.#types, runs)) yield { seriesId, run }
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

/** @returns runs that follow each other in time */
function mergedRuns(types: readonly FieldType[], runs: FileRun[]): readonly Run[] {
  if (runs.length <= 1) return runs.map(({ run }) => run)
  runs.sort((a, b) => compare(a.run.times[0]!, b.run.times[0]!))
  const merged: Run[] = []
  let overlapping: FileRun[] = []
  let endNs = runs[0]!.run.times[0]!
  for (const each of runs) {
    const { times } = each.run
    if (times[0]! > endNs && overlapping.length > 0) {
      merged.push(mergedRun(types, overlapping))
      overlapping = []
    }
    overlapping.push(each)
    if (times.at(-1)! > endNs) endNs = times.at(-1)!
  }
  return [...merged, mergedRun(types, overlapping)]
}

/** Neighbours in order are merged two by two: one after the other, the first would be copied as often as there are runs. */
function mergedRun(types: readonly FieldType[], found: readonly FileRun[]): Run {
  let runs = found.toSorted((a, b) => a.order - b.order).map(({ run }) => run)
  while (runs.length > 1)
    runs = runs.flatMap((older, index) => {
      if (index % 2 === 1) return []
      const newer = runs[index + 1]
      return [newer ? mergeRuns(types, older, newer) : older]
    })
  return runs[0]!
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)
