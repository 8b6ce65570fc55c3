import { unreachable } from '../../../../common/errors.ts'
import type { Block, Column, FieldType } from '../../../engine/reader.ts'

/** Rows of blocks, one after another. */
export interface Picks {
  readonly blocks: readonly Block[]
  /** Which block each row is of, and where it stands there. */
  readonly blockOf: Int32Array
  readonly rowOf: Int32Array
  readonly count: number
}

/** Some rows of a block, by their places in it, as a block of its own. */
export function rowsAlone(block: Block, rowOf: Int32Array): Block {
  const picks = { blocks: [block], blockOf: new Int32Array(rowOf.length), rowOf, count: rowOf.length }
  return {
    seriesId: block.seriesId,
    times: pickTimes(picks),
    columns: block.columns.map((column, index) => column && pickColumn(picks, index, column.type)),
  }
}

export function pickTimes({ blocks, blockOf, rowOf, count }: Picks): BigInt64Array {
  const times = new BigInt64Array(count)
  const sources = blocks.map((block) => block.times)
  for (let i = 0; i < count; i++) times[i] = sources[blockOf[i]!]![rowOf[i]!]!
  return times
}

/** @returns null where no picked row has a value */
export function pickColumn(picks: Picks, index: number, type: FieldType): Column | null {
  const columns = picks.blocks.map((block) => block.columns[index] ?? null)
  const present = pickPresent(picks, columns)
  if (present !== null && !present.includes(1)) return null
  switch (type) {
    case 'float':
      return { type, present, values: pickValues(picks, columns, type, new Float64Array(picks.count)) }
    case 'integer':
      return { type, present, values: pickValues(picks, columns, type, new BigInt64Array(picks.count)) }
    case 'unsigned':
      return { type, present, values: pickValues(picks, columns, type, new BigUint64Array(picks.count)) }
    case 'boolean':
      return { type, present, values: pickValues(picks, columns, type, new Uint8Array(picks.count)) }
    case 'string':
      return { type, present, values: pickStrings(picks, columns) }
    default:
      return unreachable(type)
  }
}

/** Null when all are there. */
function pickPresent(
  { blockOf, rowOf, count }: Picks,
  columns: readonly (Column | null)[],
): Uint8Array | null {
  if (columns.every((column) => column !== null && column.present === null)) return null
  const present = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    const column = columns[blockOf[i]!]!
    present[i] = column === null ? 0 : column.present === null ? 1 : column.present[rowOf[i]!]!
  }
  return present
}

type Values<Type extends FieldType> = Extract<Column, { readonly type: Type }>['values']

/** What is not there stays zero. */
function pickValues<Type extends Exclude<FieldType, 'string'>>(
  { blockOf, rowOf, count }: Picks,
  columns: readonly (Column | null)[],
  type: Type,
  into: Values<Type>,
): Values<Type> {
  const sources = columns.map((column) => (column?.type === type ? (column.values as Values<Type>) : null))
  for (let i = 0; i < count; i++) {
    const source = sources[blockOf[i]!]
    if (source) into[i] = source[rowOf[i]!]!
  }
  return into
}

function pickStrings(
  { blockOf, rowOf, count }: Picks,
  columns: readonly (Column | null)[],
): readonly string[] {
  const values: string[] = []
  for (let i = 0; i < count; i++) {
    const column = columns[blockOf[i]!]
    values.push(column?.type === 'string' ? column.values[rowOf[i]!]! : '')
  }
  return values
}
