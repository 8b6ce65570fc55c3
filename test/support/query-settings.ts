import { ensureDuckdbExtension } from '../../scripts/duckdb-extension.ts'
import type { Settings } from '../../storage-node/query-process/messages.ts'

/** Settings of a query process with little memory, as tests want it. */
export const querySettings = async (changes: Partial<Settings> = {}): Promise<Settings> => ({
  extensionPath: await ensureDuckdbExtension(),
  podMemoryBytes: 512 * 1_048_576,
  memoryLimitBytes: 128 * 1_048_576,
  blockCacheBytes: 16 * 1_048_576,
  heapBytes: 64 * 1_048_576,
  threads: 1,
  ...changes,
})
