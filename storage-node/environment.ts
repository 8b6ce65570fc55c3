import type { Clock } from '../common/clock.ts'
import type { Logger } from '../common/log.ts'
import type { Disk } from './disk/disk.ts'

/** What a storage node has of the world around it. */
export interface NodeEnvironment {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  /** Takes whole audit lines. @throws if they are lost */
  readonly auditOutput: (lines: string) => void
  /** Ends the process: what is on disk can no longer be known. */
  readonly onFatal: (error: Error) => void
}
