import type { MeasurementSchema, Series } from '../../engine/reader.ts'
import type { Expr } from './ast.ts'
import { filterSeries } from './series-filter.ts'
import type { Inventory } from './show-condition.ts'

/** The series for which a condition on tags holds, some at a time, in no particular order. */
export async function* seriesWhere(
  condition: Expr | null,
  inventory: Inventory,
  schema: MeasurementSchema,
): AsyncGenerator<readonly Series[], void, undefined> {
  for await (const some of inventory.seriesOf(schema)) {
    const found = some.filter((series) => filterSeries(condition, series, schema).matches)
    if (found.length > 0) yield found
  }
}

export async function countOfAll(all: AsyncIterable<readonly unknown[]>): Promise<number> {
  let count = 0
  for await (const some of all) count += some.length
  return count
}

export async function isEmpty(all: AsyncIterable<readonly unknown[]>): Promise<boolean> {
  for await (const _ of all) return false
  return true
}
