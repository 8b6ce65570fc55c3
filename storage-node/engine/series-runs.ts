import type { Run } from '../buffer/merge.ts'
import { part } from '../buffer/vector.ts'
import type { RowColumn, Rows } from '../query-process/messages.ts'
import type { Column } from './reader.ts'

/** Rows of one series that came together. */
export interface SeriesRun {
  readonly seriesId: number
  readonly run: Run
}

/** The rows of one series after the other, as they come from the query process. */
export function* runsOfRows(rows: Rows): Generator<SeriesRun> {
  const [series, times, ...columns] = rows.columns
  if (series?.type !== 'series' || times?.type !== 'integer')
    throw new TypeError('rows without series and time')
  for (let from = 0; from < rows.rowCount;) {
    let end = from + 1
    while (end < rows.rowCount && series.values[end] === series.values[from]) end++
    const run = {
      times: times.values.subarray(from, end),
      columns: columns.map((column) => columnPart(column, from, end)),
    }
    yield { seriesId: series.values[from]!, run }
    from = end
  }
}

function columnPart(column: RowColumn, from: number, end: number): Column | null {
  if (column.type === 'series') return null
  const taken = part(column, from, end)
  return taken.present?.every((flag) => flag === 0) ? null : taken
}
