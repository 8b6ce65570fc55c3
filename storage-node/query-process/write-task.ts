import type { DuckDBAppender, DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import { assert } from '../../common/errors.ts'
import type { Database } from './database.ts'
import type { NamedColumn, Rows } from './messages.ts'
import { appendRows, duckdbTypes } from './rows.ts'
import { unpackedRows, type SentRows } from './sent-rows.ts'
import { copyToParquet, createTable, uniteTables } from './sql.ts'
import { WholeColumns } from './whole-columns.ts'

/**
 * How much the appender gathers before it goes into the table: for each time that costs the same for few rows as for a
 * row group of the table, which is so many. Strings, whose size nobody has counted, go at once.
 */
const maxAppendedRows = 122_880
const maxAppendedCells = 1_500_000

/**
 * A file with more columns than this is gathered in several tables: of the first 2,048 rows of a transaction's own
 * table DuckDB keeps no more than they need, of later ones blocks of 256 KiB for each column.
 */
const maxColumnsPerTable = 40
const rowsOfWideTable = 2048
const noNames: ReadonlySet<string> = new Set()

/** One Parquet file in the making: rows are gathered in memory, then written in the order in which they came. */
export class WriteTask {
  readonly #database: Database
  readonly #connection: DuckDBConnection
  readonly #name: string
  readonly #columns: readonly NamedColumn[]
  readonly #types: readonly DuckDBType[]
  readonly #isWide: boolean
  readonly #maxAppended: number
  readonly #whole: WholeColumns
  #appender: DuckDBAppender | null = null
  #tables = 0
  /** How many rows more the table in hand takes. */
  #room = 0
  #appended = 0

  private constructor(
    database: Database,
    connection: DuckDBConnection,
    name: string,
    columns: readonly NamedColumn[],
  ) {
    this.#database = database
    this.#connection = connection
    this.#name = name
    this.#columns = columns
    this.#types = columns.map(({ type }) => duckdbTypes[type])
    this.#isWide = columns.length > maxColumnsPerTable
    const hasStrings = columns.some(({ type }) => type === 'string')
    this.#maxAppended = hasStrings
      ? 0
      : Math.min(maxAppendedRows, Math.ceil(maxAppendedCells / columns.length))
    this.#whole = new WholeColumns(columns)
  }

  static async begin(database: Database, job: number, columns: readonly NamedColumn[]): Promise<WriteTask> {
    const connection = await database.connect()
    // Nothing of it is ever committed: a commit would take more memory for the same rows.
    await connection.run('BEGIN')
    const task = new WriteTask(database, connection, `write_${job}`, columns)
    await task.#addTable()
    return task
  }

  async append(sent: SentRows): Promise<void> {
    this.#whole.note(sent)
    const rows = unpackedRows(sent)
    for (let from = 0; from < rows.rowCount;) {
      if (this.#room === 0) await this.#addTable()
      const end = Math.min(rows.rowCount, from + this.#room)
      this.#appendRows(rows, from, end)
      this.#room -= end - from
      from = end
    }
  }

  async finish(path: string, key: Uint8Array): Promise<void> {
    this.#closeAppender()
    await this.#connection.run(uniteTables(this.#name, this.#tables))
    await this.#database.useKey(this.#connection, path, key)
    // To store floats as integers means a copy of some rows, of which each column takes 16 KiB and more.
    const whole = this.#isWide ? noNames : this.#whole.names
    const sql = copyToParquet(this.#name, this.#columns, whole, path, this.#database.keyName(path))
    await this.#connection.run(sql)
    await this.drop()
  }

  async drop(): Promise<void> {
    try {
      this.#closeAppender()
    } catch {
      // What it holds is of a table that goes.
    }
    await this.#connection.run('ROLLBACK')
    this.#connection.closeSync()
  }

  #appendRows(rows: Rows, from: number, end: number): void {
    assert(this.#appender, 'a table with room has an appender')
    appendRows(this.#appender, this.#types, rows, from, end)
    this.#appended += end - from
    if (this.#appended < this.#maxAppended) return
    this.#appender.flushSync()
    this.#appended = 0
  }

  async #addTable(): Promise<void> {
    this.#closeAppender()
    const table = `${this.#name}_${this.#tables++}`
    await this.#connection.run(createTable(table, this.#columns))
    this.#appender = await this.#connection.createAppender(table)
    this.#appended = 0
    this.#room = this.#isWide ? rowsOfWideTable : Infinity
  }

  /** Once: what it still holds goes into the table. */
  #closeAppender(): void {
    const appender = this.#appender
    this.#appender = null
    appender?.closeSync()
  }
}
