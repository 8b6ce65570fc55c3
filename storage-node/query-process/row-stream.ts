import type { DuckDBConnection } from '@duckdb/node-api'
import type { Database } from './database.ts'
import type { ColumnType, ReadJob, Rows } from './messages.ts'
import { chunkColumns } from './rows.ts'

const interruptMs = 50

/** The rows of one job's statements, a chunk at a time, until they are cancelled. */
export class RowStream {
  readonly #database: Database
  #connection: DuckDBConnection | null = null
  #cancelled = false
  #interrupting: NodeJS.Timeout | undefined

  constructor(database: Database) {
    this.#database = database
  }

  get isCancelled(): boolean {
    return this.#cancelled
  }

  /**
   * Columns: series, time as integer, then the fields wanted.
   * @param sql given a key's name for a path
   */
  async *rows(
    read: ReadJob,
    sql: (read: ReadJob, keyName: (path: string) => string) => string,
  ): AsyncGenerator<Rows> {
    const connection = await this.#database.connect()
    this.#connection = connection
    try {
      for (const file of read.files) {
        if (this.#cancelled) return
        await this.#database.useKey(connection, file.path, file.key)
      }
      if (this.#cancelled) return
      const types: readonly ColumnType[] = ['series', 'integer', ...read.columns.map(({ type }) => type)]
      const text = sql(read, (path) => this.#database.keyName(path))
      // Rows are sorted before the first of them comes; what comes then takes no more memory.
      const begun = await this.#database.alone(async () => {
        if (this.#cancelled) return null
        const result = await connection.stream(text)
        return { result, first: await result.fetchChunk() }
      })
      if (!begun) return
      const { result, first } = begun
      for (let chunk = first; chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
        if (this.#cancelled) return
        yield { rowCount: chunk.rowCount, columns: chunkColumns(chunk, types) }
      }
    } finally {
      clearInterval(this.#interrupting)
      this.#connection = null
      connection.closeSync()
    }
  }

  cancel(): void {
    this.#cancelled = true
    if (!this.#connection) return
    this.#connection.interrupt()
    // A statement that has not quite begun does not hear it.
    this.#interrupting ??= setInterval(() => this.#connection?.interrupt(), interruptMs)
  }
}
