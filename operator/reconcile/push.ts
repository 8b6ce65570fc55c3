import { AppError, messageOf } from '../../common/errors.ts'
import {
  inFormat,
  stateFormatVersions,
  type AnyStateDocument,
  type LaterPart,
} from '../../common/state-document-formats.ts'
import { stateDigest, stateFormatVersion, type StateDocument } from '../../common/state-document.ts'
import type { NodeAddress, Nodes } from '../node-client/node-client.ts'
import type { PodReport, PodView } from '../observe/runtime.ts'

/** The code with which a node refuses a document that holds a token which an earlier one had and a later had not. */
const revivesToken = 'ERR_STATE_REVIVES_TOKEN'

/** Somebody else wrote between our look and our write: as often as this in one pass, then again in the next. */
const attemptsLimit = 2

/** What a spec calls the parts that a node of before does not know; null for what may be missing without a word. */
const specFields: Readonly<Record<LaterPart, string | null>> = {
  authentication: 'spec.authentication',
  members: 'spec.members',
  audit: null,
  'limits.requestsPerSecond': 'spec.limits.requestsPerSecond',
  'limits.rowsPerQuery': 'spec.limits.rowsPerQuery',
  'limits.queryMemoryBytes': 'spec.limits.queryMemory',
}

type Documents = Pick<Nodes, 'getState' | 'pushState'>

/** The pods that may serve requests: those whose container runs, ready or not, and also those on their way out. */
export function reachablePods(pods: readonly PodView[]): readonly PodView[] {
  return pods.filter((pod) => pod.running && pod.ip !== null)
}

/**
 * Brings a document into force on an organization's storage nodes, all at once, on each in the newest format that it
 * reads. A node waits for its first document to become ready, so nobody waits for readiness here.
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
    const refused = (message: string): PodReport => ({ ...heard, result: 'refused', pod, message })
    const form = formFor(state.formatVersions, document, digest)
    if (!form) {
      const reads = state.formatVersions.join(', ')
      const known = stateFormatVersions.toReversed().join(' or ')
      return refused(`version ${state.version} reads state documents of format ${reads}, not ${known}`)
    }
    const problem = `version ${state.version} does not know ${form.unknown}; set spec.version`
    // It had no word of that part before either; what was revoked must not wait for it. A new one does not begin so.
    if (form.unknown !== null && state.digest === '') return refused(problem)
    for (let attempt = 0; attempt < attemptsLimit && state.digest !== form.digest; attempt += 1) {
      state = (await nodes.pushState(node, form.document, state.digest, signal)).state
    }
    if (state.digest !== form.digest)
      return { ...heard, result: 'unreachable', pod, message: 'its state document keeps changing' }
    return form.unknown === null ? { ...heard, result: 'confirmed', pod } : refused(problem)
  } catch (error) {
    return { ...heard, ...failure(pod, error) }
  }
}

/** A document as a node reads it. */
interface Form {
  readonly document: AnyStateDocument
  readonly digest: string
  /** The first field of the spec that is lost in this form, null if none is. */
  readonly unknown: string | null
}

/** @param digest of the document as it is. @returns null where the node reads nothing that could be sent */
function formFor(reads: readonly number[], document: StateDocument, digest: string): Form | null {
  const format = stateFormatVersions.find((known) => reads.includes(known))
  if (format === undefined) return null
  if (format === stateFormatVersion) return { document, digest, unknown: null }
  const { document: older, lost } = inFormat(document, format)
  const [unknown = null] = lost.map((part) => specFields[part]).filter((field) => field !== null)
  return { document: older, digest: stateDigest(older), unknown }
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
