import type { DuckDBConnection } from '@duckdb/node-api'
import type { Database } from './database.ts'
import { readWindow, type ColumnType, type ReadJob, type Response } from './messages.ts'
import { chunkColumns } from './rows.ts'
import { selectRows } from './sql.ts'

const interruptMs = 50

/** One read: rows go out in batches as the engine asks for more. */
export class ReadTask {
  readonly #database: Database
  readonly #job: number
  readonly #reply: (response: Response) => Promise<void>
  #connection: DuckDBConnection | null = null
  #credit = readWindow
  #cancelled = false
  #interrupting: NodeJS.Timeout | undefined
  #wake: () => void = () => undefined

  constructor(database: Database, job: number, reply: (response: Response) => Promise<void>) {
    this.#database = database
    this.#job = job
    this.#reply = reply
  }

  async run(read: ReadJob): Promise<void> {
    const connection = await this.#database.connect()
    this.#connection = connection
    try {
      for (const file of read.files) {
        if (this.#cancelled) return
        await this.#database.useKey(connection, file.path, file.key)
      }
      if (this.#cancelled) return
      const types: readonly ColumnType[] = ['series', 'integer', ...read.columns.map(({ type }) => type)]
      const result = await connection.stream(selectRows(read, (path) => this.#database.keyName(path)))
      while (!this.#cancelled) {
        const chunk = await result.fetchChunk()
        if (!chunk || chunk.rowCount === 0) return
        await this.#untilWanted()
        this.#credit--
        await this.#reply({
          kind: 'rows',
          job: this.#job,
          rows: { rowCount: chunk.rowCount, columns: chunkColumns(chunk, types) },
        })
      }
    } finally {
      clearInterval(this.#interrupting)
      this.#connection = null
      connection.closeSync()
    }
  }

  more(): void {
    this.#credit++
    this.#wake()
  }

  cancel(): void {
    this.#cancelled = true
    this.#connection?.interrupt()
    // A statement that has not quite begun does not hear it.
    this.#interrupting ??= setInterval(() => this.#connection?.interrupt(), interruptMs)
    this.#wake()
  }

  async #untilWanted(): Promise<void> {
    while (this.#credit <= 0 && !this.#cancelled)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
  }
}
