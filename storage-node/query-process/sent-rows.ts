import { narrowed, widened, type Numbers, type WholeNumbers } from '../buffer/whole-numbers.ts'
import type { RowColumn, Rows } from './messages.ts'

/** A column on its way over the channel, which costs some nanoseconds a byte at both ends. */
export type SentColumn = RowColumn | NarrowColumn

/** Numbers that are all whole, in as few bytes as they need. */
interface NarrowColumn {
  readonly type: Numbers['type']
  readonly whole: WholeNumbers
  readonly present: Uint8Array | null
}

export interface SentRows {
  readonly rowCount: number
  readonly columns: readonly SentColumn[]
}

export const isNarrow = (column: SentColumn): column is NarrowColumn => 'whole' in column

export const packedRows = ({ rowCount, columns }: Rows): SentRows => ({
  rowCount,
  columns: columns.map((column, index) => (index < keyColumns ? column : packed(column))),
})

/** Series and time, the first columns of all rows, are not tried: times are too large. */
const keyColumns = 2

function packed(column: RowColumn): SentColumn {
  if (column.type !== 'float' && column.type !== 'integer' && column.type !== 'unsigned') return column
  const whole = narrowed(column)
  return whole ? { type: column.type, whole, present: column.present } : column
}

export const unpackedRows = ({ rowCount, columns }: SentRows): Rows => ({
  rowCount,
  columns: columns.map((column) =>
    isNarrow(column) ? { ...widened(column.type, column.whole), present: column.present } : column,
  ),
})
