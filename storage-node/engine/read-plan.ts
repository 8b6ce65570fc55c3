import type { StoredFile } from '../files/file-store.ts'
import { stringBytesOf, type FileEntry } from '../files/manifest.ts'
import type { FieldType } from './reader.ts'

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
/** So many bytes of strings count as one cell: a part has 16 MB of them at most. */
const stringBytesPerCell = 16

/**
 * Cuts a read into parts that fit into memory: by series, and where one series alone is too much, by time. The parts
 * come in the order of the wanted series; parts of one series in the order of time.
 */
export function planRead(
  files: readonly StoredFile[],
  bounds: ReadBounds,
  types: readonly FieldType[],
): ReadPart[] {
  const weighed = { ...bounds, cellsOf: cellsIn(types) }
  // A row has a series and a time besides its fields.
  const maxCells = Math.min(maxRowsPerPart * (types.length + 2), maxCellsPerPart)
  const parts: ReadPart[] = []
  let group: number[] = []
  let groupCells = 0
  const closeGroup = () => {
    if (group.length > 0) parts.push(partOf(files, group, bounds.minTimeNs, bounds.maxTimeNs))
    group = []
    groupCells = 0
  }
  for (const seriesId of bounds.seriesIds) {
    const cells = expected(files, seriesId, bounds, weighed.cellsOf)
    if (group.length >= maxSeriesPerPart || (group.length > 0 && groupCells + cells > maxCells)) closeGroup()
    if (cells > maxCells) parts.push(...slices(files, seriesId, weighed, maxCells))
    else {
      group.push(seriesId)
      groupCells += cells
    }
  }
  closeGroup()
  return parts
}

/** What a sort of a file's rows has to hold: its cells, and what its strings are worth if any are wanted. */
function cellsIn(types: readonly FieldType[]): (entry: FileEntry) => number {
  const hasStrings = types.includes('string')
  return (entry) =>
    entry.rows * (types.length + 2) + (hasStrings ? stringBytesOf(entry) / stringBytesPerCell : 0)
}

type Weighed = ReadBounds & { readonly cellsOf: (entry: FileEntry) => number }

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

/** The same as two parts, in their order: by series, or by time; null where there is nothing to cut. */
export function halvesOf({ seriesIds, files, minTimeNs, maxTimeNs }: ReadPart): readonly ReadPart[] | null {
  if (seriesIds.length > 1) {
    const middle = Math.ceil(seriesIds.length / 2)
    return [seriesIds.slice(0, middle), seriesIds.slice(middle)].map((ids) =>
      partOf(files, ids, minTimeNs, maxTimeNs),
    )
  }
  const firstNs = files.reduce((min, file) => (file.minTimeNs < min ? file.minTimeNs : min), maxTimeNs)
  const lastNs = files.reduce((max, file) => (file.maxTimeNs > max ? file.maxTimeNs : max), minTimeNs)
  const fromNs = firstNs > minTimeNs ? firstNs : minTimeNs
  const untilNs = lastNs < maxTimeNs ? lastNs : maxTimeNs
  if (fromNs >= untilNs) return null
  const middleNs = fromNs + (untilNs - fromNs) / 2n
  return [partOf(files, seriesIds, minTimeNs, middleNs), partOf(files, seriesIds, middleNs + 1n, maxTimeNs)]
}

/** Rows of a series, supposed that the series of a file have equally many, evenly spread over its time. */
export const expectedRows = (files: readonly StoredFile[], seriesId: number, bounds: ReadBounds): number =>
  expected(files, seriesId, bounds, ({ rows }) => rows)

/** One series' share of what the files have of something. */
function expected(
  files: readonly StoredFile[],
  seriesId: number,
  { minTimeNs, maxTimeNs }: ReadBounds,
  of: (entry: FileEntry) => number,
): number {
  let sum = 0
  for (const { entry, minTimeNs: fileMinNs, maxTimeNs: fileMaxNs } of files) {
    if (entry.minSeries > seriesId || entry.maxSeries < seriesId) continue
    const fromNs = minTimeNs > fileMinNs ? minTimeNs : fileMinNs
    const untilNs = maxTimeNs < fileMaxNs ? maxTimeNs : fileMaxNs
    if (fromNs > untilNs) continue
    const share = Number(untilNs - fromNs + 1n) / Number(fileMaxNs - fileMinNs + 1n)
    sum += (share * of(entry)) / entry.seriesCount
  }
  return sum
}

function slices(
  files: readonly StoredFile[],
  seriesId: number,
  bounds: Weighed,
  maxCells: number,
): ReadPart[] {
  const relevant = files
    .filter(({ entry }) => entry.minSeries <= seriesId && seriesId <= entry.maxSeries)
    .sort((a, b) => (a.minTimeNs < b.minTimeNs ? -1 : a.minTimeNs > b.minTimeNs ? 1 : 0))
  const parts: ReadPart[] = []
  let fromNs = bounds.minTimeNs
  let cells = 0
  for (const { entry, minTimeNs } of relevant) {
    const fileCells = bounds.cellsOf(entry) / entry.seriesCount
    if (cells > 0 && cells + fileCells > maxCells && minTimeNs > fromNs && minTimeNs <= bounds.maxTimeNs) {
      parts.push(partOf(files, [seriesId], fromNs, minTimeNs - 1n))
      fromNs = minTimeNs
      cells = 0
    }
    cells += fileCells
  }
  parts.push(partOf(files, [seriesId], fromNs, bounds.maxTimeNs))
  return parts
}
