import { AppError } from '../../common/errors.ts'

/** Writes wait for syncs, and more may not: a client should come back. */
export function logBusy(): AppError {
  return new AppError('unavailable', 'ERR_LOG_BUSY', 'too many writes wait for the disk')
}
