import { randomBytes } from 'node:crypto'
import { textBytes, textColumns } from '../buffer/text-bytes.ts'
import { copyRows, newVector, type Vector } from '../buffer/vector.ts'
import { keyBytes } from '../crypto/keyring.ts'
import type { FileStore, StoredFile } from '../files/file-store.ts'
import { maxStringBytesPerBatch, rowsPerBatch, type FileFacts } from '../files/layout.ts'
import type { FileEntry } from '../files/manifest.ts'
import type { QueryProcess } from '../query-process/client.ts'
import type { NamedColumn, Rows } from '../query-process/messages.ts'
import type { WantedField } from './buffered-series.ts'
import { readBlocks } from './read.ts'
import type { Block } from './reader.ts'
import { deletedThrough, everyTimeNs, type Tombstone } from './tombstones.ts'

export interface CompactionTools {
  readonly store: FileStore
  readonly queryProcess: QueryProcess
}

/**
 * Makes files of one measurement one, or none if all in them is deleted, as a read of them would give it, and puts the
 * manifest in force in which it stands in their place.
 * @param seriesIds all series of the measurement
 * @param allFields the measurement's fields
 */
export async function compactFiles(
  tools: CompactionTools,
  files: readonly StoredFile[],
  seriesIds: readonly number[],
  allFields: Iterable<WantedField>,
): Promise<void> {
  const { store } = tools
  const { tombstones } = store
  const through = Math.max(...files.map(deletedThrough), ...tombstones.map(({ position }) => position))
  const arrived = store.awaitFiles(through)
  try {
    const present = new Set(files.flatMap(({ entry }) => entry.fields))
    const fields = [...allFields].filter(({ number }) => present.has(number))
    const written = await writeMerged(tools, files, tombstones, seriesIds, fields)
    const { databaseId, retentionPolicy, measurement } = files[0]!.entry
    const entry = written && {
      databaseId,
      retentionPolicy,
      measurement,
      ...written,
      firstPosition: Math.min(...files.map(({ entry }) => entry.firstPosition)),
      lastPosition: Math.max(...files.map(({ entry }) => entry.lastPosition)),
      deletedThrough: through,
      fields: fields.map(({ number }) => number),
    }
    const replaced = new Set(files.map(({ entry }) => entry.name))
    await store.commit(store.checkpoint, entry ? [entry] : [], [], replaced)
  } finally {
    arrived()
  }
}

type Written = Omit<FileEntry, keyof Place | 'firstPosition' | 'lastPosition' | 'deletedThrough' | 'fields'>
type Place = Pick<FileEntry, 'databaseId' | 'retentionPolicy' | 'measurement'>

/** @returns null where nothing is left to be written */
async function writeMerged(
  { store, queryProcess }: CompactionTools,
  files: readonly StoredFile[],
  tombstones: readonly Tombstone[],
  seriesIds: readonly number[],
  fields: readonly WantedField[],
): Promise<Written | null> {
  const minSeries = Math.min(...files.map(({ entry }) => entry.minSeries))
  const maxSeries = Math.max(...files.map(({ entry }) => entry.maxSeries))
  const wanted = seriesIds.filter((id) => id >= minSeries && id <= maxSeries).sort((a, b) => a - b)
  const { signal } = new AbortController()
  const blocks = readBlocks(
    { store, queryProcess, files, tombstones, tables: [], fields, signal },
    { ...everyTimeNs, seriesIds: wanted },
  )
  const gathering = new Gathering(fields)
  const batches = gathering.batches(blocks)
  const first = await batches.next()
  if (first.done) return null
  const columns: NamedColumn[] = [
    { name: 'series', type: 'series' },
    { name: 'time', type: 'integer' },
    ...fields.map(({ number, type }) => ({ name: `f${number}`, type })),
  ]
  const { name, temporaryPath } = store.newParquet()
  const key = randomBytes(keyBytes)
  await queryProcess.writeParquet(temporaryPath, key, columns, begunWith(first.value, batches))
  const adopted = await store.adopt(name, temporaryPath)
  const { minTimeNs, maxTimeNs, ...facts } = gathering.facts
  return {
    ...facts,
    ...adopted,
    name,
    minTimeNs: String(minTimeNs),
    maxTimeNs: String(maxTimeNs),
    sealedKey: store.sealKey(name, key),
  }
}

async function* begunWith<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first
  yield* rest
}

/** Blocks put together to batches worth sending, with what the manifest has to know of them. */
class Gathering {
  readonly #fields: readonly WantedField[]
  readonly #batchRows: number
  #rowCount = 0
  #batchStringBytes = 0
  #stringBytes = 0
  #series = new Uint32Array(0)
  #times = new BigInt64Array(0)
  #vectors: Vector[] = []
  #facts: Omit<FileFacts, 'stringBytes'> | null = null

  constructor(fields: readonly WantedField[]) {
    this.#fields = fields
    this.#batchRows = rowsPerBatch(fields.length)
    this.#begin()
  }

  get facts(): FileFacts {
    const none = { rows: 0, seriesCount: 0, minSeries: 0, maxSeries: 0, minTimeNs: 0n, maxTimeNs: 0n }
    return { ...(this.#facts ?? none), stringBytes: this.#stringBytes }
  }

  async *batches(blocks: AsyncIterable<Block>): AsyncGenerator<Rows> {
    for await (const block of blocks) {
      this.#note(block)
      for (let from = 0; from < block.times.length;) {
        const count = this.#countThatFits(block, from)
        this.#add(block, from, count)
        from += count
        if (this.#isFull) yield this.#take()
      }
    }
    if (this.#rowCount > 0) yield this.#take()
  }

  get #isFull(): boolean {
    return this.#rowCount === this.#batchRows || this.#batchStringBytes >= maxStringBytesPerBatch
  }

  /** Rows up to where the batch is full, at least one. */
  #countThatFits({ times, columns }: Block, from: number): number {
    const maxCount = Math.min(times.length - from, this.#batchRows - this.#rowCount)
    const texts = textColumns(columns)
    if (texts.length === 0) return maxCount
    let count = 0
    while (count < maxCount && this.#batchStringBytes < maxStringBytesPerBatch) {
      const bytes = textBytes(texts, from + count++)
      this.#batchStringBytes += bytes
      this.#stringBytes += bytes
    }
    return count
  }

  #begin(): void {
    const rows = this.#batchRows
    this.#rowCount = 0
    this.#batchStringBytes = 0
    this.#series = new Uint32Array(rows)
    this.#times = new BigInt64Array(rows)
    this.#vectors = this.#fields.map(({ type }) => newVector(type, rows))
  }

  #add(block: Block, from: number, count: number): void {
    const to = this.#rowCount
    this.#series.fill(block.seriesId, to, to + count)
    this.#times.set(block.times.subarray(from, from + count), to)
    for (const [index, column] of block.columns.entries())
      if (column) copyRows(column, from, this.#vectors[index]!, to, count)
    this.#rowCount += count
  }

  /** The last batch is shorter than its columns: rows past the count are not sent on. */
  #take(): Rows {
    const rows: Rows = {
      rowCount: this.#rowCount,
      columns: [
        { type: 'series', values: this.#series, present: null },
        { type: 'integer', values: this.#times, present: null },
        ...this.#vectors,
      ],
    }
    this.#begin()
    return rows
  }

  #note({ seriesId, times }: Block): void {
    const first = times[0]!
    const last = times.at(-1)!
    const known = this.#facts
    this.#facts = {
      rows: (known?.rows ?? 0) + times.length,
      seriesCount: (known?.seriesCount ?? 0) + (known?.maxSeries === seriesId ? 0 : 1),
      minSeries: known?.minSeries ?? seriesId,
      maxSeries: seriesId,
      minTimeNs: known && known.minTimeNs < first ? known.minTimeNs : first,
      maxTimeNs: known && known.maxTimeNs > last ? known.maxTimeNs : last,
    }
  }
}
