import type { DuckDBConnection } from '@duckdb/node-api'
import { messageOf } from '../../common/errors.ts'
import { compareTimes, timeWords } from '../buffer/time-order.ts'
import { copyRows, finishVector, newVector, type Vector } from '../buffer/vector.ts'
import type { Column, FieldType } from '../engine/reader.ts'
import { pack, type Block } from './block.ts'
import type { Database } from './database.ts'
import { directoryOf, type Directory, type RowRange } from './directory.ts'
import type { SourceFile } from './messages.ts'
import { chunkColumns } from './rows.ts'
import { SizedCache } from './sized-cache.ts'
import { selectRange, selectSeries } from './sql.ts'

/** A row group of a file, so that no group is decoded for two blocks. */
const maxBlockRows = 20_480

/** What one statement may bring into memory, and one block of all columns take. */
const maxCellsPerStatement = 1_048_576

export interface WantedColumn {
  readonly name: string
  readonly type: FieldType
}

export const timeColumn: WantedColumn = { name: 'time', type: 'integer' }

/** Besides its characters, of which each takes a byte or two, a string takes as much as so many numbers. */
const cellsPerString = 4
const bytesPerCell = 8

/** How much memory one row of some columns takes on average, as so many numbers. */
export function cellsPerRow(
  { stringBytes }: SourceFile,
  columns: readonly WantedColumn[],
  { rowCount }: Directory,
): number {
  const strings = columns.filter(({ type }) => type === 'string').length
  if (strings === 0) return columns.length
  const characters = (2 * stringBytes) / Math.max(1, rowCount) / bytesPerCell
  return columns.length + strings * cellsPerString + characters
}

/** Files, cut into blocks of equally many rows, of which the last one may have less. */
export interface Blocks {
  /** The same for a file whenever it is asked. */
  blockRows(file: SourceFile, directory: Directory): number
  /** @throws Error if the file cannot be read */
  directory(file: SourceFile): Promise<Directory>
  /** A block that is in memory. */
  known(file: SourceFile, column: WantedColumn, index: number): Block | undefined
  /**
   * Reads blocks, which are kept as long as there is room: the first one asked for, and as many after it as one
   * statement brings.
   * @param blocks their indexes
   * @returns the first one's, in the order of the columns
   * @throws Error if the file cannot be read, or is not in the order of series and time
   */
  load(
    file: SourceFile,
    columns: readonly WantedColumn[],
    directory: Directory,
    blocks: RowRange,
  ): Promise<readonly Block[]>
}

/** Blocks of encrypted Parquet files: out of memory, or read by DuckDB, which decrypts and decodes and no more. */
export class BlockStore implements Blocks {
  readonly #database: Database
  readonly #blocks: SizedCache<Block>
  readonly #directories: SizedCache<Directory>

  /** What one statement brings: no more than a part of the cache, or it would push out what it has just brought. */
  readonly #maxCells: number

  /** @param cacheBytes what may be kept */
  constructor(database: Database, cacheBytes: number) {
    this.#database = database
    this.#blocks = new SizedCache((cacheBytes * 3) / 4)
    this.#directories = new SizedCache(cacheBytes / 4)
    this.#maxCells = Math.min(maxCellsPerStatement, cacheBytes / 4 / bytesPerCell)
  }

  blockRows({ columns, stringBytes }: SourceFile, { rowCount }: Directory): number {
    const textCells = (2 * stringBytes) / Math.max(1, rowCount) / bytesPerCell
    let rows = maxBlockRows
    while (rows * columns.length > maxCellsPerStatement && rows > 1) rows /= 2
    // A block of texts with as much as one statement may bring would hardly be kept, and be read for each series anew.
    while (rows * textCells > this.#maxCells / 4 && rows > 1) rows /= 2
    return Math.ceil(rows)
  }

  async directory(file: SourceFile): Promise<Directory> {
    return (
      this.#directories.get(file.path) ??
      this.#read(file, async (connection) => {
        const known = this.#directories.get(file.path)
        if (known) return known
        const directory = directoryOf(await seriesOf(connection, selectSeries(file, this.#keyName(file))))
        this.#directories.set(file.path, directory)
        return directory
      })
    )
  }

  known(file: SourceFile, column: WantedColumn, index: number): Block | undefined {
    return this.#blocks.get(blockKey(file, column, index))
  }

  async load(
    file: SourceFile,
    columns: readonly WantedColumn[],
    directory: Directory,
    blocks: RowRange,
  ): Promise<readonly Block[]> {
    return this.#read(file, async (connection) => {
      // Another job may have read them meanwhile.
      const found = new Map<WantedColumn, Block>()
      for (const column of columns) {
        const block = this.known(file, column, blocks.from)
        if (block) found.set(column, block)
      }
      const missing = columns.filter((column) => !found.has(column))
      for (const some of groupsOf(missing, this.blockRows(file, directory)))
        for (const [column, block] of await this.#loadSome(connection, file, some, directory, blocks))
          found.set(column, block)
      return columns.map((column) => found.get(column)!)
    })
  }

  async #loadSome(
    connection: DuckDBConnection,
    file: SourceFile,
    columns: readonly WantedColumn[],
    directory: Directory,
    blocks: RowRange,
  ): Promise<ReadonlyMap<WantedColumn, Block>> {
    const blockRows = this.blockRows(file, directory)
    const cellsPerBlock = blockRows * cellsPerRow(file, columns, directory)
    const most = Math.max(1, Math.floor(this.#maxCells / cellsPerBlock))
    for (let count = Math.min(blocks.end - blocks.from, most); ; count = Math.ceil(count / 2)) {
      const rows = {
        from: blocks.from * blockRows,
        end: Math.min((blocks.from + count) * blockRows, directory.rowCount),
      }
      const sql = selectRange(file, columns, rows, this.#keyName(file))
      try {
        const loaded = await columnsOf(connection, sql, columns, rows, blockRows)
        const first = new Map<WantedColumn, Block>()
        for (const [place, column] of columns.entries())
          for (const [index, vector] of loaded[place]!.entries()) {
            if (column.name === timeColumn.name) checkOrder(vector, rows.from + index * blockRows, directory)
            const block = pack(vector)
            this.#blocks.set(blockKey(file, column, blocks.from + index), block)
            if (index === 0) first.set(column, block)
          }
        return first
      } catch (error) {
        if (count === 1 || !/Out of Memory/i.test(messageOf(error))) throw error
      }
    }
  }

  #keyName(file: SourceFile): string {
    return this.#database.keyName(file.path)
  }

  #read<T>(file: SourceFile, work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.#database.alone(async () => {
      const connection = await this.#database.connect()
      try {
        await this.#database.useKey(connection, file.path, file.key)
        return await work(connection)
      } finally {
        connection.closeSync()
      }
    })
  }
}

const blockKey = ({ path }: SourceFile, { name }: WantedColumn, index: number): string =>
  `${path}\0${name}\0${index}`

function* groupsOf(columns: readonly WantedColumn[], blockRows: number): Generator<readonly WantedColumn[]> {
  const maxColumns = Math.max(1, Math.floor(maxCellsPerStatement / blockRows))
  for (let from = 0; from < columns.length; from += maxColumns) yield columns.slice(from, from + maxColumns)
}

async function seriesOf(connection: DuckDBConnection, sql: string): Promise<Iterable<Uint32Array>> {
  const result = await connection.run(sql)
  return Array.from({ length: result.chunkCount }, (_, index) => {
    const [column] = chunkColumns(result.getChunk(index), ['series'])
    if (column?.type !== 'series') throw new TypeError('a file without series')
    return column.values
  })
}

/** @returns for each column its blocks, null for one without values. A complete result comes in the order of the file; one taken bit by bit may not */
async function columnsOf(
  connection: DuckDBConnection,
  sql: string,
  columns: readonly WantedColumn[],
  { from, end }: RowRange,
  blockRows: number,
): Promise<readonly (readonly (Column | null)[])[]> {
  const result = await connection.run(sql)
  if (result.rowCount !== end - from) throw new Error(`${result.rowCount} rows instead of ${end - from}`)
  const types = columns.map(({ type }) => type)
  const sizes = Array.from({ length: Math.ceil((end - from) / blockRows) }, (_, index) =>
    Math.min(blockRows, end - from - index * blockRows),
  )
  const vectors = types.map((type) => sizes.map((size): Vector => newVector(type, size)))
  let row = 0
  for (let chunk = 0; chunk < result.chunkCount; chunk++) {
    const piece = result.getChunk(chunk)
    const found = chunkColumns(piece, types)
    for (let taken = 0; taken < piece.rowCount;) {
      const at = row % blockRows
      const count = Math.min(piece.rowCount - taken, blockRows - at)
      for (const [place, column] of found.entries())
        if (column.type !== 'series')
          copyRows(column, taken, vectors[place]![Math.floor(row / blockRows)]!, at, count)
      row += count
      taken += count
    }
  }
  return vectors.map((blocks) => blocks.map((vector, index) => finishVector(vector, sizes[index]!)))
}

/** @throws Error if the times of a series do not rise: nothing could be found by them */
function checkOrder(column: Column | null, firstRow: number, { ends }: Directory): void {
  if (column?.type !== 'integer') throw new TypeError('times are integers')
  const words = timeWords(column.values)
  let next = firstAfter(ends, firstRow)
  for (let row = 1; row < column.values.length; row++) {
    if (firstRow + row === ends[next]) next++
    else if (compareTimes(words, row - 1, row) >= 0) throw new Error('the times of a series do not rise')
  }
}

/** @returns the index of the first of ascending numbers that is greater */
function firstAfter(numbers: Uint32Array, value: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (numbers[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low
}
