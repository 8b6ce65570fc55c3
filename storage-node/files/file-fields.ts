import { SparseCells } from '../buffer/sparse-cells.ts'
import type { TableBuffer } from '../buffer/table-buffer.ts'
import type { Column } from '../engine/reader.ts'
import { textBytes, textColumns } from '../buffer/text-bytes.ts'

/** Of a file with many columns each takes more than its values do, one of strings most. */
const manyColumns = 40
const maxCellsPerWideFile = 2_000_000
const cellsPerWideString = 4

const none: readonly number[] = []

/** What the rows of a buffer have. */
export class RowContents {
  /** Fields that many rows have: any row may. */
  readonly common: readonly number[]
  readonly #table: TableBuffer
  readonly #commonTexts: ReturnType<typeof textColumns>
  /** Fields that few rows have, row by row; those of a row begin where `#starts` says. */
  readonly #rare: Uint32Array
  readonly #starts: Uint32Array
  readonly #hasRareTexts: boolean
  /** Whether one row may take more of a file than another. */
  readonly differ: boolean

  constructor(table: TableBuffer) {
    this.#table = table
    const rare: { readonly field: number; readonly cells: SparseCells }[] = []
    const common: number[] = []
    const columns: Column[] = []
    for (const field of table.fields) {
      const column = table.column(field)!
      if (column instanceof SparseCells) rare.push({ field, cells: column })
      else {
        common.push(field)
        columns.push(column)
      }
    }
    this.common = common
    this.#commonTexts = textColumns(columns)
    this.#hasRareTexts = rare.some(({ cells }) => cells.type === 'string')
    this.differ = rare.length > 0 || this.hasTexts
    this.#starts = new Uint32Array(table.rowCount + 1)
    if (rare.length === 0) {
      this.#rare = new Uint32Array(0)
      return
    }
    for (const { cells } of rare) for (const row of cells.rows) this.#starts[row + 1]!++
    for (let row = 0; row < table.rowCount; row++) this.#starts[row + 1]! += this.#starts[row]!
    this.#rare = new Uint32Array(this.#starts.at(-1)!)
    const next = this.#starts.slice()
    for (const { field, cells } of rare) for (const row of cells.rows) this.#rare[next[row]!++] = field
  }

  /** The fields of a row that few rows have. */
  rareFields(row: number): readonly number[] {
    const from = this.#starts[row]!
    const end = this.#starts[row + 1]!
    return from === end ? none : Array.from(this.#rare.subarray(from, end))
  }

  get hasTexts(): boolean {
    return this.#hasRareTexts || this.#commonTexts.length > 0
  }

  /** What the strings of a row are as UTF-8. */
  stringBytes(row: number): number {
    let bytes = textBytes(this.#commonTexts, row)
    if (!this.#hasRareTexts) return bytes
    for (const field of this.rareFields(row)) bytes += this.textBytesOf(field, row)
    return bytes
  }

  /** What one of them is; 0 where there is none. */
  textBytesOf(field: number, row: number): number {
    const column = this.#table.column(field)
    if (!column) return 0
    if (!(column instanceof SparseCells)) return textBytes(textColumns([column]), row)
    const value = column.type === 'string' ? column.cellAt(row) : null
    return typeof value === 'string' ? Buffer.byteLength(value) : 0
  }
}

/** The fields of a file while it is being planned. */
export class FileFields {
  readonly #table: TableBuffer
  readonly #maxCells: number
  readonly #fields = new Set<number>()
  #strings = 0

  /** @param maxCells rows times columns: the query process gathers a file in memory before it writes it */
  constructor(table: TableBuffer, fields: readonly number[], maxCells: number) {
    this.#table = table
    this.#maxCells = maxCells
    this.add(fields)
  }

  /** Those which are not among its own. */
  missing(fields: readonly number[]): readonly number[] {
    return fields.length === 0 ? fields : fields.filter((field) => !this.#fields.has(field))
  }

  add(fields: readonly number[]): void {
    for (const field of fields) this.#fields.add(field)
    this.#strings += this.#stringsIn(fields)
  }

  /** How many rows the file may have when it has these fields too. */
  maxRowsWith(more: readonly number[]): number {
    const columns = 2 + this.#fields.size + more.length
    if (columns <= manyColumns) return Math.ceil(this.#maxCells / columns)
    const strings = this.#strings + this.#stringsIn(more)
    const maxCells = Math.min(maxCellsPerWideFile, this.#maxCells)
    return Math.ceil(maxCells / (columns + (cellsPerWideString - 1) * strings))
  }

  /** Ascending. */
  get sorted(): readonly number[] {
    return [...this.#fields].sort((a, b) => a - b)
  }

  #stringsIn(fields: readonly number[]): number {
    let count = 0
    for (const field of fields) if (this.#table.column(field)?.type === 'string') count++
    return count
  }
}
