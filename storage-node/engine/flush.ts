import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { AppError, assert, messageOf } from '../../common/errors.ts'
import type { TableBuffer } from '../buffer/table-buffer.ts'
import { keyBytes } from '../crypto/keyring.ts'
import { withoutFolders } from '../disk/disk.ts'
import { maxSeriesPerDictionary } from '../files/dictionary.ts'
import type { FileStore } from '../files/file-store.ts'
import { factsOf, fileColumns, fileRows, halved, planFiles, type PlannedFile } from '../files/layout.ts'
import type { DictionaryEntry, FileEntry } from '../files/manifest.ts'
import { processFailed, statementFailed, type QueryProcess } from '../query-process/client.ts'
import { allTables, type StoredDatabase } from './stored-database.ts'

/** A database as it was when the buffers were frozen. */
export interface FrozenDatabase {
  readonly database: StoredDatabase
  readonly seriesCount: number
  readonly fieldCount: number
}

/** Puts empty buffers in the place of those that are to become files. */
export function frozenDatabase(database: StoredDatabase): FrozenDatabase {
  assert(database.frozen === null, 'buffers are frozen once')
  database.frozen = database.active
  database.active = new Map()
  const { seriesCount, fieldCount } = database.catalog
  return { database, seriesCount, fieldCount }
}

/** All buffers as they were at log position `position`. */
export interface Freeze {
  readonly position: number
  readonly databases: readonly FrozenDatabase[]
  /** Called when the files are there: until then, deletes are kept for them. */
  readonly arrived: () => void
}

export interface FlushTools {
  readonly store: FileStore
  readonly queryProcess: QueryProcess
  readonly shardDurationNs: (databaseId: string, retentionPolicy: string) => bigint
  /** Rows times columns. */
  readonly cellsPerFile: number
  /** Makes room on a full disk. @returns whether another attempt is worth it */
  readonly makeRoom: () => Promise<boolean>
}

const maxSmallDictionaries = 16

/**
 * Makes frozen buffers files and puts the manifest in force that names them. If it fails, nothing has changed and it
 * can be tried again.
 */
export async function writeFreeze(tools: FlushTools, freeze: Freeze): Promise<void> {
  try {
    await writeOnce(tools, freeze)
  } catch (error) {
    if (!(await tools.makeRoom())) throw error
    await writeOnce(tools, freeze)
  }
}

async function writeOnce(tools: FlushTools, freeze: Freeze): Promise<void> {
  const { store } = tools
  const files: FileEntry[] = []
  const dictionaries: DictionaryEntry[] = []
  const replaced = new Set<string>()
  try {
    for (const frozen of freeze.databases) {
      const { id: databaseId, frozen: buffers } = frozen.database
      for (const { retentionPolicy, measurement, table } of allTables(buffers)) {
        const place = { databaseId, retentionPolicy, measurement }
        for await (const entry of writeTable(tools, freeze, place, table)) files.push(entry)
      }
      const written = await writeDictionaries(store, freeze.position, frozen)
      dictionaries.push(...written.entries)
      for (const name of written.replaced) replaced.add(name)
    }
  } catch (error) {
    await store.discard([...files, ...dictionaries].map(({ name }) => name))
    throw error
  }
  await store.commit(freeze.position, files, dictionaries, replaced)
  for (const { database } of freeze.databases) database.catalog.settle(freeze.position)
}

/** What is told of a flush that failed. */
export function flushFailed(cause: unknown): AppError {
  const text = `buffers could not be put into files: ${withoutFolders(messageOf(cause))}`
  return new AppError('unavailable', 'ERR_FLUSH', text, { cause })
}

type Place = Pick<FileEntry, 'databaseId' | 'retentionPolicy' | 'measurement'>

/** How often the rows of a file that was too much for the query process are halved. */
const maxHalvings = 8

async function* writeTable(
  tools: FlushTools,
  freeze: Freeze,
  place: Place,
  table: TableBuffer,
): AsyncGenerator<FileEntry> {
  const shardDurationNs = tools.shardDurationNs(place.databaseId, place.retentionPolicy)
  for (const planned of planFiles(table, shardDurationNs, tools.cellsPerFile)) {
    // Writers and readers get their turn, however large the buffer.
    await setImmediate()
    if (planned) yield* writeOrHalve(tools, freeze, place, table, planned, maxHalvings)
  }
}

async function* writeOrHalve(
  tools: FlushTools,
  freeze: Freeze,
  place: Place,
  table: TableBuffer,
  planned: PlannedFile,
  halvings: number,
): AsyncGenerator<FileEntry> {
  const written = await writeFile(tools, freeze, place, table, planned).catch((error: unknown) => {
    const halves = halvings > 0 && wasTooMuch(error) ? halved(table, planned) : null
    if (!halves) throw error
    return halves
  })
  if ('name' in written) yield written
  else for (const half of written) yield* writeOrHalve(tools, freeze, place, table, half, halvings - 1)
}

async function writeFile(
  { store, queryProcess }: FlushTools,
  freeze: Freeze,
  place: Place,
  table: TableBuffer,
  planned: PlannedFile,
): Promise<FileEntry> {
  const { name, temporaryPath } = store.newParquet()
  const key = randomBytes(keyBytes)
  const columns = fileColumns(table, planned)
  await queryProcess.writeParquet(temporaryPath, key, columns, fileRows(table, planned))
  const adopted = await store.adopt(name, temporaryPath)
  const facts = await inTurns(factsOf(table, planned))
  return {
    ...place,
    ...facts,
    ...adopted,
    name,
    firstPosition: store.checkpoint + 1,
    lastPosition: freeze.position,
    minTimeNs: String(facts.minTimeNs),
    maxTimeNs: String(facts.maxTimeNs),
    fields: [...planned.fields],
    sealedKey: store.sealKey(name, key),
  }
}

async function inTurns<T>(work: Generator<null, T>): Promise<T> {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
    await setImmediate()
  }
}

/** Whether the query process had too little memory, as far as its end tells. */
function wasTooMuch(error: unknown): boolean {
  if (!(error instanceof AppError)) return false
  return (
    error.code === processFailed || (error.code === statementFailed && /memory|allocate/i.test(error.message))
  )
}

/**
 * Gathers a database's new series and fields; many small dictionaries are written again as one, and those that name
 * what has been dropped since are written again without.
 */
async function writeDictionaries(
  store: FileStore,
  lastPosition: number,
  frozen: FrozenDatabase,
): Promise<{ readonly entries: DictionaryEntry[]; readonly replaced: readonly string[] }> {
  const { database, seriesCount, fieldCount } = frozen
  const { catalog, id: databaseId } = database
  const known = store.dictionaries(databaseId)
  const firstSmall = known.findIndex((entry) => entry.seriesCount < maxSeriesPerDictionary)
  const small = firstSmall < 0 ? [] : known.slice(firstSmall)
  const merged = small.length >= maxSmallDictionaries ? small : []
  const kept = known.slice(0, known.length - merged.length)
  const stale = kept.filter(({ firstSeries, firstField, ...counts }) =>
    catalog.hasDropped(
      [firstSeries, firstSeries + counts.seriesCount],
      [firstField, firstField + counts.fieldCount],
      lastPosition,
    ),
  )
  const before = kept.at(-1)
  let firstSeries = before ? before.firstSeries + before.seriesCount : 0
  let firstField = before ? before.firstField + before.fieldCount : 0
  const entries: DictionaryEntry[] = []
  for (const entry of stale) entries.push(await store.writeDictionary(catalog, { ...entry, lastPosition }))
  while (firstSeries < seriesCount || firstField < fieldCount) {
    const part = {
      databaseId,
      lastPosition,
      firstSeries,
      seriesCount: Math.min(seriesCount - firstSeries, maxSeriesPerDictionary),
      firstField,
      fieldCount: fieldCount - firstField,
    }
    entries.push(await store.writeDictionary(catalog, part))
    firstSeries += part.seriesCount
    firstField += part.fieldCount
  }
  return { entries, replaced: [...merged, ...stale].map(({ name }) => name) }
}
