import { AppError } from '../../common/errors.ts'
import type { Shares } from './shares.ts'

/**
 * Where nothing may be put into files, all that the log holds has to fit into memory.
 * @throws AppError unavailable, ERR_REPLAY_MEMORY
 */
export function requireReplayRoom(bufferBytes: number, { refuseBytes }: Shares): void {
  if (bufferBytes <= refuseBytes) return
  const text = 'of a damaged node all that the log holds must fit into memory: it needs a higher limit'
  throw new AppError('unavailable', 'ERR_REPLAY_MEMORY', text)
}
