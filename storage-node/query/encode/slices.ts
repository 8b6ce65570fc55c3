import type { ResultSeries, StatementResult } from '../result.ts'

/** Values that are encoded in one step: some milliseconds. */
const maxCells = 5_000

/**
 * A part in steps, whose rows together are those of the part, with a turn for others before each but the first.
 * @param endTurn null, or resolves when others have had their turn
 */
export async function* slicesOf(
  result: StatementResult,
  endTurn: () => Promise<void> | null,
): AsyncGenerator<StatementResult, void, undefined> {
  // Messages and errors come once.
  yield { ...result, series: [] }
  for (const series of result.series) {
    for (const slice of slicesOfSeries(series)) {
      yield { ...result, series: [slice], messages: [], error: null }
      const turn = endTurn()
      if (turn) await turn
    }
  }
}

function* slicesOfSeries(series: ResultSeries): Generator<ResultSeries> {
  const size = Math.max(1, Math.floor(maxCells / Math.max(1, series.columns.length)))
  if (series.rows.length <= size) {
    yield series
    return
  }
  for (let from = 0; from < series.rows.length; from += size)
    yield { ...series, rows: series.rows.slice(from, from + size) }
}
