import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/log.ts'
import type { Disk } from '../disk/disk.ts'

export interface QueryProcessOptions {
  /** The program file of the query process. */
  readonly program: string
  /** DuckDB's httpfs extension, which holds its encryption. */
  readonly extensionPath: string
}

export interface EngineOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly organizationId: string
  /** The organization's data key: 32 bytes. It wraps every other key. */
  readonly dataKey: Uint8Array
  /** Data keys that were in force before it; what they have sealed opens too. */
  readonly olderDataKeys?: readonly Uint8Array[]
  readonly dataFolder: string
  readonly queryProcess: QueryProcessOptions
  /** The memory that buffers and the query process share, usually the pod's limit. */
  readonly memoryLimitBytes: number
  /** From the end of one check of all files to the next; 0 for none; a week if nothing is said. */
  readonly scrubIntervalMs?: number
  /** Called when the state on disk can no longer be known; it must end the process. */
  readonly onFatal: (error: Error) => void
}

export interface EngineStats {
  readonly bufferBytes: number
  readonly bufferedRows: number
  readonly logBytes: number
  readonly files: number
  readonly fileBytes: number
  readonly series: number
  /** Deletes that files have yet to see. */
  readonly tombstones: number
  /** Files that could not be compacted and wait for another attempt. */
  readonly waitingFiles: number
  /** Files that were read through since the start. */
  readonly checkedFiles: number
  /** When all files last had been, Unix time in milliseconds; 0 for never since the start. */
  readonly checkEndedMs: number
  readonly flushes: number
  readonly flushFailures: number
  readonly flushFailuresInRow: number
  /** When the last flush succeeded, Unix time in seconds; 0 for never since the start. */
  readonly flushedS: number
  readonly compactions: number
  readonly compactionFailures: number
  readonly compactionFailuresInRow: number
  /** As `flushedS`. */
  readonly compactedS: number
  readonly pointsWritten: number
  /** 1 while writes are refused for want of space on the disk. */
  readonly diskFull: number
  /** The newest log position that is durable and applied. */
  readonly position: number
  /** Everything up to this log position is in files. */
  readonly checkpoint: number
}
