import { setImmediate } from 'node:timers/promises'
import { AppError } from '../../common/errors.ts'
import type { TableBuffer } from '../buffer/table-buffer.ts'
import type { FileStore, StoredFile } from '../files/file-store.ts'
import { stringBytesOf } from '../files/manifest.ts'
import { statementFailed, type QueryProcess } from '../query-process/client.ts'
import type { ReadJob } from '../query-process/messages.ts'
import { zonesWithin } from '../buffer/time-zones.ts'
import { BufferedSeries, type WantedField } from './buffered-series.ts'
import { deletedAreas } from './deleted-areas.ts'
import type { ReadBounds } from './read-plan.ts'
import type { Block } from './reader.ts'
import { SeriesMerger } from './series-merger.ts'
import { runsOfRows, type SeriesRun } from './series-runs.ts'
import type { Tombstone } from './tombstones.ts'

export interface ReadSource {
  readonly store: FileStore
  readonly queryProcess: QueryProcess
  /** Files of the measurement that may hold something; they stay until the read ends. */
  readonly files: readonly StoredFile[]
  /** Those in force when the files were chosen. */
  readonly tombstones: readonly Tombstone[]
  /** Buffers of the measurement, older first. */
  readonly tables: readonly TableBuffer[]
  readonly fields: readonly WantedField[]
  readonly signal: AbortSignal
}

/**
 * Blocks whose columns stand in the order of `source.fields`, each series' in the order of time.
 * @throws AppError corrupt, ERR_FILE_CORRUPT; unavailable: ERR_QUERY_PROCESS, ERR_QUERY_STATEMENT;
 * the signal's reason
 */
export async function* readBlocks(source: ReadSource, bounds: ReadBounds): AsyncGenerator<Block> {
  const buffered = new BufferedSeries(source.tables, source.fields, bounds)
  const types = source.fields.map(({ type }) => type)
  const pieces = piecesOfAll(source, bounds)
  try {
    let next = await pieces.next()
    let seriesSinceTurn = 0
    for (const seriesId of bounds.seriesIds) {
      // Buffered points are read without I/O: writers and other readers get their turn all the same.
      if (++seriesSinceTurn >= seriesPerTurn) {
        await setImmediate()
        seriesSinceTurn = 0
      }
      source.signal.throwIfAborted()
      const merger = new SeriesMerger(seriesId, types, buffered.run(seriesId))
      while (!next.done && next.value.seriesId === seriesId) {
        yield* merger.add(next.value.run)
        next = await pieces.next()
      }
      yield* merger.end()
    }
  } finally {
    await pieces.return(undefined)
  }
}

const seriesPerTurn = 64

/** Points of files, in the order of the wanted series and of time. */
async function* piecesOfAll(source: ReadSource, bounds: ReadBounds): AsyncGenerator<SeriesRun, undefined> {
  if (source.files.length === 0) return
  const job = jobOf(source, bounds)
  if (job.files.length === 0) return
  try {
    for await (const rows of source.queryProcess.readParquet(job, source.signal)) yield* runsOfRows(rows)
  } catch (error) {
    source.signal.throwIfAborted()
    await reportDamage(source, error)
  }
}

/** No buffered point is earlier; null if there is none in the range. */
export function firstBuffered({ tables }: ReadSource, { minTimeNs, maxTimeNs }: ReadBounds): bigint | null {
  let first: bigint | null = null
  for (const table of tables)
    for (const zone of zonesWithin(table, minTimeNs, maxTimeNs))
      if (first === null || zone.minTimeNs < first) first = zone.minTimeNs
  return first === null || first > minTimeNs ? first : minTimeNs
}

export function jobOf(source: ReadSource, bounds: ReadBounds): ReadJob {
  const { seriesIds, minTimeNs, maxTimeNs, matching } = bounds
  const wanted = new Set(source.fields.map(({ number }) => number))
  const minSeries = seriesIds.reduce((a, b) => Math.min(a, b), Infinity)
  const maxSeries = seriesIds.reduce((a, b) => Math.max(a, b), -1)
  const deletedOf = deletedAreas(source.tombstones, seriesIds)
  return {
    files: source.files
      .filter((file) => file.minTimeNs <= maxTimeNs && file.maxTimeNs >= minTimeNs)
      .filter(({ entry }) => entry.fields.some((field) => wanted.has(field)))
      .filter(({ entry }) => entry.minSeries <= maxSeries && entry.maxSeries >= minSeries)
      .map((file) => ({
        path: file.path,
        key: source.store.keyOf(file),
        order: file.entry.lastPosition,
        minTimeNs: file.minTimeNs,
        maxTimeNs: file.maxTimeNs,
        stringBytes: stringBytesOf(file.entry),
        columns: file.entry.fields.map((field) => `f${field}`),
        deleted: deletedOf(file),
      })),
    seriesIds,
    columns: source.fields.map(({ number, type }) => ({ name: `f${number}`, type })),
    minTimeNs,
    maxTimeNs,
    // Of points that the buffer may have more of, only the engine can say what they are.
    matching: { comparisons: matching ?? [], beforeNs: firstBuffered(source, bounds) ?? maxTimeNs + 1n },
  }
}

/**
 * A read that failed over a damaged file says which. The files are read through only if DuckDB refused one: not when
 * the query process ended, had too much to do or too little memory.
 */
export async function reportDamage(source: ReadSource, error: unknown): Promise<never> {
  if (!(error instanceof AppError) || error.code !== statementFailed) throw error
  if (/Out of Memory/i.test(error.message)) {
    throw new AppError(
      'too-large',
      'ERR_QUERY_MEMORY',
      'the query needs more memory than it may use: ask for less',
      { cause: error },
    )
  }
  for (const file of source.files) {
    source.signal.throwIfAborted()
    const intact = await source.store.isIntact(file).catch(() => true)
    if (intact) continue
    const { measurement, minTimeNs, maxTimeNs } = file.entry
    throw new AppError(
      'corrupt',
      'ERR_FILE_CORRUPT',
      `${file.entry.name} is damaged: points of measurement "${measurement}" from ${minTimeNs} to ${maxTimeNs} cannot be read`,
      { cause: error },
    )
  }
  throw error
}
