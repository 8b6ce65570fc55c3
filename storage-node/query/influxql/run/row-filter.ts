import type { Block, Column, FieldComparison, MeasurementSchema } from '../../../engine/reader.ts'
import type { Expr } from '../ast.ts'
import { comparisonsOnly } from './comparisons.ts'
import { hasField, passes, type SeriesPlan } from './scan.ts'

const numberTests = {
  '=': (a: number, b: number) => a === b,
  '!=': (a: number, b: number) => a !== b,
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
} as const

const tests = {
  '=': (a: FieldComparison['value'], b: FieldComparison['value']) => a === b,
  '!=': (a: FieldComparison['value'], b: FieldComparison['value']) => a !== b,
  '<': (a: FieldComparison['value'], b: FieldComparison['value']) => a < b,
  '<=': (a: FieldComparison['value'], b: FieldComparison['value']) => a <= b,
  '>': (a: FieldComparison['value'], b: FieldComparison['value']) => a > b,
  '>=': (a: FieldComparison['value'], b: FieldComparison['value']) => a >= b,
} as const

/** Says which rows of blocks a SELECT without functions answers with. */
export class RowFilter {
  readonly #schema: MeasurementSchema
  readonly #fields: readonly string[]
  /** Of each condition the comparisons that it is made of, or null. */
  readonly #comparisons = new Map<Expr, readonly FieldComparison[] | null>()

  /** @param fields in the order of the blocks' columns */
  constructor(schema: MeasurementSchema, fields: readonly string[]) {
    this.#schema = schema
    this.#fields = fields
  }

  /** Rows that have a selected field and pass the series' condition, in the block's order. */
  rowsOf(block: Block, plan: SeriesPlan): Int32Array {
    const rows = new Int32Array(block.times.length)
    let count = 0
    const always = plan.aux.some(
      (access) => 'column' in access && block.columns[access.column]?.present === null,
    )
    for (let row = 0; row < rows.length; row++) {
      if (always || hasField(plan.aux, block.columns, row)) rows[count++] = row
    }
    return plan.filter === null ? rows.subarray(0, count) : this.#passing(rows, count, block, plan)
  }

  #passing(rows: Int32Array, count: number, block: Block, plan: SeriesPlan): Int32Array {
    const comparisons = this.#comparisonsOf(plan.filter!)
    if (comparisons === null) return rows.subarray(0, count).filter((row) => passes(block, plan, row))
    let left = count
    for (const comparison of comparisons) {
      const column = block.columns[this.#fields.indexOf(comparison.field)]
      left = column ? keepThose(rows, left, column, comparison) : 0
    }
    return rows.subarray(0, left)
  }

  #comparisonsOf(filter: Expr): readonly FieldComparison[] | null {
    let known = this.#comparisons.get(filter)
    if (known === undefined) {
      known = comparisonsOnly(filter, this.#schema)
      this.#comparisons.set(filter, known)
    }
    return known
  }
}

/** Moves the rows for which a comparison holds to the front. @returns how many they are */
function keepThose(
  rows: Int32Array,
  count: number,
  column: Column,
  { operator, value }: FieldComparison,
): number {
  const { present } = column
  let kept = 0
  if (column.type === 'float' && typeof value === 'number') {
    const test = numberTests[operator]
    const { values } = column
    for (let i = 0; i < count; i++) {
      const row = rows[i]!
      if ((present === null || present[row] === 1) && test(values[row]!, value)) rows[kept++] = row
    }
    return kept
  }
  const test = tests[operator]
  const wanted = typeof value === 'boolean' ? Number(value) : value
  for (let i = 0; i < count; i++) {
    const row = rows[i]!
    if ((present === null || present[row] === 1) && test(column.values[row]!, wanted)) rows[kept++] = row
  }
  return kept
}
