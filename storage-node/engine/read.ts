import { setImmediate } from 'node:timers/promises'
import { AppError } from '../../common/errors.ts'
import type { TableBuffer } from '../buffer/table-buffer.ts'
import type { FileStore, StoredFile } from '../files/file-store.ts'
import { statementFailed, type QueryProcess } from '../query-process/client.ts'
import type { ReadJob } from '../query-process/messages.ts'
import { BufferedSeries, type WantedField } from './buffered-series.ts'
import { halvesOf, planRead, type ReadBounds, type ReadPart } from './read-plan.ts'
import type { Block } from './reader.ts'
import { SeriesMerger } from './series-merger.ts'
import { runsOfRows, type SeriesRun } from './series-runs.ts'
import { deletedAreas, type Tombstone } from './tombstones.ts'

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

/** Rows of files, in the order of the wanted series and of time; a time may repeat, the later row is the newer. */
async function* piecesOfAll(source: ReadSource, bounds: ReadBounds): AsyncGenerator<SeriesRun, undefined> {
  if (source.files.length === 0) return
  const types = source.fields.map(({ type }) => type)
  const left = planRead(source.files, bounds, types).reverse()
  let splits = 0
  for (let readPart = left.pop(); readPart; readPart = left.pop()) {
    const job = jobOf(source, readPart)
    if (job.files.length === 0) continue
    let isBegun = false
    try {
      for await (const rows of source.queryProcess.readParquet(job, source.signal)) {
        isBegun = true
        yield* runsOfRows(rows)
      }
    } catch (error) {
      source.signal.throwIfAborted()
      // What a part takes is an estimate: where few of its series have most of its bytes, halves of it fit.
      const halves = !isBegun && splits++ < maxSplits && isOutOfMemory(error) ? halvesOf(readPart) : null
      if (halves) left.push(...halves.toReversed())
      else await reportDamage(source, readPart, error)
    }
  }
}

/** Parts of one read that are cut because they did not fit into memory. */
const maxSplits = 64

const isOutOfMemory = (error: unknown): boolean =>
  error instanceof AppError && error.code === statementFailed && /Out of Memory/i.test(error.message)

export function jobOf(source: ReadSource, readPart: ReadPart): ReadJob {
  const wanted = new Set(source.fields.map(({ number }) => number))
  const deletedOf = deletedAreas(source.tombstones, readPart.seriesIds)
  return {
    files: readPart.files
      .filter(({ entry }) => entry.fields.some((field) => wanted.has(field)))
      .map((file) => ({
        path: file.path,
        key: source.store.keyOf(file),
        order: file.entry.lastPosition,
        minSeries: file.entry.minSeries,
        maxSeries: file.entry.maxSeries,
        columns: file.entry.fields.map((field) => `f${field}`),
        deleted: deletedOf(file),
      })),
    seriesIds: readPart.seriesIds,
    columns: source.fields.map(({ number, type }) => ({ name: `f${number}`, type })),
    minTimeNs: readPart.minTimeNs,
    maxTimeNs: readPart.maxTimeNs,
  }
}

/**
 * A read that failed over a damaged file says which. The files are read through only if DuckDB refused one: not when
 * the query process ended, had too much to do or too little memory.
 */
export async function reportDamage(
  source: ReadSource,
  readPart: Pick<ReadPart, 'files'>,
  error: unknown,
): Promise<never> {
  if (!(error instanceof AppError) || error.code !== statementFailed) throw error
  if (isOutOfMemory(error)) {
    throw new AppError(
      'too-large',
      'ERR_QUERY_MEMORY',
      'the query needs more memory than it may use: ask for less',
      { cause: error },
    )
  }
  for (const file of readPart.files) {
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
