import type { Condition } from '../api/conditions.ts'
import type { IsolationProof, Organization } from '../api/organization.ts'
import { progressing, stalled, type Standing, type Statement } from './standing.ts'

/** What came of trying paths that must be closed. */
export type Finding =
  /** This process has not tried them yet. */
  | { readonly state: 'pending' }
  /** None let a packet through, and every control did. */
  | { readonly state: 'isolated' }
  /** These let packets through, twice in a row. */
  | { readonly state: 'open'; readonly paths: readonly string[]; readonly isEverything: boolean }
  | {
      readonly state: 'untried'
      readonly why: string
      /** For so long that what was found before says nothing any more. */
      readonly isLasting: boolean
      /** Trying again will not help: a storage node's version cannot. */
      readonly isInVain: boolean
    }

/** A finding, and the whole of what was asked for by annotation, once it is there. */
export interface IsolationReport {
  readonly finding: Finding
  readonly proof: IsolationProof | null
}

const type = 'NetworkIsolated'
/** Others are named by `kubectl holdfast prove`. */
const namedLimit = 5
const provedMessage = 'closed paths were tried with packets, each beside a control: nothing got through'
const pendingMessage = 'the closed paths have not been tried with packets yet'

/**
 * What the condition says. Silence takes nothing back at once: a probe that restarts, or an operator that has just
 * begun, leaves what was found before; after a quarter of an hour True becomes Unknown, and False never does.
 * @param finding null where nobody looked
 */
export function isolationStatement(finding: Finding | null, previous: readonly Condition[]): Statement {
  if (finding?.state === 'isolated')
    return { type, status: 'True', reason: 'IsolationProved', message: provedMessage }
  if (finding?.state === 'open') {
    return { type, status: 'False', reason: 'NetworkNotIsolated', message: openMessage(finding) }
  }
  const before = previous.find((condition) => condition.type === type)
  if (before?.status === 'False')
    return { type, status: 'False', reason: 'NetworkNotIsolated', message: before.message }
  const isOver = finding?.state === 'untried' && finding.isLasting
  if (before?.status === 'True' && !isOver)
    return { type, status: 'True', reason: 'IsolationProved', message: before.message }
  const message = finding?.state === 'untried' ? finding.why : (before?.message ?? '') || pendingMessage
  return { type, status: 'Unknown', reason: 'IsolationNotChecked', message }
}

function openMessage({ paths, isEverything }: Finding & { readonly state: 'open' }): string {
  const more = paths.length > namedLimit ? [`${paths.length - namedLimit} more`] : []
  const named = [...paths.slice(0, namedLimit), ...more].join('; ')
  const cause = isEverything
    ? '. Every path is open: the network plugin of this cluster seems to enforce no NetworkPolicy'
    : ''
  return `packets got through where they must not: ${named}${cause}`
}

/**
 * How an organization stands whose isolation is required.
 *
 * - An open path: not ready, whatever else is well.
 * - Not tried: a new organization waits for it. One that was ready stays so, since nothing was found against it; nor does
 *   anything wait for a storage node whose version can never be asked.
 * @param standing how it stands otherwise
 */
export function isolatedStanding(
  standing: Standing,
  finding: Finding,
  { status }: Pick<Organization, 'status'>,
): Standing {
  const previous = status?.conditions ?? []
  const serves = standing.state === 'ready' ? standing.reason === 'Ready' : standing.serves !== undefined
  if (!serves) return standing
  const statement = isolationStatement(finding, previous)
  if (statement.status === 'False') return stalled('NetworkNotIsolated', statement.message)
  const wasReady = previous.some((condition) => condition.type === 'Ready' && condition.status === 'True')
  if (statement.status === 'True' || wasReady) return standing
  if (finding.state === 'untried') {
    return finding.isInVain ? standing : progressing('IsolationNotChecked', finding.why)
  }
  // A moment later more is known: what was said last goes on being said.
  return repeated(previous) ?? progressing('IsolationNotChecked', pendingMessage)
}

function repeated(previous: readonly Condition[]): Standing | null {
  const said = previous.find((condition) => condition.type === 'Reconciling' && condition.status === 'True')
  const reason = awaited.find((known) => known === said?.reason)
  return said && reason ? progressing(reason, said.message) : null
}

const awaited = [
  'Progressing',
  'StorageNodeStarting',
  'StorageNodeNotReady',
  'AwaitingConfirmation',
  'VolumePending',
  'NodeUnreachable',
  'Waking',
  'IsolationNotChecked',
] as const
