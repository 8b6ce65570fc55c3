import type { MeasurementSchema, Series } from '../../engine/reader.ts'
import type { Expr } from './ast.ts'
import { compareText } from './scalar.ts'
import { filterSeries, seriesBytes } from './series-filter.ts'
import { seriesKey } from './series-key.ts'
import type { Inventory } from './show-condition.ts'

/** The series for which a condition on tags holds, in no particular order. */
export function* seriesWhere(
  condition: Expr | null,
  inventory: Inventory,
  schema: MeasurementSchema,
): Generator<Series> {
  for (const series of inventory.seriesOf(schema))
    if (filterSeries(condition, series, schema).matches) yield series
}

/** Those of several measurements, by their keys, each counted by `hold` as it comes. */
export function sortedSeriesWhere(
  condition: Expr | null,
  inventory: Inventory,
  schemas: readonly MeasurementSchema[],
  hold: (bytes: number) => void,
): readonly Series[] {
  return schemas.flatMap((schema) => {
    const found: { readonly series: Series; readonly key: string }[] = []
    for (const series of seriesWhere(condition, inventory, schema)) {
      hold(seriesBytes)
      found.push({ series, key: seriesKey(series) })
    }
    return found.sort((a, b) => compareText(a.key, b.key)).map(({ series }) => series)
  })
}

export function countOfAll(items: Iterable<unknown>): number {
  let count = 0
  for (const _ of items) count++
  return count
}
