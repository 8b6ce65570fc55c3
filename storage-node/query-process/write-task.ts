import type { DuckDBAppender, DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import type { Database } from './database.ts'
import type { NamedColumn, Rows } from './messages.ts'
import { appendRows, duckdbTypes } from './rows.ts'
import { copyToParquet, createTable, wholeNumbers } from './sql.ts'

/** One Parquet file in the making: rows are gathered in memory, then written in the order in which they came. */
export class WriteTask {
  readonly #database: Database
  readonly #connection: DuckDBConnection
  readonly #appender: DuckDBAppender
  readonly #table: string
  readonly #columns: readonly NamedColumn[]
  readonly #types: readonly DuckDBType[]

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
  }

  static async begin(database: Database, job: number, columns: readonly NamedColumn[]): Promise<WriteTask> {
    const connection = await database.connect()
    const table = `write_${job}`
    await connection.run(createTable(table, columns))
    return new WriteTask(database, connection, await connection.createAppender(table), table, columns)
  }

  append(rows: Rows): void {
    appendRows(this.#appender, this.#types, rows)
  }

  async finish(path: string, key: Uint8Array): Promise<void> {
    this.#appender.closeSync()
    await this.#database.useKey(this.#connection, path, key)
    const whole = await this.#wholeNumbers()
    const sql = copyToParquet(this.#table, this.#columns, whole, path, this.#database.keyName(path))
    await this.#connection.run(sql)
    await this.drop()
  }

  async drop(): Promise<void> {
    await this.#connection.run(`DROP TABLE IF EXISTS ${this.#table}`)
    this.#connection.closeSync()
  }

  async #wholeNumbers(): Promise<ReadonlySet<string>> {
    const names = this.#columns.filter(({ type }) => type === 'float').map(({ name }) => name)
    if (names.length === 0) return new Set()
    const reader = await this.#connection.runAndReadAll(wholeNumbers(this.#table, names))
    const [row] = reader.getRows()
    return new Set(names.filter((_, index) => row?.[index] === true))
  }
}
