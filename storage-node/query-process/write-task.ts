import type { DuckDBAppender, DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import type { Database } from './database.ts'
import type { NamedColumn, Rows } from './messages.ts'
import { appendRows, duckdbTypes } from './rows.ts'
import { copyToParquet, createTable } from './sql.ts'
import { WholeColumns } from './whole-columns.ts'

/**
 * How much the appender gathers before it goes into the table: for each time that costs the same for few rows as for a
 * row group of the table, which is so many. Strings, whose size nobody has counted, go at once.
 */
const maxAppendedRows = 122_880
const maxAppendedCells = 1_500_000

/** One Parquet file in the making: rows are gathered in memory, then written in the order in which they came. */
export class WriteTask {
  readonly #database: Database
  readonly #connection: DuckDBConnection
  readonly #appender: DuckDBAppender
  readonly #table: string
  readonly #columns: readonly NamedColumn[]
  readonly #types: readonly DuckDBType[]
  readonly #maxAppended: number
  readonly #whole: WholeColumns
  #appended = 0
  #isClosed = false

  private constructor(
    database: Database,
    connection: DuckDBConnection,
    appender: DuckDBAppender,
    table: string,
    columns: readonly NamedColumn[],
  ) {
    this.#database = database
    this.#connection = connection
    this.#appender = appender
    this.#table = table
    this.#columns = columns
    this.#types = columns.map(({ type }) => duckdbTypes[type])
    const hasStrings = columns.some(({ type }) => type === 'string')
    this.#maxAppended = hasStrings
      ? 0
      : Math.min(maxAppendedRows, Math.ceil(maxAppendedCells / columns.length))
    this.#whole = new WholeColumns(columns)
  }

  static async begin(database: Database, job: number, columns: readonly NamedColumn[]): Promise<WriteTask> {
    const connection = await database.connect()
    const table = `write_${job}`
    await connection.run(createTable(table, columns))
    return new WriteTask(database, connection, await connection.createAppender(table), table, columns)
  }

  append(rows: Rows): void {
    this.#whole.note(rows)
    appendRows(this.#appender, this.#types, rows)
    this.#appended += rows.rowCount
    if (this.#appended < this.#maxAppended) return
    this.#appender.flushSync()
    this.#appended = 0
  }

  async finish(path: string, key: Uint8Array): Promise<void> {
    this.#closeAppender()
    await this.#database.useKey(this.#connection, path, key)
    const keyName = this.#database.keyName(path)
    const sql = copyToParquet(this.#table, this.#columns, this.#whole.names, path, keyName)
    await this.#connection.run(sql)
    await this.drop()
  }

  async drop(): Promise<void> {
    try {
      this.#closeAppender()
    } catch {
      // What it holds is of a table that goes.
    }
    await this.#connection.run(`DROP TABLE IF EXISTS ${this.#table}`)
    this.#connection.closeSync()
  }

  /** Once: what it still holds goes into the table. */
  #closeAppender(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#appender.closeSync()
  }
}
