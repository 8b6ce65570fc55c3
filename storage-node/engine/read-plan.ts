import type { Matching } from './matching.ts'
import type { StoredFile } from '../files/file-store.ts'

export interface ReadBounds {
  readonly seriesIds: readonly number[]
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
  /** As `ReadRequest` has it, of the fields that are read. */
  readonly matching?: Matching['comparisons']
}

type Place = Pick<StoredFile['entry'], 'databaseId' | 'retentionPolicy' | 'measurement'>

/** Those that may hold points of a measurement in a time range. */
export function filesFor(
  files: readonly StoredFile[],
  { databaseId, retentionPolicy, measurement }: Place,
  minTimeNs: bigint,
  maxTimeNs: bigint,
): StoredFile[] {
  return files.filter(
    (file) =>
      file.entry.databaseId === databaseId &&
      file.entry.retentionPolicy === retentionPolicy &&
      file.entry.measurement === measurement &&
      file.minTimeNs <= maxTimeNs &&
      file.maxTimeNs >= minTimeNs,
  )
}

/** Supposes that the series of a file have equally many rows, evenly spread over its time. */
export function expectedRows(
  files: readonly StoredFile[],
  seriesId: number,
  { minTimeNs, maxTimeNs }: ReadBounds,
): number {
  let rows = 0
  for (const { entry, minTimeNs: fileMinNs, maxTimeNs: fileMaxNs } of files) {
    if (entry.minSeries > seriesId || entry.maxSeries < seriesId) continue
    const fromNs = minTimeNs > fileMinNs ? minTimeNs : fileMinNs
    const untilNs = maxTimeNs < fileMaxNs ? maxTimeNs : fileMaxNs
    if (fromNs > untilNs) continue
    const share = Number(untilNs - fromNs + 1n) / Number(fileMaxNs - fileMinNs + 1n)
    rows += (share * entry.rows) / entry.seriesCount
  }
  return rows
}
