import { chooseCompaction, chooseDeleted } from '../files/compaction.ts'
import type { FileStore, StoredFile } from '../files/file-store.ts'
import type { QueryProcess } from '../query-process/client.ts'
import type { Attachments } from './attachments.ts'
import { compactFiles } from './compact.ts'
import type { DiskGuard } from './disk-guard.ts'
import type { EngineOptions } from './options.ts'
import type { StoredDatabase } from './stored-database.ts'

const pauseMs = 10 * 60_000
/** Files that a run writes again without their deleted rows. */
const maxDeletedPerRun = 16

/** Makes many small files few, and files with deleted rows files without. A failure loses nothing; the next attempt waits a while. */
export class Compactor {
  readonly #options: EngineOptions
  readonly #store: FileStore
  readonly #queryProcess: QueryProcess
  readonly #diskGuard: DiskGuard
  readonly #alone: (work: () => Promise<void>) => Promise<void>
  #afterMs = 0
  #count = 0

  /** @param alone does work while nothing else changes the manifest */
  constructor(
    options: EngineOptions,
    store: FileStore,
    queryProcess: QueryProcess,
    diskGuard: DiskGuard,
    alone: (work: () => Promise<void>) => Promise<void>,
  ) {
    this.#options = options
    this.#store = store
    this.#queryProcess = queryProcess
    this.#diskGuard = diskGuard
    this.#alone = alone
  }

  /** Compactions since the start. */
  get count(): number {
    return this.#count
  }

  /** Does one compaction, if one is due, and rids some files of rows that have been deleted. */
  async run(
    attachments: Attachments,
    databases: ReadonlyMap<string, StoredDatabase>,
    stopped: AbortSignal,
  ): Promise<void> {
    const { clock, log } = this.#options
    if (clock.monotonicMs() < this.#afterMs) return
    const store = this.#store
    try {
      const small = chooseCompaction(store.files, (id, name) => attachments.shardDurationNs(id, name))
      // What is rid of deleted rows makes room, and may take of the last for it.
      if (small && (await this.#diskGuard.hasRoomFor(bytesOf(small)))) await this.#compact(small, databases)
      for (let count = 0; count < maxDeletedPerRun && !stopped.aborted; count++) {
        const file = chooseDeleted(store.files, store.tombstones)
        if (!file) return
        await this.#compact([file], databases)
      }
    } catch (error) {
      log.error({ err: error }, 'files could not be compacted')
      this.#afterMs = clock.monotonicMs() + pauseMs
    }
  }

  async #compact(
    files: readonly StoredFile[],
    databases: ReadonlyMap<string, StoredDatabase>,
  ): Promise<void> {
    const { entry } = files[0]!
    const measurement = databases.get(entry.databaseId)?.catalog.measurement(entry.measurement)
    if (!measurement) return
    const tools = { store: this.#store, queryProcess: this.#queryProcess }
    await this.#alone(async () => {
      if (!files.every((file) => this.#store.files.includes(file))) return
      await compactFiles(tools, files, measurement.seriesIds, measurement.fields.values())
      this.#count++
      this.#options.log.info({ inputs: files.length, files: this.#store.files.length }, 'files compacted')
    })
  }
}

/** The new file stands beside the old ones until it is in force; it is hardly ever larger than they are together. */
function bytesOf(files: readonly StoredFile[]): number {
  return files.reduce((sum, { entry }) => sum + entry.sizeBytes, 0)
}
