import { Batch } from './batch.ts'
import type { BlockStore } from './block-store.ts'
import { JobRows } from './job-rows.ts'
import { readWindow, type ReadJob, type Response } from './messages.ts'

const maxRowsPerMessage = 16_384
const maxCellsPerMessage = 131_072

/** One read: rows go out in batches as the engine asks for more. */
export class ReadTask {
  readonly #store: BlockStore
  readonly #job: number
  readonly #reply: (response: Response) => Promise<void>
  #credit = readWindow
  #cancelled = false
  #wake: () => void = () => undefined

  constructor(store: BlockStore, job: number, reply: (response: Response) => Promise<void>) {
    this.#store = store
    this.#job = job
    this.#reply = reply
  }

  async run(read: ReadJob): Promise<void> {
    const capacity = Math.min(
      maxRowsPerMessage,
      Math.max(1, Math.floor(maxCellsPerMessage / (read.columns.length + 2))),
    )
    let batch = new Batch(read, capacity)
    const rows = new JobRows(read, () => this.#cancelled)
    await rows.each(this.#store, async ({ seriesId, run }) => {
      for (let from = 0; from < run.times.length;) {
        from += batch.add(seriesId, run, from)
        if (!batch.isFull) continue
        await this.#send(batch)
        batch = new Batch(read, capacity)
      }
    })
    await this.#send(batch)
  }

  more(): void {
    this.#credit++
    this.#wake()
  }

  cancel(): void {
    this.#cancelled = true
    this.#wake()
  }

  async #send(batch: Batch): Promise<void> {
    if (batch.rowCount === 0) return
    await this.#untilWanted()
    if (this.#cancelled) return
    this.#credit--
    await this.#reply({ kind: 'rows', job: this.#job, rows: batch.rows })
  }

  async #untilWanted(): Promise<void> {
    while (this.#credit <= 0 && !this.#cancelled)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
  }
}
