import type { TableBuffer } from '../buffer/table-buffer.ts'
import type { FileStore } from '../files/file-store.ts'
import type { Log } from '../log/log.ts'
import type { Compactor } from './compactor.ts'
import type { EngineStats } from './options.ts'
import { allTables, type StoredDatabase } from './stored-database.ts'
import type { WorkRecord } from './work-record.ts'

/** What the engine counts while it runs. */
export interface EngineCounts extends Pick<EngineStats, 'pointsWritten' | 'checkedFiles' | 'checkEndedMs'> {
  readonly flushRecord: WorkRecord
  readonly compactor: Pick<Compactor, 'record' | 'waitingFiles'>
}

type Databases = ReadonlyMap<string, StoredDatabase>

/** All buffers, frozen and not. */
export function tablesOf(databases: Databases): TableBuffer[] {
  return [...databases.values()].flatMap(({ frozen, active }) =>
    [...allTables(frozen), ...allTables(active)].map(({ table }) => table),
  )
}

export function statsOf(
  store: FileStore,
  log: Log,
  databases: Databases,
  { flushRecord, compactor, ...counts }: EngineCounts,
  isDiskFull: boolean,
): EngineStats {
  const tables = tablesOf(databases)
  return {
    ...counts,
    waitingFiles: compactor.waitingFiles,
    flushes: flushRecord.successes,
    flushFailures: flushRecord.failures,
    flushFailuresInRow: flushRecord.failuresInRow,
    flushedS: flushRecord.succeededS,
    compactions: compactor.record.successes,
    compactionFailures: compactor.record.failures,
    compactionFailuresInRow: compactor.record.failuresInRow,
    compactedS: compactor.record.succeededS,
    diskFull: isDiskFull ? 1 : 0,
    bufferBytes: tables.reduce((sum, table) => sum + table.bytes, 0),
    bufferedRows: tables.reduce((sum, table) => sum + table.rowCount, 0),
    logBytes: log.sizeBytes,
    files: store.files.length,
    fileBytes: store.files.reduce((sum, { entry }) => sum + entry.sizeBytes, 0),
    series: [...databases.values()].reduce((sum, { catalog }) => sum + catalog.liveSeriesCount, 0),
    tombstones: store.tombstones.length,
    position: log.position,
    checkpoint: store.checkpoint,
  }
}
