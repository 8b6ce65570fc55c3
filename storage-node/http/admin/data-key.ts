import { messageOf } from '../../../common/errors.ts'
import type { NodeParts } from '../parts.ts'
import { jsonAnswer, type AdminAnswer } from './answer.ts'

/** Puts the first key of the key file in force. A locked node ends for it: the next process opens what is kept. */
export async function useDataKey(parts: NodeParts): Promise<AdminAnswer> {
  const answer = jsonAnswer(200, await parts.dataKeys.run())
  return parts.lockedFor ? { ...answer, isLast: true } : answer
}

/** Ends all that this process has decrypted, with the process; also fine of a locked node. */
export async function lockDataKey(parts: NodeParts): Promise<AdminAnswer> {
  if (parts.lockedFor) return jsonAnswer(202, {})
  try {
    await parts.dataKeys.lock()
    parts.log.warn('locked: the process that has the data key ends')
    return { ...jsonAnswer(202, {}), isLast: true }
  } catch (error) {
    // A process that has ended decrypts nothing, and the one after it is told again.
    parts.log.error(
      { err: error },
      'the next process will not know that it is locked; this one ends all the same',
    )
    const body = { code: 'ERR_DATA_KEY_LOCK', message: `state/locked: ${messageOf(error)}` }
    return { ...jsonAnswer(503, body), isLast: true }
  }
}
