import { setImmediate } from 'node:timers/promises'
import { copyOfRun, mergeRuns, partOfRun, type Run } from '../buffer/merge.ts'
import { matchingRows } from '../engine/matching.ts'
import type { FieldType } from '../engine/reader.ts'
import type { SeriesRun } from '../engine/series-runs.ts'
import type { Blocks } from './block-store.ts'
import type { RowRange } from './directory.ts'
import { FileRows, type TimeSpan } from './file-rows.ts'
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
  readonly order: number
  readonly rows: FileRows
  /** Where the next file begins. */
  readonly nextNs: bigint | undefined
}

/** What of a file is settled, and its last point where the next file may say more of it. */
interface Joint {
  readonly runs: readonly Run[]
  readonly meeting: FileRun | null
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
      this.#files.push({
        order: file.order,
        nextNs: files[this.#files.length + 1]?.minTimeNs,
        rows: await FileRows.open(store, file, this.#job, this.#scratch),
      })
      await this.#turn()
    }
    if (isAscending(this.#job.seriesIds) && this.#canReadInPlace(files)) return this.#eachInPlace(visit)
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
        for await (const run of rows.runs(seriesId, range, this.#kept)) runs.push({ order, run })
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

  /** Whether a series can be read file by file, with a block of each in memory. */
  #canReadInPlace(files: readonly SourceFile[]): boolean {
    const cells = this.#files.reduce((sum, { rows }) => sum + rows.cellsPerBlock, 0)
    return areInTime(files) && (files.length === 1 || cells <= 2 * this.#maxCellsAtOnce)
  }

  /** Each run is a look at a block, but for the one point of a series at which a file may meet the next one. */
  async #eachInPlace(visit: Visit): Promise<void> {
    for (const seriesId of this.#job.seriesIds) {
      let joint: Joint = { runs: [], meeting: null }
      const show = (run: Run, file: JobFile): Promise<void> | undefined => {
        joint = this.#joined(joint.meeting, { order: file.order, run }, file.nextNs)
        return this.#visitMatching(seriesId, joint.runs, visit)
      }
      for (const file of this.#files) {
        if (this.#isCancelled()) return
        const atHand = file.rows.runAtHand(seriesId, this.#job)
        // Most are: without a promise for each, it takes half as long.
        const waiting = atHand ? show(atHand, file) : undefined
        if (waiting) await waiting
        if (atHand !== undefined) continue
        const range = await file.rows.range(seriesId, this.#job)
        for await (const view of file.rows.runs(seriesId, range, (all) => all)) await show(view, file)
      }
      const waiting = this.#visitMatching(seriesId, joint.meeting ? [joint.meeting.run] : [], visit)
      if (waiting) await waiting
      if (this.#isTurnOver) await this.#turn()
    }
  }

  /** @param point at which the file before may meet this one */
  #joined(point: FileRun | null, view: FileRun, nextNs: bigint | undefined): Joint {
    const [before, met] = this.#meet(point, view)
    const runs = before ? [before] : []
    if (nextNs === undefined || met.times.at(-1) !== nextNs) return { runs: [...runs, met], meeting: null }
    const end = met.times.length - 1
    const meeting = { order: view.order, run: copyOfRun(partOfRun(met, end, end + 1)) }
    return { runs: [...runs, partOfRun(met, 0, end)], meeting }
  }

  /** @returns the point of one file, with what the next one says of the same time, and what is left of that */
  #meet(point: FileRun | null, next: FileRun): readonly [Run | null, Run] {
    if (!point || point.run.times[0] !== next.run.times[0]) return [point?.run ?? null, next.run]
    const same = { order: next.order, run: partOfRun(next.run, 0, 1) }
    const [older, newer] = point.order < same.order ? [point, same] : [same, point]
    return [mergeRuns(this.#types, older.run, newer.run), partOfRun(next.run, 1, next.run.times.length)]
  }

  /** @returns what has to be waited for before anything else */
  #visitMatching(seriesId: number, all: readonly Run[], visit: Visit): Promise<void> | undefined {
    const found: SeriesRun[] = []
    for (const each of all) {
      const run = each.times.length > 0 ? matchingRows(each, this.#job.matching) : null
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

/**
 * Whether each is later than those before, but for the time at which it may meet its neighbour.
 * @param files in the order of their first times
 */
const areInTime = (files: readonly SourceFile[]): boolean =>
  files.every((file, index) => {
    const before = files[index - 1]
    if (!before || before.maxTimeNs < file.minTimeNs) return true
    const isMeeting = before.maxTimeNs === file.minTimeNs
    return isMeeting && before.minTimeNs < before.maxTimeNs && file.minTimeNs < file.maxTimeNs
  })

async function visitAll(runs: readonly SeriesRun[], visit: Visit): Promise<void> {
  for (const run of runs) await visit(run)
}

/** As they stand in files. */
const isAscending = (seriesIds: readonly number[]): boolean =>
  seriesIds.every((id, index) => index === 0 || seriesIds[index - 1]! < id)

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
