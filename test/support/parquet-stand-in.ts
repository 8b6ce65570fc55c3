import { createHash } from 'node:crypto'
import { deserialize, serialize } from 'node:v8'
import { AppError } from '../../common/errors.ts'
import { copyCell, finishVector, newVector, part } from '../../storage-node/buffer/vector.ts'
import type { Disk } from '../../storage-node/disk/disk.ts'
import { isDeleted, type DeletedArea } from '../../storage-node/engine/tombstones.ts'
import type {
  FoundRows,
  NamedColumn,
  ReadJob,
  RowColumn,
  Rows,
} from '../../storage-node/query-process/messages.ts'

/** What the next engine to be opened finds: its disk, and sizes that are not its own choice. */
export const stage: { disk: StageDisk | null; flushBytes: number | null; segmentBytes: number | null } = {
  disk: null,
  flushBytes: null,
  segmentBytes: null,
}

export type StageDisk = Disk & { readSlowly?(path: string): Promise<Uint8Array> }

interface Content {
  readonly names: readonly string[]
  readonly batches: readonly Rows[]
}

interface FoundRow {
  readonly timeNs: bigint
  readonly order: number
  readonly names: readonly string[]
  readonly rows: Rows
  readonly row: number
}

const digestBytes = 32
const maxRowsPerBatch = 50

/**
 * Does what the query process does, on the engine's own disk: what it writes no sync has covered, and what it reads
 * has to be whole and of the right key. DuckDB itself is killed in the engine's own tests; here thousands of starts have
 * to be quick.
 */
export class QueryProcess {
  readonly #disk = stage.disk!

  async writeParquet(
    path: string,
    key: Uint8Array,
    columns: readonly NamedColumn[],
    batches: Iterable<Rows> | AsyncIterable<Rows>,
  ): Promise<void> {
    const taken: Rows[] = []
    for await (const rows of batches) taken.push(trimmed(rows))
    const body = serialize({ names: columns.map(({ name }) => name), batches: taken } satisfies Content)
    const file = await this.#disk.create(path)
    await file.write(digest(key, body), 0)
    await file.write(body, digestBytes)
    await file.close()
  }

  async *readParquet(job: ReadJob): AsyncGenerator<FoundRows> {
    const found = new Map<number, FoundRow[]>(job.seriesIds.map((id) => [id, []]))
    for (const { path, key, order, deleted } of job.files) {
      const { names, batches } = await this.#content(path, key)
      for (const rows of batches) gather(found, { names, rows, order }, deleted, job)
    }
    for (const [seriesId, rows] of found) {
      rows.sort((a, b) => Number(a.timeNs - b.timeNs) || a.order - b.order)
      for (let from = 0; from < rows.length;) {
        let end = Math.min(from + maxRowsPerBatch, rows.length)
        while (end < rows.length && rows[end]!.timeNs === rows[end - 1]!.timeNs) end++
        yield rowsOf(seriesId, rows.slice(from, end), job)
        from = end
      }
    }
  }

  async close(): Promise<void> {}

  async #content(path: string, key: Uint8Array): Promise<Content> {
    const bytes = Buffer.from(await (this.#disk.readSlowly?.(path) ?? this.#disk.read(path)))
    const body = bytes.subarray(digestBytes)
    if (!bytes.subarray(0, digestBytes).equals(digest(key, body)))
      throw new AppError('unavailable', 'ERR_QUERY_STATEMENT', 'the query process: not a file of this key')
    return deserialize(body) as Content
  }
}

/** Columns may be longer than the rows that are sent. */
function trimmed({ rowCount, columns }: Rows): Rows {
  const cut = (column: RowColumn): RowColumn =>
    column.type === 'series'
      ? { ...column, values: column.values.slice(0, rowCount) }
      : part(column, 0, rowCount)
  return { rowCount, columns: columns.map(cut) }
}

function digest(key: Uint8Array, body: Uint8Array): Buffer {
  return createHash('sha256').update(key).update(body).digest()
}

function gather(
  found: ReadonlyMap<number, FoundRow[]>,
  from: Omit<FoundRow, 'row' | 'timeNs'>,
  deleted: readonly DeletedArea[],
  { minTimeNs, maxTimeNs }: ReadJob,
): void {
  const [series, times] = from.rows.columns
  for (let row = 0; row < from.rows.rowCount; row++) {
    const timeNs = BigInt(times!.values[row]!)
    const seriesId = Number(series!.values[row])
    if (timeNs < minTimeNs || timeNs > maxTimeNs || isDeleted(deleted, seriesId, timeNs)) continue
    found.get(seriesId)?.push({ ...from, row, timeNs })
  }
}

/** Rows of one point, which stand side by side, become one: the later values over the earlier. */
function rowsOf(seriesId: number, found: readonly FoundRow[], job: ReadJob): FoundRows {
  const times: bigint[] = []
  const targets = found.map(({ timeNs }) => (timeNs === times.at(-1) ? times.length : times.push(timeNs)) - 1)
  const columns = job.columns.map(({ name, type }) => {
    const vector = newVector(type, times.length)
    for (const [index, { names, rows, row }] of found.entries()) {
      const column = rows.columns[names.indexOf(name)]
      if (column && column.type !== 'series') copyCell(column, row, vector, targets[index]!)
    }
    return finishVector(vector, times.length)
  })
  return { series: new Uint32Array(times.length).fill(seriesId), times: BigInt64Array.from(times), columns }
}
