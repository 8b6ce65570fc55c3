import { chooseCompaction, chooseDeleted } from '../files/compaction.ts'
import type { FileStore, StoredFile } from '../files/file-store.ts'
import type { QueryProcess } from '../query-process/client.ts'
import type { Attachments } from './attachments.ts'
import { compactFiles } from './compact.ts'
import type { DiskGuard } from './disk-guard.ts'
import type { EngineOptions } from './options.ts'
import { Pauses } from './pauses.ts'
import { shares } from './shares.ts'
import type { StoredDatabase } from './stored-database.ts'
import { WorkRecord } from './work-record.ts'

/** Files that a run writes again without their deleted rows. */
const maxDeletedPerRun = 16

/**
 * Makes many small files few, and files with deleted rows files without. A failure loses nothing: those files wait, the
 * longer the more often they fail, and others have their turn.
 */
export class Compactor {
  readonly #options: EngineOptions
  readonly #store: FileStore
  readonly #queryProcess: QueryProcess
  readonly #diskGuard: DiskGuard
  readonly #alone: (work: () => Promise<void>) => Promise<void>
  /** Files that failed to become one with others, and files that failed to be written again alone. */
  readonly #merges: Pauses
  readonly #rewrites: Pauses
  readonly #cellsPerFile: number
  readonly record: WorkRecord

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
    this.record = new WorkRecord(options.clock, 'small files cannot be made one, or rid of deleted points')
    this.#merges = new Pauses(options.clock)
    this.#rewrites = new Pauses(options.clock)
    this.#cellsPerFile = shares(options.memoryLimitBytes).cellsPerFile
  }

  /** Files that could not be compacted, and wait for another attempt. */
  get waitingFiles(): number {
    return this.#merges.size + this.#rewrites.size
  }

  /** Does one compaction, if one is due, and rids some files of rows that have been deleted. */
  async run(
    attachments: Attachments,
    databases: ReadonlyMap<string, StoredDatabase>,
    stopped: AbortSignal,
  ): Promise<void> {
    const store = this.#store
    const names = new Set(store.files.map(({ entry }) => entry.name))
    this.#merges.keepOnly(names)
    this.#rewrites.keepOnly(names)
    if (this.waitingFiles === 0) this.record.nothingLeft()
    const ready = store.files.filter(({ entry }) => !this.#merges.isWaiting(entry.name))
    const shardDurationNs = (id: string, name: string) => attachments.shardDurationNs(id, name)
    const small = chooseCompaction(ready, store.files, shardDurationNs, this.#cellsPerFile)
    // What is rid of deleted rows makes room, and may take of the last for it.
    if (small && (await this.#diskGuard.hasRoomFor(bytesOf(small))))
      await this.#attempt(this.#merges, small, databases)
    for (let count = 0; count < maxDeletedPerRun && !stopped.aborted; count++) {
      const file = chooseDeleted(
        store.files.filter(({ entry }) => !this.#rewrites.isWaiting(entry.name)),
        store.tombstones,
      )
      if (!file || !(await this.#attempt(this.#rewrites, [file], databases))) return
    }
  }

  /** @returns whether it succeeded */
  async #attempt(
    pauses: Pauses,
    files: readonly StoredFile[],
    databases: ReadonlyMap<string, StoredDatabase>,
  ): Promise<boolean> {
    try {
      await this.#compact(files, databases)
      return true
    } catch (error) {
      this.record.failed(error)
      const names = files.map(({ entry }) => entry.name)
      // The reason is told once, not at each attempt.
      if (pauses.noteFailure(names))
        this.#options.log.error({ err: error, files: names }, 'files could not be compacted')
      return false
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
      this.record.succeeded()
      this.#options.log.info({ inputs: files.length, files: this.#store.files.length }, 'files compacted')
    })
  }
}

/** The new file stands beside the old ones until it is in force; it is hardly ever larger than they are together. */
function bytesOf(files: readonly StoredFile[]): number {
  return files.reduce((sum, { entry }) => sum + entry.sizeBytes, 0)
}
