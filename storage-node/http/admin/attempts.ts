import type { IncomingMessage, ServerResponse } from 'node:http'
import { attemptLimits } from '../../../common/attempts.ts'
import { withBody } from '../body.ts'
import type { NodeParts } from '../parts.ts'
import { jsonAnswer, type AdminAnswer } from './answer.ts'

/** Tries to reach addresses that must be out of a storage node's reach, for the proof that they are. */
export async function makeAttempts(
  parts: NodeParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<AdminAnswer> {
  const make = (body: Buffer) => parts.attempts.make(body.toString('utf8'))
  return jsonAnswer(200, await withBody({ request, response }, parts.bodies, make, attemptLimits.bodyBytes))
}
