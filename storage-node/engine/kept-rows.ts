import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../common/clock.ts'
import { TableBuffer } from '../buffer/table-buffer.ts'
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
      copy.appendRuns(table, keptRows(table, area, row, Math.min(rowCount, row + rowsPerStep)))
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
  copy.appendRuns(table, kept)
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
