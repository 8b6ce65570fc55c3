import { setImmediate } from 'node:timers/promises'
import { AppError } from '../../common/errors.ts'
import { TableBuffer } from '../buffer/table-buffer.ts'
import { copyRows, finishVector, newVector } from '../buffer/vector.ts'
import type { FileStore, StoredFile } from '../files/file-store.ts'
import type { BatchColumn } from '../line-protocol/batch.ts'
import { areaOf, simplified } from './deleted-areas.ts'
import type { DeleteRecord } from './record.ts'
import { allTables, type Buffers, type StoredDatabase } from './stored-database.ts'
import { everyTimeNs, hasSeries, runsOf, touches, type DeletedArea, type Tombstone } from './tombstones.ts'

/** What to delete: all that was written before and is in all of these. */
export interface DeleteRequest {
  readonly databaseId: string
  /** null is every policy. */
  readonly retentionPolicy: string | null
  /** null is every measurement. */
  readonly measurement: string | null
  /** null is every series, also those that the caller has not heard of. */
  readonly seriesIds: readonly number[] | null
  /** Inclusive, nanoseconds; so is the other. */
  readonly minTimeNs: bigint
  readonly maxTimeNs: bigint
}

/** Runs of series in one delete. */
export const maxRunsPerDelete = 10_000
/** Deletes that files have yet to see, and runs of series in all of them: the manifest holds them. */
export const maxTombstones = 1_000
export const maxRuns = 50_000
/** What a read of one file leaves out at most: it looks each of them up for each series. */
export const maxAreasPerFile = 256
export const maxRunsPerFile = 2 * maxRunsPerDelete

/**
 * @returns the record of a delete; null where there is nothing to delete
 * @throws AppError too-large, ERR_DELETE_SERIES
 */
export function deleteRecord(database: StoredDatabase, request: DeleteRequest): DeleteRecord | null {
  const { databaseId, retentionPolicy, measurement, seriesIds, minTimeNs, maxTimeNs } = request
  // Part by part: the manifest has no place for anything else, and a start refuses one that has.
  const parts = { databaseId, retentionPolicy, measurement, minTimeNs, maxTimeNs }
  if (seriesIds === null) return { kind: 'delete', ...parts, series: null }
  const wanted = new Set(seriesIds)
  const live = database.catalog.liveSeries(measurement)
  const series = runsOf(
    live.filter((id) => wanted.has(id)),
    live,
  )
  if (series.length === 0) return null
  if (series.length > 2 * maxRunsPerDelete) {
    throw new AppError(
      'too-large',
      'ERR_DELETE_SERIES',
      `the delete names ${series.length / 2} groups of series, of at most ${maxRunsPerDelete}: delete by other tags, or in several parts`,
    )
  }
  return { kind: 'delete', ...parts, series }
}

/** Deletes on their way into the log, within what a manifest may hold and what a read of one file may have to leave out. */
export class PendingDeletes {
  readonly #store: Pick<FileStore, 'tombstones' | 'files'>
  readonly #waiting = new Set<DeleteRecord>()

  constructor(store: Pick<FileStore, 'tombstones' | 'files'>) {
    this.#store = store
  }

  /** @throws AppError unavailable, ERR_TOO_MANY_DELETES, until a compaction has made room */
  async add(record: DeleteRecord, append: (record: DeleteRecord) => Promise<unknown>): Promise<void> {
    const { tombstones, files } = this.#store
    const others = [...tombstones, ...[...this.#waiting].map(asTombstone)]
    if (others.length >= maxTombstones || runsIn([...others, record]) > maxRuns) throw tooMany()
    this.#waiting.add(record)
    try {
      if (await overloadsFile(files, others, asTombstone(record))) throw tooMany()
      await append(record)
    } finally {
      this.#waiting.delete(record)
    }
  }
}

const tooMany = () =>
  new AppError('unavailable', 'ERR_TOO_MANY_DELETES', 'deletes come faster than they can be applied to files')

const runsIn = (areas: readonly DeletedArea[]): number =>
  areas.reduce((sum, { series }) => sum + (series?.length ?? 0) / 2, 0)

/** Files have seen nothing of it yet, whatever its position will be. */
const asTombstone = (record: DeleteRecord): Tombstone => ({ ...record, position: Infinity })

const filesPerTurn = 64

/** Would a file come to have more areas or runs than a read may have to leave out? */
async function overloadsFile(
  files: readonly StoredFile[],
  others: readonly Tombstone[],
  added: Tombstone,
): Promise<boolean> {
  const all = [...others, added]
  if (all.length <= maxAreasPerFile && runsIn(all) <= maxRunsPerFile) return false
  /** Most files are touched by the same deletes. */
  const seen = new Set<string>()
  for (const [index, file] of files.entries()) {
    if (index % filesPerTurn === 0) await setImmediate()
    if (!touches(added, file)) continue
    const places = [...all.keys()].filter((place) => touches(all[place]!, file))
    if (places.length <= maxAreasPerFile && runsIn(places.map((place) => all[place]!)) <= maxRunsPerFile)
      continue
    const key = places.join()
    if (seen.has(key)) continue
    seen.add(key)
    const areas = simplified(places.map((place) => areaOf(all[place]!, all[place]!.series)))
    if (areas.length > maxAreasPerFile || runsIn(areas) > maxRunsPerFile) return true
  }
  return false
}

/** Does what a durable record says: to the buffers, to the files, and to series of which it leaves nothing. */
export function applyDelete(
  database: StoredDatabase | undefined,
  store: Pick<FileStore, 'addTombstone'>,
  record: DeleteRecord,
  position: number,
): void {
  const { kind: _, ...tombstone } = record
  store.addTombstone({ ...tombstone, position })
  if (!database) return
  if (database.frozen) deleteRows(database.frozen, record)
  deleteRows(database.active, record)
  const { catalog } = database
  const isEverything =
    record.retentionPolicy === null &&
    record.minTimeNs === everyTimeNs.minTimeNs &&
    record.maxTimeNs === everyTimeNs.maxTimeNs
  if (!isEverything) return
  catalog.dropSeries(record.measurement, (id) => hasSeries(record.series, id), position)
}

function deleteRows(buffers: Buffers, record: DeleteRecord): void {
  for (const { retentionPolicy, measurement, table } of allTables(buffers)) {
    if (record.retentionPolicy !== null && record.retentionPolicy !== retentionPolicy) continue
    if (record.measurement !== null && record.measurement !== measurement) continue
    const kept = keptRows(table, record)
    if (kept.length === 2 && kept[0] === 0 && kept[1] === table.rowCount) continue
    const tables = buffers.get(retentionPolicy)!
    // A read under way and a flush go on with the rows that they began with: those do not change.
    if (kept.length > 0) tables.set(measurement, copyOf(table, kept))
    else tables.delete(measurement)
  }
}

/** @returns runs of rows that stay: where one begins, where it ends, and so on */
function keptRows({ series, times, rowCount }: TableBuffer, record: DeleteRecord): number[] {
  const { minTimeNs, maxTimeNs } = record
  const anyTime = minTimeNs === everyTimeNs.minTimeNs && maxTimeNs === everyTimeNs.maxTimeNs
  const kept: number[] = []
  let isOpen = false
  let lastId = -1
  let isNamed = false
  for (let row = 0; row < rowCount; row++) {
    if (series[row] !== lastId) {
      lastId = series[row]!
      isNamed = hasSeries(record.series, lastId)
    }
    const stays = !isNamed || !(anyTime || (times[row]! >= minTimeNs && times[row]! <= maxTimeNs))
    if (stays !== isOpen) kept.push(row)
    isOpen = stays
  }
  if (isOpen) kept.push(rowCount)
  return kept
}

/** @param kept runs of rows, at least one */
function copyOf(table: TableBuffer, kept: readonly number[]): TableBuffer {
  let rowCount = 0
  for (let k = 0; k < kept.length; k += 2) rowCount += kept[k + 1]! - kept[k]!
  const seriesOfRow = new Uint32Array(rowCount)
  const times = new BigInt64Array(rowCount)
  eachRun(kept, (from, end, to) => {
    seriesOfRow.set(table.series.subarray(from, end), to)
    times.set(table.times.subarray(from, end), to)
  })
  const numbers: number[] = []
  const columns: BatchColumn[] = []
  for (const number of table.fields) {
    const all = table.column(number)!
    const vector = newVector(all.type, rowCount)
    eachRun(kept, (from, end, to) => copyRows(all, from, vector, to, end - from))
    const column = finishVector(vector, rowCount)
    if (!column) continue
    numbers.push(number)
    columns.push({ ...column, name: '' })
  }
  const ids = numberSeries(seriesOfRow)
  const copy = new TableBuffer()
  copy.append({ measurement: '', rowCount, series: [], seriesOfRow, times, columns }, ids, numbers, null)
  return copy
}

/** Puts an index in the place of each series id. @returns the ids, found by their indexes */
function numberSeries(seriesOfRow: Uint32Array): Uint32Array {
  const indexes = new Map<number, number>()
  for (const [row, id] of seriesOfRow.entries()) {
    let index = indexes.get(id)
    if (index === undefined) {
      index = indexes.size
      indexes.set(id, index)
    }
    seriesOfRow[row] = index
  }
  return Uint32Array.from(indexes.keys())
}

function eachRun(runs: readonly number[], visit: (from: number, end: number, to: number) => void): void {
  let to = 0
  for (let k = 0; k < runs.length; k += 2) {
    visit(runs[k]!, runs[k + 1]!, to)
    to += runs[k + 1]! - runs[k]!
  }
}
