import { AsyncLocalStorage } from 'node:async_hooks'
import { AppError } from '../../common/errors.ts'
import type { Log } from '../../storage-node/log/log.ts'

/** Sees records on their way into the log, in order, and when each takes effect. */
export interface Submission {
  submitted(): void
  applied(position: number): void
  /** It is not in the log and never will be. */
  refused(): void
}

/** Whose record it is that what runs now puts into the log. */
export const submitter = new AsyncLocalStorage<Submission>()

/** The log, telling submitters what becomes of their records. */
export function tapped(log: Log): Log {
  const append = log.append.bind(log)
  log.append = <T>(payload: Uint8Array, apply: (position: number) => T): Promise<T> => {
    const submission = submitter.getStore()
    if (!submission) throw new Error('a record that nobody submits')
    submission.submitted()
    const done = append(payload, (position) => {
      submission.applied(position)
      return apply(position)
    })
    done.catch((error: unknown) => {
      // After any other failure nobody knows what is on the disk.
      if (!(error instanceof AppError && error.code === 'ERR_LOG_FAILED')) submission.refused()
    })
    return done
  }
  return log
}
