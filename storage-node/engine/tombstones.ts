import type { FileEntry } from '../files/manifest.ts'

/**
 * A delete as files have to know it: what it says of points that were written before it. Buffers need none, their rows
 * go when the delete is applied. A tombstone stays as long as a file may hold a row that it deletes.
 */
export interface Tombstone {
  /** Of the delete in the log: it concerns files whose rows have not seen it yet, see `deletedThrough`. */
  readonly position: number
  readonly databaseId: string
  /** null is every policy of the database. */
  readonly retentionPolicy: string | null
  /** null is every measurement. */
  readonly measurement: string | null
  /** Runs of series ids, ascending: first, last, first, last, …; null is every series. */
  readonly series: readonly number[] | null
  /** Inclusive, nanoseconds; so is the other. */
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
}

/** Every time there is: a delete of all of it, in all policies, forgets the series, too. */
export const everyTimeNs = { minTimeNs: -(2n ** 63n), maxTimeNs: 2n ** 63n - 1n }

/** A part of a file whose rows are deleted. It says so of the series that were asked for and of no others. */
export type DeletedArea = Pick<Tombstone, 'series' | 'minTimeNs' | 'maxTimeNs'>

/** What has to be known of a file: the manifest's entry, and its times as numbers. */
export interface FileBounds {
  readonly entry: Pick<
    FileEntry,
    | 'databaseId'
    | 'retentionPolicy'
    | 'measurement'
    | 'lastPosition'
    | 'deletedThrough'
    | 'minSeries'
    | 'maxSeries'
  >
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
}

/**
 * The position up to which deletes are done with in a file: a flush writes what the buffer held, which no delete
 * before it left anything in; a compaction leaves out what the tombstones of its time delete.
 */
export function deletedThrough({ entry }: FileBounds): number {
  return Math.max(entry.lastPosition, entry.deletedThrough ?? 0)
}

/** May the file hold rows that the tombstone deletes? */
export function touches(tombstone: Tombstone, file: FileBounds): boolean {
  const { entry } = file
  return (
    tombstone.position > deletedThrough(file) &&
    tombstone.databaseId === entry.databaseId &&
    (tombstone.retentionPolicy === null || tombstone.retentionPolicy === entry.retentionPolicy) &&
    (tombstone.measurement === null || tombstone.measurement === entry.measurement) &&
    tombstone.minTimeNs <= file.maxTimeNs &&
    tombstone.maxTimeNs >= file.minTimeNs &&
    (tombstone.series === null || hasSeriesBetween(tombstone.series, entry.minSeries, entry.maxSeries))
  )
}

/** Does the tombstone delete every row of the file? */
export function coversWhole(tombstone: Tombstone, file: FileBounds): boolean {
  const { minSeries, maxSeries } = file.entry
  return (
    touches(tombstone, file) &&
    tombstone.minTimeNs <= file.minTimeNs &&
    tombstone.maxTimeNs >= file.maxTimeNs &&
    (tombstone.series === null ||
      runOf(tombstone.series, minSeries) === runOf(tombstone.series, maxSeries)) &&
    hasSeries(tombstone.series, minSeries)
  )
}

export function isDeleted(areas: readonly DeletedArea[], seriesId: number, timeNs: bigint): boolean {
  return areas.some(
    ({ series, minTimeNs, maxTimeNs }) =>
      timeNs >= minTimeNs && timeNs <= maxTimeNs && hasSeries(series, seriesId),
  )
}

export function hasSeries(series: readonly number[] | null, id: number): boolean {
  return series === null || runOf(series, id) >= 0
}

/**
 * Writes ids as runs. A run goes on over what is not in `among`: nobody asks for it.
 * @param ids ascending, all of them in `among`
 * @param among ascending
 */
export function runsOf(ids: readonly number[], among: Iterable<number>): number[] {
  const runs: number[] = []
  let next = 0
  let open = false
  for (const id of among) {
    const isHit = id === ids[next]
    if (isHit) {
      next++
      if (open) runs[runs.length - 1] = id
      else runs.push(id, id)
    }
    open = isHit
  }
  return runs
}

/** @returns the index of the run that holds the id, negative if none does */
function runOf(runs: readonly number[], id: number): number {
  const run = firstRunFrom(runs, id)
  return run < runs.length / 2 && runs[2 * run]! <= id ? run : -1
}

function hasSeriesBetween(runs: readonly number[], min: number, max: number): boolean {
  const run = firstRunFrom(runs, min)
  return run < runs.length / 2 && runs[2 * run]! <= max
}

/** @returns the index of the first run that does not end before the id; the number of runs if all do */
function firstRunFrom(runs: readonly number[], id: number): number {
  let low = 0
  let high = runs.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (runs[2 * middle + 1]! < id) low = middle + 1
    else high = middle
  }
  return low
}
