import { copyOfRun, type Run } from '../buffer/merge.ts'
import { part } from '../buffer/vector.ts'
import type { FoundRows } from '../query-process/messages.ts'
import type { Column } from './reader.ts'

/** Rows of one series that came together. */
export interface SeriesRun {
  readonly seriesId: number
  readonly run: Run
}

/** The rows of one series after the other, as they come from the query process. */
export function* runsOfRows({ series, times, columns }: FoundRows): Generator<SeriesRun> {
  for (let from = 0; from < series.length;) {
    let end = from + 1
    while (end < series.length && series[end] === series[from]) end++
    const run = {
      times: times.subarray(from, end),
      columns: columns.map((column) => column && columnPart(column, from, end)),
    }
    // Whoever keeps a few rows must not keep all that came with them.
    yield { seriesId: series[from]!, run: end - from > series.length / 2 ? run : copyOfRun(run) }
    from = end
  }
}

function columnPart(column: Column, from: number, end: number): Column | null {
  const taken = part(column, from, end)
  return taken.present?.every((flag) => flag === 0) ? null : taken
}
