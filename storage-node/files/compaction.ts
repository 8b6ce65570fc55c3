import { touches, type Tombstone } from '../engine/tombstones.ts'
import type { StoredFile } from './file-store.ts'
import { maxFieldsPerFile, maxStringBytesPerFile, stringBytesOf } from './manifest.ts'

/** Files of one shard are made one when there are so many. */
const minFiles = 8
/** Files of this size are left alone: rewriting them would cost more than it brings. */
const largeRows = 250_000
const largeStringBytes = maxStringBytesPerFile / 2
/** What one compaction takes on: the new file is gathered in memory. */
const maxRows = 1_000_000

/**
 * Chooses files to make one of: neighbours in position among the files of one measurement whose times overlap and that
 * have a field in common, for a merge of others would put an older value above a newer one.
 * @param ready those of all files that may be chosen
 * @param maxCells rows times fields of the new file
 */
export function chooseCompaction(
  ready: readonly StoredFile[],
  files: readonly StoredFile[],
  shardDurationNs: (databaseId: string, retentionPolicy: string) => bigint,
  maxCells: number,
): readonly StoredFile[] | null {
  const shards = new Map<string, StoredFile[]>()
  for (const file of ready) {
    const { databaseId, retentionPolicy, measurement, fields } = file.entry
    const durationNs = shardDurationNs(databaseId, retentionPolicy)
    const shard = file.minTimeNs / durationNs
    // Of points with more fields than a file may have, one flush makes several files: like goes with like.
    const part = Math.floor((fields[0] ?? 0) / maxFieldsPerFile)
    const key = JSON.stringify([databaseId, retentionPolicy, measurement, String(shard), part])
    const group = shards.get(key)
    if (group) group.push(file)
    else shards.set(key, [file])
  }
  for (const group of shards.values()) {
    if (group.length < minFiles) continue
    for (const run of smallRuns(group, maxCells))
      if (run.length >= minFiles && areNeighbours(run, files)) return run
  }
  return null
}

/** Runs of small files, in the order of positions, each within the bounds of one compaction. */
function smallRuns(group: readonly StoredFile[], maxCells: number): StoredFile[][] {
  const runs: StoredFile[][] = []
  let run: StoredFile[] = []
  let load = nothing
  for (const file of group.toSorted((a, b) => a.entry.lastPosition - b.entry.lastPosition)) {
    const more = loadOf(file)
    const isSmall = more.rows < largeRows && more.stringBytes < largeStringBytes
    if (isSmall && fits(sum(load, more), maxCells)) {
      run.push(file)
      load = sum(load, more)
    } else {
      runs.push(run)
      run = isSmall ? [file] : []
      load = isSmall ? more : nothing
    }
  }
  return [...runs, run]
}

/** What files take in memory while they become one. */
interface Load {
  readonly rows: number
  readonly fields: ReadonlySet<number>
  readonly stringBytes: number
}

const nothing: Load = { rows: 0, fields: new Set(), stringBytes: 0 }

const loadOf = ({ entry }: StoredFile): Load => ({
  rows: entry.rows,
  fields: new Set(entry.fields),
  stringBytes: stringBytesOf(entry),
})

const sum = (a: Load, b: Load): Load => ({
  rows: a.rows + b.rows,
  fields: [...b.fields].every((field) => a.fields.has(field))
    ? a.fields
    : new Set([...a.fields, ...b.fields]),
  stringBytes: a.stringBytes + b.stringBytes,
})

const fits = ({ rows, fields, stringBytes }: Load, maxCells: number): boolean =>
  rows <= maxRows &&
  rows * fields.size <= maxCells &&
  fields.size <= maxFieldsPerFile &&
  stringBytes <= maxStringBytesPerFile

function areNeighbours(run: readonly StoredFile[], files: readonly StoredFile[]): boolean {
  const members = new Set(run)
  const fields = new Set(run.flatMap(({ entry }) => entry.fields))
  const first = run[0]!
  const lowest = first.entry.lastPosition
  const highest = run.at(-1)!.entry.lastPosition
  const minTimeNs = run.reduce((min, file) => (file.minTimeNs < min ? file.minTimeNs : min), first.minTimeNs)
  const maxTimeNs = run.reduce((max, file) => (file.maxTimeNs > max ? file.maxTimeNs : max), first.maxTimeNs)
  return !files.some(
    (file) =>
      !members.has(file) &&
      isSameTable(file, first) &&
      file.entry.lastPosition >= lowest &&
      file.entry.lastPosition <= highest &&
      file.minTimeNs <= maxTimeNs &&
      file.maxTimeNs >= minTimeNs &&
      file.entry.fields.some((field) => fields.has(field)),
  )
}

function isSameTable({ entry: a }: StoredFile, { entry: b }: StoredFile): boolean {
  return (
    a.databaseId === b.databaseId &&
    a.retentionPolicy === b.retentionPolicy &&
    a.measurement === b.measurement
  )
}

/** Chooses a file to write again without what has been deleted in it: what was deleted first comes first. */
export function chooseDeleted(
  files: readonly StoredFile[],
  tombstones: readonly Tombstone[],
): StoredFile | null {
  for (const tombstone of tombstones) {
    const file = files.find((each) => touches(tombstone, each))
    if (file) return file
  }
  return null
}
