import type { StoredFile } from '../files/file-store.ts'

/** One question to the query process: some series over some time. */
export interface ReadPart {
  readonly seriesIds: readonly number[]
  readonly files: readonly StoredFile[]
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
}

export interface ReadBounds {
  readonly seriesIds: readonly number[]
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
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

/** The query process sorts the rows of a part in memory, and keeps them there until they are taken. */
const maxRowsPerPart = 250_000
const maxCellsPerPart = 1_000_000
const maxSeriesPerPart = 5_000

/**
 * Cuts a read into parts that fit into memory: by series, and where one series alone is too much, by time. The parts
 * come in the order of the wanted series; parts of one series in the order of time.
 */
export function planRead(files: readonly StoredFile[], bounds: ReadBounds, fieldCount: number): ReadPart[] {
  // A row has a series and a time besides its fields.
  const maxRows = Math.min(maxRowsPerPart, Math.ceil(maxCellsPerPart / (fieldCount + 2)))
  const parts: ReadPart[] = []
  let group: number[] = []
  let groupRows = 0
  const closeGroup = () => {
    if (group.length > 0) parts.push(partOf(files, group, bounds.minTimeNs, bounds.maxTimeNs))
    group = []
    groupRows = 0
  }
  for (const seriesId of bounds.seriesIds) {
    const rows = expectedRows(files, seriesId, bounds)
    if (group.length >= maxSeriesPerPart || (group.length > 0 && groupRows + rows > maxRows)) closeGroup()
    if (rows > maxRows) parts.push(...slices(files, seriesId, bounds, maxRows))
    else {
      group.push(seriesId)
      groupRows += rows
    }
  }
  closeGroup()
  return parts
}

function partOf(
  files: readonly StoredFile[],
  seriesIds: readonly number[],
  minTimeNs: bigint,
  maxTimeNs: bigint,
): ReadPart {
  const minSeries = seriesIds.reduce((a, b) => Math.min(a, b))
  const maxSeries = seriesIds.reduce((a, b) => Math.max(a, b))
  return {
    seriesIds,
    minTimeNs,
    maxTimeNs,
    files: files.filter(
      (file) =>
        file.minTimeNs <= maxTimeNs &&
        file.maxTimeNs >= minTimeNs &&
        file.entry.minSeries <= maxSeries &&
        file.entry.maxSeries >= minSeries,
    ),
  }
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

function slices(
  files: readonly StoredFile[],
  seriesId: number,
  bounds: ReadBounds,
  maxRows: number,
): ReadPart[] {
  const relevant = files
    .filter(({ entry }) => entry.minSeries <= seriesId && seriesId <= entry.maxSeries)
    .sort((a, b) => (a.minTimeNs < b.minTimeNs ? -1 : a.minTimeNs > b.minTimeNs ? 1 : 0))
  const parts: ReadPart[] = []
  let fromNs = bounds.minTimeNs
  let rows = 0
  for (const { entry, minTimeNs } of relevant) {
    const fileRows = entry.rows / entry.seriesCount
    if (rows > 0 && rows + fileRows > maxRows && minTimeNs > fromNs && minTimeNs <= bounds.maxTimeNs) {
      parts.push(partOf(files, [seriesId], fromNs, minTimeNs - 1n))
      fromNs = minTimeNs
      rows = 0
    }
    rows += fileRows
  }
  parts.push(partOf(files, [seriesId], fromNs, bounds.maxTimeNs))
  return parts
}
