import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../common/clock.ts'
import { TableBuffer } from '../buffer/table-buffer.ts'
import { copyRows, finishVector, newVector } from '../buffer/vector.ts'
import type { BatchColumn } from '../line-protocol/batch.ts'
import { everyTimeNs, hasSeries, type DeletedArea } from './tombstones.ts'

/** The rows of a table that a delete leaves, as far as they were there when it was asked for. */
interface KeptRows {
  /** Rows of the table that have been looked at. */
  readonly rowCount: number
  readonly copy: TableBuffer
}

/** For each table what a delete will leave of it. */
export type PreparedRows = ReadonlyMap<TableBuffer, KeptRows>

/** Work between two looks at the clock, and between two turns for others. */
const rowsPerStep = 4_096
const turnMs = 5

/**
 * Copies what a delete will leave, in turns: when the delete is applied, at once with all that is in its order, only
 * the rows that came meanwhile are left to be looked at.
 * @param maxBytes of tables that are copied; others are left for that moment
 */
export async function prepareRows(
  tables: Iterable<TableBuffer>,
  area: DeletedArea,
  { clock, maxBytes }: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly maxBytes: number },
): Promise<PreparedRows> {
  const prepared = new Map<TableBuffer, KeptRows>()
  let bytes = 0
  let startedMs = clock.monotonicMs()
  for (const table of tables) {
    bytes += table.bytes
    if (bytes > maxBytes) break
    const { rowCount } = table
    const copy = new TableBuffer()
    for (let row = 0; row < rowCount; row += rowsPerStep) {
      appendKept(copy, table, keptRows(table, area, row, Math.min(rowCount, row + rowsPerStep)))
      if (clock.monotonicMs() - startedMs < turnMs) continue
      await setImmediate()
      startedMs = clock.monotonicMs()
    }
    prepared.set(table, { rowCount, copy })
  }
  await setImmediate()
  return prepared
}

/** @returns what the delete leaves of the table: itself where that is all of it, null where it is nothing */
export function remainder(table: TableBuffer, area: DeletedArea, prepared: PreparedRows): TableBuffer | null {
  const { rowCount, copy } = prepared.get(table) ?? { rowCount: 0, copy: new TableBuffer() }
  const kept = keptRows(table, area, rowCount, table.rowCount)
  // The common case: nothing is copied of a table that stays as it is.
  if (rowCount === 0 && kept.length === 2 && kept[0] === 0 && kept[1] === table.rowCount) return table
  appendKept(copy, table, kept)
  if (copy.rowCount === table.rowCount) return table
  return copy.rowCount > 0 ? copy : null
}

/** @returns runs of rows that stay: where one begins, where it ends, and so on */
function keptRows({ series, times }: TableBuffer, area: DeletedArea, from: number, end: number): number[] {
  const { minTimeNs, maxTimeNs } = area
  const anyTime = minTimeNs === everyTimeNs.minTimeNs && maxTimeNs === everyTimeNs.maxTimeNs
  const kept: number[] = []
  let isOpen = false
  let lastId = -1
  let isNamed = false
  for (let row = from; row < end; row++) {
    if (series[row] !== lastId) {
      lastId = series[row]!
      isNamed = hasSeries(area.series, lastId)
    }
    const stays = !isNamed || !(anyTime || (times[row]! >= minTimeNs && times[row]! <= maxTimeNs))
    if (stays !== isOpen) kept.push(row)
    isOpen = stays
  }
  if (isOpen) kept.push(end)
  return kept
}

/** @param kept runs of rows */
function appendKept(copy: TableBuffer, table: TableBuffer, kept: readonly number[]): void {
  if (kept.length === 0) return
  let rowCount = 0
  for (let k = 0; k < kept.length; k += 2) rowCount += kept[k + 1]! - kept[k]!
  const seriesOfRow = new Uint32Array(rowCount)
  const times = new BigInt64Array(rowCount)
  eachRun(kept, (from, end, to) => {
    seriesOfRow.set(table.series.subarray(from, end), to)
    times.set(table.times.subarray(from, end), to)
  })
  const numbers: number[] = []
  const columns: BatchColumn[] = []
  for (const number of table.fields) {
    const all = table.column(number)!
    const vector = newVector(all.type, rowCount)
    eachRun(kept, (from, end, to) => copyRows(all, from, vector, to, end - from))
    const column = finishVector(vector, rowCount)
    if (!column) continue
    numbers.push(number)
    columns.push({ ...column, name: '' })
  }
  const ids = numberSeries(seriesOfRow)
  copy.append({ measurement: '', rowCount, series: [], seriesOfRow, times, columns }, ids, numbers, null)
}

/** Puts an index in the place of each series id. @returns the ids, found by their indexes */
function numberSeries(seriesOfRow: Uint32Array): Uint32Array {
  const indexes = new Map<number, number>()
  for (const [row, id] of seriesOfRow.entries()) {
    let index = indexes.get(id)
    if (index === undefined) {
      index = indexes.size
      indexes.set(id, index)
    }
    seriesOfRow[row] = index
  }
  return Uint32Array.from(indexes.keys())
}

function eachRun(runs: readonly number[], visit: (from: number, end: number, to: number) => void): void {
  let to = 0
  for (let k = 0; k < runs.length; k += 2) {
    visit(runs[k]!, runs[k + 1]!, to)
    to += runs[k + 1]! - runs[k]!
  }
}
