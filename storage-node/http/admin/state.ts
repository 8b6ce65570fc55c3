import type { IncomingMessage, ServerResponse } from 'node:http'
import type { NodeState } from '../../../common/admin-api.ts'
import { AppError } from '../../../common/errors.ts'
import { stateFormatVersions } from '../../../common/state-document-formats.ts'
import { version } from '../../../common/version.ts'
import { documentIn } from '../../state/judge.ts'
import { withBody } from '../body.ts'
import { requireEngine, type NodeParts } from '../parts.ts'
import { jsonAnswer, type AdminAnswer } from './answer.ts'

/** A document with all the databases and tokens that the schema allows. */
const maxDocumentBytes = 64 * 1024 * 1024

function nodeState(parts: NodeParts): NodeState {
  return {
    organizationId: parts.organizationId,
    digest: parts.store.digest,
    formatVersions: stateFormatVersions.toReversed(),
    version,
    databasesWithData: parts.engine()?.databasesWithData() ?? [],
    damage: parts.engine()?.damage ?? [],
    troubles: parts.engine()?.troubles ?? [],
    idleMs: parts.activity.idleMs,
  }
}

export async function getState(parts: NodeParts): Promise<AdminAnswer> {
  parts.store.noteHeard()
  return jsonAnswer(200, nodeState(parts))
}

/** Puts a document in force, if the one in force is still the one that the caller has seen. */
export async function putState(
  parts: NodeParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<AdminAnswer> {
  requireEngine(parts)
  const expected = /^"([0-9a-f]{64}|)"$/.exec(request.headers['if-match'] ?? '')
  if (!expected) {
    throw new AppError(
      'invalid',
      'ERR_ADMIN_IF_MATCH',
      'If-Match: the digest that the node reported, in quotes',
    )
  }
  const body = await withBody({ request, response }, parts.bodies, parseJson, maxDocumentBytes)
  const replaced = await parts.store.replace(expected[1]!, documentIn(body))
  return jsonAnswer(replaced ? 200 : 412, nodeState(parts))
}

async function parseJson(body: Buffer): Promise<unknown> {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new AppError('invalid', 'ERR_STATE_SYNTAX', 'document: JSON expected', { cause: error })
  }
}
