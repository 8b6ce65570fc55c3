import { chooseCompaction } from '../files/compaction.ts'
import type { FileStore } from '../files/file-store.ts'
import type { QueryProcess } from '../query-process/client.ts'
import type { Attachments } from './attachments.ts'
import { compactFiles } from './compact.ts'
import type { EngineOptions } from './options.ts'
import type { StoredDatabase } from './stored-database.ts'

const pauseMs = 10 * 60_000

/** Makes many small files few. A failure loses nothing; the next attempt waits a while. */
export class Compactor {
  readonly #options: EngineOptions
  readonly #store: FileStore
  readonly #queryProcess: QueryProcess
  readonly #alone: (work: () => Promise<void>) => Promise<void>
  #afterMs = 0

  /** @param alone does work while nothing else changes the manifest */
  constructor(
    options: EngineOptions,
    store: FileStore,
    queryProcess: QueryProcess,
    alone: (work: () => Promise<void>) => Promise<void>,
  ) {
    this.#options = options
    this.#store = store
    this.#queryProcess = queryProcess
    this.#alone = alone
  }

  /** Does one compaction, if one is due. */
  async run(attachments: Attachments, databases: ReadonlyMap<string, StoredDatabase>): Promise<void> {
    const { clock, log } = this.#options
    if (clock.monotonicMs() < this.#afterMs) return
    const files = chooseCompaction(this.#store.files, (id, name) => attachments.shardDurationNs(id, name))
    const [first] = files ?? []
    const measurement =
      first && databases.get(first.entry.databaseId)?.catalog.measurement(first.entry.measurement)
    if (!files || !measurement) return
    const tools = { store: this.#store, queryProcess: this.#queryProcess }
    try {
      await this.#alone(async () => {
        if (!files.every((file) => this.#store.files.includes(file))) return
        await compactFiles(tools, files, measurement.seriesIds, measurement.fields.values())
        log.info({ inputs: files.length, files: this.#store.files.length }, 'files compacted')
      })
    } catch (error) {
      log.error({ err: error }, 'files could not be compacted')
      this.#afterMs = clock.monotonicMs() + pauseMs
    }
  }
}
