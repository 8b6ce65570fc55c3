import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../common/clock.ts'
import { AppError, assert } from '../../common/errors.ts'
import type { TableBuffer } from '../buffer/table-buffer.ts'
import type { FileStore, StoredFile } from '../files/file-store.ts'
import { areaOf, simplified } from './deleted-areas.ts'
import { InOrder } from './in-order.ts'
import { prepareRows, remainder, type PreparedRows } from './kept-rows.ts'
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
  /** With ids: what `Reader.generation` was before they were looked for. They mean nothing in another one. */
  readonly generation?: symbol | null
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
  const live = database.catalog.liveSeries(measurement)
  const series = runsOf(inBoth(live, Float64Array.from(seriesIds).sort()), live)
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

/** @param live ascending, like the wanted ones */
function inBoth(live: readonly number[], wanted: Float64Array): number[] {
  let at = 0
  return live.filter((id) => {
    while (wanted[at]! < id) at++
    return wanted[at] === id
  })
}

type Append = (record: DeleteRecord, prepared: PreparedRows) => Promise<unknown>

/** A delete of more than this part of what may be copied is prepared; of less it takes no time. */
const smallPart = 1 / 16

interface DeleteBounds {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly store: Pick<FileStore, 'tombstones' | 'files'>
  /** What may be copied of the buffers beside them. */
  readonly maxCopiedBytes: number
}

/**
 * Deletes on their way into the log, within what a manifest may hold and what a read of one file may have to leave out.
 * One after the other: each is measured beside those before it, and the numbers by which it names series are those of
 * the database as it is when the log takes it.
 */
export class Deletes {
  readonly #bounds: DeleteBounds
  readonly #append: Append
  readonly #order = new InOrder()

  constructor(bounds: DeleteBounds, append: Append) {
    this.#bounds = bounds
    this.#append = append
  }

  /** For what deletes a database as a whole, of which numbers mean something else when it comes again. */
  readonly inOrder = <T>(work: () => Promise<T>): Promise<T> => this.#order.run(work)

  /**
   * @param find the database as it is by then, if it is: of one that came again since the series were looked for nothing goes
   * @throws AppError too-large, ERR_DELETE_SERIES; unavailable, ERR_TOO_MANY_DELETES, until a compaction has made room
   */
  add(request: DeleteRequest, find: () => StoredDatabase | undefined): Promise<void> {
    const { seriesIds, generation } = request
    assert(seriesIds === null || generation !== undefined, 'ids of series belong to a generation')
    return this.#order.run(async () => {
      const database = find()
      if (!database || (seriesIds && generation !== database.generation)) return
      const record = deleteRecord(database, request)
      if (record) await this.#put(database, record)
    })
  }

  async #put(database: StoredDatabase, record: DeleteRecord): Promise<void> {
    const { clock, store, maxCopiedBytes } = this.#bounds
    const { tombstones, files } = store
    if (tombstones.length >= maxTombstones || runsIn([...tombstones, record]) > maxRuns) throw tooMany()
    if (await overloadsFile(files, tombstones, asTombstone(record))) throw tooMany()
    const tables = bufferedTables(database, record)
    const bytes = tables.reduce((sum, table) => sum + table.bytes, 0)
    const isSmall = bytes <= smallPart * maxCopiedBytes
    const bounds = { clock, maxBytes: maxCopiedBytes }
    await this.#append(record, isSmall ? new Map() : await prepareRows(tables, record, bounds))
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
  prepared: PreparedRows = new Map(),
): void {
  const { kind: _, ...tombstone } = record
  store.addTombstone({ ...tombstone, position })
  if (!database) return
  if (database.frozen) deleteRows(database.frozen, record, prepared)
  deleteRows(database.active, record, prepared)
  const { catalog } = database
  const isEverything =
    record.retentionPolicy === null &&
    record.minTimeNs === everyTimeNs.minTimeNs &&
    record.maxTimeNs === everyTimeNs.maxTimeNs
  if (!isEverything) return
  catalog.dropSeries(record.measurement, (id) => hasSeries(record.series, id), position)
}

function deleteRows(buffers: Buffers, record: DeleteRecord, prepared: PreparedRows): void {
  for (const { retentionPolicy, measurement, table } of tablesOf(buffers, record)) {
    const left = remainder(table, record, prepared)
    if (left === table) continue
    const tables = buffers.get(retentionPolicy)!
    // A read under way and a flush go on with the rows that they began with: those do not change.
    if (left) tables.set(measurement, left)
    else tables.delete(measurement)
  }
}

const bufferedTables = ({ frozen, active }: StoredDatabase, record: DeleteRecord): TableBuffer[] =>
  [...tablesOf(frozen, record), ...tablesOf(active, record)].map(({ table }) => table)

/** Those in which the delete may have something to delete. */
function tablesOf(buffers: Buffers | null, { retentionPolicy, measurement }: DeleteRecord) {
  return [...allTables(buffers)].filter(
    (each) =>
      (retentionPolicy === null || retentionPolicy === each.retentionPolicy) &&
      (measurement === null || measurement === each.measurement),
  )
}
