import { AppError } from '../../common/errors.ts'
import { pickColumn } from '../buffer/merge.ts'
import { TableBuffer } from '../buffer/table-buffer.ts'
import type { FileStore } from '../files/file-store.ts'
import type { BatchColumn } from '../line-protocol/batch.ts'
import type { DeleteRecord } from './record.ts'
import { allTables, type Buffers, type StoredDatabase } from './stored-database.ts'
import { everyTimeNs, hasSeries, isDeleted, runsOf } from './tombstones.ts'

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

/**
 * @returns the record of a delete; null where there is nothing to delete
 * @throws AppError too-large, ERR_DELETE_SERIES
 */
export function deleteRecord(database: StoredDatabase, request: DeleteRequest): DeleteRecord | null {
  const { seriesIds, ...rest } = request
  if (seriesIds === null) return { kind: 'delete', ...rest, series: null }
  const wanted = new Set(seriesIds)
  const live = database.catalog.liveSeries(request.measurement)
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
  return { kind: 'delete', ...rest, series }
}

/** Deletes on their way into the log, within what a manifest may hold. */
export class PendingDeletes {
  readonly #store: Pick<FileStore, 'tombstones'>
  readonly #waiting = new Set<DeleteRecord>()

  constructor(store: Pick<FileStore, 'tombstones'>) {
    this.#store = store
  }

  /** @throws AppError unavailable, ERR_TOO_MANY_DELETES, until a compaction has made room */
  async add(record: DeleteRecord, append: (record: DeleteRecord) => Promise<unknown>): Promise<void> {
    const others = [...this.#store.tombstones, ...this.#waiting]
    const runs = [...others, record].reduce((sum, { series }) => sum + (series?.length ?? 0) / 2, 0)
    if (others.length >= maxTombstones || runs > maxRuns) {
      throw new AppError(
        'unavailable',
        'ERR_TOO_MANY_DELETES',
        'deletes come faster than they can be applied to files',
      )
    }
    this.#waiting.add(record)
    try {
      await append(record)
    } finally {
      this.#waiting.delete(record)
    }
  }
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
  const live = catalog.liveSeries(record.measurement)
  catalog.dropSeries(
    live.filter((id) => hasSeries(record.series, id)),
    position,
  )
}

function deleteRows(buffers: Buffers, record: DeleteRecord): void {
  for (const { retentionPolicy, measurement, table } of allTables(buffers)) {
    if (record.retentionPolicy !== null && record.retentionPolicy !== retentionPolicy) continue
    if (record.measurement !== null && record.measurement !== measurement) continue
    const rows = keptRows(table, record)
    if (rows.length === table.rowCount) continue
    const tables = buffers.get(retentionPolicy)!
    // A read under way and a flush go on with the rows that they began with: those do not change.
    if (rows.length > 0) tables.set(measurement, copyOf(table, rows))
    else tables.delete(measurement)
  }
}

function keptRows({ series, times, rowCount }: TableBuffer, record: DeleteRecord): Int32Array {
  const areas = [record]
  const rows = new Int32Array(rowCount)
  let count = 0
  for (let row = 0; row < rowCount; row++)
    if (!isDeleted(areas, series[row]!, times[row]!)) rows[count++] = row
  return rows.subarray(0, count)
}

function copyOf(table: TableBuffer, rows: Int32Array): TableBuffer {
  const rowCount = rows.length
  const picking = {
    rows,
    sources: new Uint8Array(rowCount),
    targets: Int32Array.from({ length: rowCount }, (_, index) => index),
    targetCount: rowCount,
  }
  const numbers: number[] = []
  const columns: BatchColumn[] = []
  for (const number of table.fields) {
    const { type } = table.column(number)!
    const column = pickColumn(type, [table.column(number)], picking)
    if (!column) continue
    numbers.push(number)
    columns.push({ ...column, name: '' })
  }
  const indexOf = new Map<number, number>()
  const seriesOfRow = Uint32Array.from(rows, (row) => {
    const id = table.series[row]!
    const known = indexOf.get(id)
    if (known === undefined) indexOf.set(id, indexOf.size)
    return known ?? indexOf.size - 1
  })
  const times = BigInt64Array.from({ length: rowCount }, (_, index) => table.times[rows[index]!]!)
  const copy = new TableBuffer()
  const batch = { measurement: '', rowCount, series: [], seriesOfRow, times, columns }
  copy.append(batch, Uint32Array.from(indexOf.keys()), numbers, null)
  return copy
}
