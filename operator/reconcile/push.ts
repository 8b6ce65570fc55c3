import { AppError, messageOf } from '../../common/errors.ts'
import { stateDigest, stateFormatVersion, type StateDocument } from '../../common/state-document.ts'
import type { NodeAddress, Nodes } from '../node-client/node-client.ts'
import type { PodReport, PodView } from '../observe/runtime.ts'

/** The code with which a node refuses a document that holds a token which an earlier one had and a later had not. */
const revivesToken = 'ERR_STATE_REVIVES_TOKEN'

/** Somebody else wrote between our look and our write: as often as this in one pass, then again in the next. */
const attemptsLimit = 2

type Documents = Pick<Nodes, 'getState' | 'pushState'>

/** The pods that may serve requests: those whose container runs, ready or not, and also those on their way out. */
export function reachablePods(pods: readonly PodView[]): readonly PodView[] {
  return pods.filter((pod) => pod.running && pod.ip !== null)
}

/**
 * Brings a document into force on an organization's storage nodes, all at once. A node waits for its first document
 * to become ready, so nobody waits for readiness here.
 */
export function pushDocument(
  nodes: Documents,
  pods: readonly PodView[],
  document: StateDocument,
  signal: AbortSignal,
): Promise<readonly PodReport[]> {
  const digest = stateDigest(document)
  return Promise.all(reachablePods(pods).map((pod) => pushTo(nodes, pod, document, digest, signal)))
}

async function pushTo(
  nodes: Documents,
  pod: PodView,
  document: StateDocument,
  digest: string,
  signal: AbortSignal,
): Promise<PodReport> {
  const node = addressOf(document.organization.id, pod)
  let heard: Pick<PodReport, 'damage' | 'troubles' | 'idleMs'> = {}
  try {
    let state = await nodes.getState(node, signal)
    const { damage = [], troubles = [], idleMs } = state
    heard = { damage, troubles, ...(idleMs !== undefined && { idleMs }) }
    if (!state.formatVersions.includes(stateFormatVersion)) {
      const reads = state.formatVersions.join(', ')
      const message = `version ${state.version} reads state documents of format ${reads}, not ${stateFormatVersion}`
      return { ...heard, result: 'refused', pod, message }
    }
    for (let attempt = 0; attempt < attemptsLimit && state.digest !== digest; attempt += 1) {
      state = (await nodes.pushState(node, document, state.digest, signal)).state
    }
    return state.digest === digest
      ? { ...heard, result: 'confirmed', pod }
      : { ...heard, result: 'unreachable', pod, message: 'its state document keeps changing' }
  } catch (error) {
    return { ...heard, ...failure(pod, error) }
  }
}

export function addressOf(organizationId: string, pod: PodView): NodeAddress {
  return { organizationId, podUid: pod.uid, host: pod.ip ?? '' }
}

function failure(pod: PodView, error: unknown): PodReport {
  const message = messageOf(error)
  if (!(error instanceof AppError && error.kind === 'invalid')) return { result: 'unreachable', pod, message }
  const revokedTokenId =
    error.details['code'] === revivesToken ? /[0-9a-f]{16}/.exec(message)?.[0] : undefined
  return { result: 'refused', pod, message, ...(revokedTokenId !== undefined && { revokedTokenId }) }
}
