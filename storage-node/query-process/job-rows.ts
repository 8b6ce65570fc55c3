import { setImmediate } from 'node:timers/promises'
import { copyOfRun, mergeRuns, type Run } from '../buffer/merge.ts'
import { matchingRows } from '../engine/matching.ts'
import type { FieldType } from '../engine/reader.ts'
import type { SeriesRun } from '../engine/series-runs.ts'
import type { Blocks } from './block-store.ts'
import type { RowRange } from './directory.ts'
import { FileRows, type TimeSpan } from './file-rows.ts'
import { FileSeams } from './file-seams.ts'
import type { ReadJob, SourceFile } from './messages.ts'

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

interface JobFile {
  readonly source: SourceFile
  readonly rows: FileRows
}

/** What a file has of a series, of whatever time. */
interface SeriesRows extends JobFile {
  readonly range: RowRange
}

/** What is done with a run before the next one comes, which may take its memory; what it returns is waited for. */
export type Visit = (run: SeriesRun) => Promise<void> | undefined

/** The rows of a job that match, merged: each point once. */
export class JobRows {
  readonly #job: ReadJob
  readonly #types: readonly FieldType[]
  readonly #isCancelled: () => boolean
  readonly #maxCellsAtOnce: number
  /** In the order of their first times. */
  #files: JobFile[] = []
  readonly #scratches: Float64Array[] = []
  #turnStartedMs = performance.now()

  constructor(job: ReadJob, isCancelled: () => boolean, maxCellsAtOnce = defaultCellsAtOnce) {
    this.#job = job
    this.#types = job.columns.map(({ type }) => type)
    this.#isCancelled = isCancelled
    this.#maxCellsAtOnce = maxCellsAtOnce
  }

  /**
   * Shows the runs in the order of the job's series and of time, until the job is cancelled.
   * @throws Error if a file cannot be read; what `visit` throws
   */
  async each(store: Blocks, visit: Visit): Promise<void> {
    const files = this.#job.files.toSorted((a, b) => compare(a.minTimeNs, b.minTimeNs))
    this.#files = []
    for (const file of files) {
      if (this.#isCancelled()) return
      const rows = await FileRows.open(store, file, this.#job, this.#scratch)
      this.#files.push({ source: file, rows })
      await this.#turn()
    }
    if (isAscending(this.#job.seriesIds) && this.#hasRoomInPlace) return this.#eachInPlace(visit)
    for await (const run of this.#runs()) await visit(run)
  }

  async *#runs(): AsyncGenerator<SeriesRun> {
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
      const more = cellsOf(this.#filesOf(seriesId))
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
    for (const { source, rows } of this.#files) {
      for (const [seriesId, runs] of asTheyStand) {
        if (this.#isCancelled()) return
        const range = await rows.range(seriesId, span)
        for await (const run of rows.runs(seriesId, range, this.#kept))
          runs.push({ order: source.order, run })
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
    for (const { source, rows } of this.#files) {
      const range = await rows.range(seriesId, span)
      rows.release()
      if (range.from < range.end) ranges.push({ order: source.order, rows, range })
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
      for await (const run of rows.runs(seriesId, range, this.#kept)) runs.push({ order, run })
      rows.release()
      await this.#turn()
    }
    for await (const run of this.#merged(runs)) yield { seriesId, run }
  }

  /** Before points are merged it is not known which of them match. */
  readonly #kept = (view: Run): Run | null => {
    if (this.#files.length > 1) return copyOfRun(view)
    const run = matchingRows(view, this.#job.matching)
    return run === view ? copyOfRun(view) : run
  }

  readonly #scratch = (column: number, length: number): Float64Array => {
    const known = this.#scratches[column]
    if (known && known.length >= length) return known
    return (this.#scratches[column] = new Float64Array(length))
  }

  /** Whether a block of each file has room in memory, so that series after series can be read. */
  get #hasRoomInPlace(): boolean {
    const cells = this.#files.reduce((sum, { rows }) => sum + rows.cellsPerBlock, 0)
    return this.#files.length === 1 || cells <= 2 * this.#maxCellsAtOnce
  }

  /** Each run is a look at a block, but for the points of a series about which several files may say something. */
  async #eachInPlace(visit: Visit): Promise<void> {
    for (const seriesId of this.#job.seriesIds) {
      if (this.#isCancelled()) return
      const files = this.#filesOf(seriesId)
      const arrangement = arrangementOf(files)
      if (arrangement !== 'apart' && cellsOf(files) > this.#maxCellsAtOnce)
        for await (const run of this.#runsOfLong(seriesId, this.#job)) await visit(run)
      else if (arrangement === 'mixed') await this.#eachOfMixed(seriesId, files, visit)
      else await this.#eachOfSeries(seriesId, files, visit)
      if (this.#isTurnOver) await this.#turn()
    }
  }

  #filesOf(seriesId: number): readonly SeriesRows[] {
    const found: SeriesRows[] = []
    for (const { source, rows } of this.#files) {
      const range = rows.all(seriesId)
      if (range) found.push({ source, rows, range })
    }
    return found
  }

  /** Of files of which only neighbours overlap. */
  async #eachOfSeries(seriesId: number, files: readonly SeriesRows[], visit: Visit): Promise<void> {
    const seams = new FileSeams(this.#types)
    for (const [index, { source, rows, range }] of files.entries()) {
      if (this.#isCancelled()) return
      const left = this.#visitMatching(seriesId, seams.next(source.order), visit)
      if (left) await left
      const nextNs = files[index + 1]?.source.minTimeNs
      const atHand = rows.runAtHand(range, this.#job)
      // Most are: without a promise for each, it takes half as long.
      const waiting = atHand ? this.#visitMatching(seriesId, seams.add(atHand, nextNs), visit) : undefined
      if (waiting) await waiting
      if (atHand !== undefined) continue
      for await (const view of rows.runs(seriesId, await rows.range(seriesId, this.#job), (all) => all)) {
        if (this.#isCancelled()) return
        await this.#visitMatching(seriesId, seams.add(view, nextNs), visit)
        await this.#turn()
      }
    }
    const left = this.#visitMatching(seriesId, seams.end(), visit)
    if (left) await left
  }

  async #eachOfMixed(seriesId: number, files: readonly SeriesRows[], visit: Visit): Promise<void> {
    const found: FileRun[] = []
    for (const { source, rows } of files) {
      const range = await rows.range(seriesId, this.#job)
      for await (const run of rows.runs(seriesId, range, this.#kept)) found.push({ order: source.order, run })
    }
    for await (const run of this.#merged(found)) await visit({ seriesId, run })
  }

  /** @returns what has to be waited for before anything else */
  #visitMatching(seriesId: number, all: readonly Run[], visit: Visit): Promise<void> | undefined {
    const found: SeriesRun[] = []
    for (const each of all) {
      const run = matchingRows(each, this.#job.matching)
      if (run) found.push({ seriesId, run })
    }
    return found.length > 1 ? visitAll(found, visit) : found[0] && visit(found[0])
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
      const run = matchingRows(runs[0]!, this.#job.matching)
      if (run) yield run
    }
  }

  get #isTurnOver(): boolean {
    return performance.now() - this.#turnStartedMs >= turnMs
  }

  async #turn(): Promise<void> {
    if (!this.#isTurnOver) return
    await setImmediate()
    this.#turnStartedMs = performance.now()
  }
}

/** In the order of their first times: files that meet in no more than a time, that overlap their neighbours only, or others. */
type Arrangement = 'apart' | 'neighbours' | 'mixed'

function arrangementOf(files: readonly JobFile[]): Arrangement {
  let arrangement: Arrangement = 'apart'
  // Of all but the file before.
  let endNs: bigint | null = null
  for (let index = 1; index < files.length; index++) {
    const { minTimeNs } = files[index]!.source
    if (endNs !== null && endNs >= minTimeNs) return 'mixed'
    const beforeNs = files[index - 1]!.source.maxTimeNs
    if (beforeNs > minTimeNs) arrangement = 'neighbours'
    if (endNs === null || beforeNs > endNs) endNs = beforeNs
  }
  return arrangement
}

async function visitAll(runs: readonly SeriesRun[], visit: Visit): Promise<void> {
  for (const run of runs) await visit(run)
}

/** As they stand in files. */
const isAscending = (seriesIds: readonly number[]): boolean =>
  seriesIds.every((id, index) => index === 0 || seriesIds[index - 1]! < id)

/** What ranges of rows take in memory, about. */
const cellsOf = (ranges: readonly Pick<SeriesRows, 'rows' | 'range'>[]): number =>
  ranges.reduce((sum, { rows, range }) => sum + (range.end - range.from) * rows.cellsPerRow, 0)

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
