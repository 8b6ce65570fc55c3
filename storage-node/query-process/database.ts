import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { messageOf } from '../../common/errors.ts'
import type { Settings } from './messages.ts'
import { quoteText } from './sql.ts'

/** An in-memory DuckDB that fetches nothing, spills nothing, and can write encrypted Parquet. */
export class Database {
  readonly #instance: DuckDBInstance
  readonly #keys = new Set<string>()
  #turn: Promise<void> = Promise.resolve()

  private constructor(instance: DuckDBInstance) {
    this.#instance = instance
  }

  static async open(settings: Settings): Promise<Database> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(settings.threads),
      memory_limit: `${Math.floor(settings.memoryLimitBytes / 1_048_576)}MiB`,
      // Rows in a temporary file would be readable there.
      temp_directory: '',
      // What a statement leaves free goes back to the system, not to the next statement.
      allocator_flush_threshold: '8MiB',
      allocator_background_threads: 'true',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    })
    const connection = await instance.connect()
    await connection.run(`LOAD ${quoteText(settings.extensionPath)}`)
    connection.closeSync()
    return new Database(instance)
  }

  connect(): Promise<DuckDBConnection> {
    return this.#instance.connect()
  }

  /** Makes a file's key known under a name. Names are never used for another key: files are written once. */
  async useKey(connection: DuckDBConnection, path: string, key: Uint8Array): Promise<void> {
    const name = this.keyName(path)
    if (this.#keys.has(name)) return
    const text = Buffer.from(key).toString('base64')
    const making = connection.run(`PRAGMA add_parquet_key(${quoteText(name)}, ${quoteText(text)})`)
    const failure = await making.then(() => null, messageOf)
    // DuckDB's messages may quote the statement, and this one has the key in it.
    if (failure !== null) throw new Error(failure.replaceAll(text, '…'))
    this.#keys.add(name)
  }

  /**
   * Does what needs much memory alone: one sort fits into the limit, several at a time do not.
   * @param work ends by itself, whatever becomes of others that wait for their turn
   */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn
    let end: () => void = () => undefined
    this.#turn = new Promise((resolve) => {
      end = resolve
    })
    await before
    try {
      return await work()
    } finally {
      end()
    }
  }

  keyName(path: string): string {
    return path.slice(path.lastIndexOf('/') + 1)
  }
}
