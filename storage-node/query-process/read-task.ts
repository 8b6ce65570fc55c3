import type { Database } from './database.ts'
import { readWindow, type ReadJob, type Response } from './messages.ts'
import { RowStream } from './row-stream.ts'
import { selectRows } from './sql.ts'

/** One read: rows go out in batches as the engine asks for more. */
export class ReadTask {
  readonly #stream: RowStream
  readonly #job: number
  readonly #reply: (response: Response) => Promise<void>
  #credit = readWindow
  #wake: () => void = () => undefined

  constructor(database: Database, job: number, reply: (response: Response) => Promise<void>) {
    this.#stream = new RowStream(database)
    this.#job = job
    this.#reply = reply
  }

  async run(read: ReadJob): Promise<void> {
    for await (const rows of this.#stream.rows(read, selectRows)) {
      await this.#untilWanted()
      this.#credit--
      await this.#reply({ kind: 'rows', job: this.#job, rows })
    }
  }

  more(): void {
    this.#credit++
    this.#wake()
  }

  cancel(): void {
    this.#stream.cancel()
    this.#wake()
  }

  async #untilWanted(): Promise<void> {
    while (this.#credit <= 0 && !this.#stream.isCancelled)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
  }
}
