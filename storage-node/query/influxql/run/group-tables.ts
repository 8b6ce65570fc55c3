import type { Block, FieldType, MeasurementSchema } from '../../../engine/reader.ts'
import { Table, type TableColumn } from '../../table.ts'
import type { Value } from '../../result.ts'
import { toValue } from '../scalar.ts'
import type { Heap } from './heap.ts'
import { pickColumn, pickTimes, type Picks } from './pick.ts'
import type { Tags } from './point.ts'
import type { SeriesPlan } from './scan.ts'
import type { SeriesCursor } from './series-cursor.ts'

/** Rows of one series of the answer, or some of them. */
export interface GroupTable {
  readonly name: string
  readonly tags: Tags
  readonly table: Table
}
export type GroupTables = AsyncGenerator<GroupTable, void, undefined>

/** Columns of the answer: a field's, or several beside each other that are the same in all rows of a stored series. */
type Source =
  | { readonly field: number; readonly type: FieldType }
  | { readonly cells: readonly (readonly Value[])[] }

/** One series of the answer, made of one or more stored ones. */
export class Group {
  readonly plans: readonly SeriesPlan[]
  readonly #name: string
  readonly #sources: readonly Source[]
  readonly #maxRows: number

  /**
   * @param fields in the order of the blocks' columns
   * @param columns of each, which of the values it is that come along
   */
  constructor(
    schema: MeasurementSchema,
    fields: readonly string[],
    columns: readonly number[],
    plans: readonly SeriesPlan[],
    maxRows: number,
  ) {
    this.plans = plans
    this.#name = schema.name
    this.#sources = sourcesOf(columns, plans, (field) => schema.fields.get(fields[field]!)!)
    this.#maxRows = maxRows
  }

  /** The rows in the order of the heap, which they leave empty: `most` of them, without the first `offset`. */
  *tables(
    blocks: readonly Block[],
    heap: Heap<SeriesCursor>,
    offset: number,
    most: number,
  ): Generator<GroupTable> {
    const available = blocks.reduce((sum, { times }) => sum + times.length, 0)
    const size = Math.min(this.#maxRows, available)
    let picked = new PickedRows(size, blocks)
    let taken = 0
    for (let next = heap.pop(); next !== undefined && taken < most; next = heap.pop()) {
      if (taken++ >= offset) picked.add(next)
      if (next.advance()) heap.push(next)
      if (picked.count < this.#maxRows) continue
      yield this.#table(picked)
      picked = new PickedRows(size, blocks)
    }
    if (picked.count > 0) yield this.#table(picked)
  }

  #table(picked: PickedRows): GroupTable {
    const columns = this.#sources.map((source): TableColumn =>
      'cells' in source
        ? { type: 'fixed', origins: picked.origins, cells: source.cells }
        : pickColumn(picked, source.field, source.type),
    )
    const { tags } = this.plans[picked.origins[0]!]!
    return { name: this.#name, tags, table: new Table(pickTimes(picked), columns) }
  }
}

function sourcesOf(
  columns: readonly number[],
  plans: readonly SeriesPlan[],
  typeOf: (field: number) => FieldType,
): readonly Source[] {
  const sources: Source[] = []
  let cells: Value[][] | null = null
  for (const column of columns) {
    const access = plans[0]!.aux[column]!
    if ('column' in access) {
      sources.push({ field: access.column, type: typeOf(access.column) })
      cells = null
      continue
    }
    if (cells === null) {
      cells = plans.map(() => [])
      sources.push({ cells })
    }
    for (let origin = 0; origin < plans.length; origin++) {
      const own = plans[origin]!.aux[column]!
      cells[origin]!.push('value' in own ? toValue(own.value) : null)
    }
  }
  return sources
}

/** Rows in the order of the answer. */
class PickedRows implements Picks {
  readonly blocks: readonly Block[]
  readonly blockOf: Int32Array
  readonly rowOf: Int32Array
  readonly origins: Int32Array
  count = 0

  constructor(size: number, blocks: readonly Block[]) {
    this.blocks = blocks
    this.blockOf = new Int32Array(size)
    this.rowOf = new Int32Array(size)
    this.origins = new Int32Array(size)
  }

  add({ block, row, origin }: SeriesCursor): void {
    this.blockOf[this.count] = block
    this.rowOf[this.count] = row
    this.origins[this.count++] = origin
  }
}
