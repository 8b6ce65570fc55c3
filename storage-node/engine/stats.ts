import type { FileStore } from '../files/file-store.ts'
import type { Log } from '../log/log.ts'
import type { EngineStats } from './options.ts'
import { allTables, type StoredDatabase } from './stored-database.ts'

type StoredStats = Omit<EngineStats, 'bufferBytes' | 'flushes' | 'failedFlushes' | 'pointsWritten'>

/** What can be counted of what is there; the engine itself counts what happens. */
export function statsOf(store: FileStore, log: Log, databases: readonly StoredDatabase[]): StoredStats {
  const tables = databases.flatMap(({ frozen, active }) => [...allTables(frozen), ...allTables(active)])
  return {
    bufferedRows: tables.reduce((sum, { table }) => sum + table.rowCount, 0),
    logBytes: log.sizeBytes,
    files: store.files.length,
    fileBytes: store.files.reduce((sum, { entry }) => sum + entry.sizeBytes, 0),
    series: databases.reduce((sum, { catalog }) => sum + catalog.seriesCount, 0),
    position: log.position,
    checkpoint: store.checkpoint,
  }
}
