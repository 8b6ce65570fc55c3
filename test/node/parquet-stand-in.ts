import type { NamedColumn, ReadJob, RowColumn, Rows } from '../../storage-node/query-process/messages.ts'
import type { MemoryDisk } from '../../storage-node/disk/memory-disk.ts'
import { isDeleted } from '../../storage-node/engine/tombstones.ts'

/** What the next engine to be opened finds: its disk, and the size at which it flushes if it is not its own choice. */
export const stage: { disk: MemoryDisk | null; flushBytes: number | null } = { disk: null, flushBytes: null }

type Cells = Record<string, number | bigint | null>

/**
 * Does what the query process does for one field of type float, on a disk in memory: what it writes no sync has
 * covered. The query process itself is killed in the engine's own tests; here thousands of starts have to be quick.
 */
export class QueryProcess {
  readonly #disk = stage.disk!

  async writeParquet(
    path: string,
    _key: Uint8Array,
    columns: readonly NamedColumn[],
    batches: Iterable<Rows> | AsyncIterable<Rows>,
  ): Promise<void> {
    const rows: Cells[] = []
    for await (const batch of batches)
      for (let row = 0; row < batch.rowCount; row++)
        rows.push(Object.fromEntries(columns.map(({ name }, at) => [name, cell(batch.columns[at]!, row)])))
    const text = JSON.stringify(rows, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    )
    const file = await this.#disk.create(path)
    await file.write(Buffer.from(text), 0)
    await file.close()
  }

  async *readParquet(job: ReadJob): AsyncGenerator<Rows> {
    const rows: Cells[] = []
    for (const { path, deleted } of job.files.toSorted((a, b) => a.order - b.order)) {
      const all = JSON.parse(this.#disk.content(path).toString()) as Cells[]
      rows.push(...all.filter(({ series, time }) => !isDeleted(deleted, Number(series), BigInt(time!))))
    }
    const wanted = job.seriesIds.flatMap((id) =>
      rows
        .filter(
          ({ series, time }) =>
            series === id && BigInt(time!) >= job.minTimeNs && BigInt(time!) <= job.maxTimeNs,
        )
        .sort((a, b) => Number(a['time']) - Number(b['time'])),
    )
    if (wanted.length === 0) return
    const columns: RowColumn[] = [
      { type: 'series', values: Uint32Array.from(wanted, (row) => Number(row['series'])), present: null },
      { type: 'integer', values: BigInt64Array.from(wanted, (row) => BigInt(row['time']!)), present: null },
      ...job.columns.map(({ name }) => ({
        type: 'float' as const,
        values: Float64Array.from(wanted, (row) => Number(row[name] ?? 0)),
        present: Uint8Array.from(wanted, (row) => (row[name] === null || row[name] === undefined ? 0 : 1)),
      })),
    ]
    yield { rowCount: wanted.length, columns }
  }

  async close(): Promise<void> {}
}

function cell(column: RowColumn, row: number): number | bigint | null {
  if (column.present?.[row] === 0) return null
  const value = column.values[row]!
  return typeof value === 'string' ? null : value
}
