import { unreachable } from '../../common/errors.ts'
import type { Condition, ConditionType, Reason } from '../api/conditions.ts'

/** How an object stands, in the one way in which the three standard conditions can be told from it. */
export type Standing =
  /** It does what its spec says. */
  | Settled
  /** On the way: the operator goes on by itself. */
  | (Unsettled & { readonly state: 'progressing' })
  /** Only a change from outside can help. */
  | (Unsettled & { readonly state: 'stalled' })

interface Settled {
  readonly state: 'ready'
  readonly reason: 'Ready' | 'Hibernated'
  readonly message: string
}

interface Unsettled {
  readonly reason: Reason
  readonly message: string
  /** What is wanted besides takes nothing from those whom it serves: what Ready says first then. */
  readonly serves?: Settled
}

export const ready = (message: string, reason: Settled['reason'] = 'Ready'): Settled => ({
  state: 'ready',
  message,
  reason,
})
export const progressing = (reason: Reason, message: string): Standing => ({
  state: 'progressing',
  reason,
  message,
})
export const stalled = (reason: Reason, message: string): Standing => ({ state: 'stalled', reason, message })

/** Of a Database or Token. */
export const awaitingConfirmation = progressing('AwaitingConfirmation', 'the nodes have not confirmed it yet')
export const organizationNotReady = (name: string): Standing =>
  progressing('OrganizationNotReady', `Organization ${name} is not ready; its conditions say why`)

/** Of a member that was decided upon, while its nodes have not answered. @param organization as its own status says */
export const awaiting = (organization: Said & { readonly metadata: { readonly name: string } }): Standing =>
  saidReady(organization) ? awaitingConfirmation : organizationNotReady(organization.metadata.name)

interface Said {
  readonly status?: { readonly conditions: readonly Condition[] } | undefined
}

/** Whether an object's status says that it is Ready, whatever of its spec. */
export function saidReady({ status }: Said): boolean {
  return status?.conditions.some(({ type, status: said }) => type === 'Ready' && said === 'True') ?? false
}

/** What a condition says now; when it began to say so follows from what was there before. */
export interface Statement {
  readonly type: ConditionType
  readonly status: Condition['status']
  readonly reason: Reason
  readonly message: string
}

const messageLimit = 4_096

/** The same, of an object that does all that it did. Whoever waits for the change waits for Reconciling to be False. */
export function whileServing(standing: Standing, serves: Settled): Standing {
  return standing.state === 'ready' ? standing : { ...standing, serves }
}

/** Ready, Reconciling and Stalled to the letter of kstatus: at most one of the latter two is ever True. */
export function statementsOf(standing: Standing): readonly Statement[] {
  const settled = { status: 'False', reason: 'Settled', message: '' } as const
  switch (standing.state) {
    case 'ready':
      return [
        { type: 'Ready', status: 'True', reason: standing.reason, message: standing.message },
        { type: 'Reconciling', ...settled },
        { type: 'Stalled', ...settled },
      ]
    case 'progressing':
      return [
        readiness(standing),
        { type: 'Reconciling', status: 'True', reason: standing.reason, message: standing.message },
        { type: 'Stalled', ...settled },
      ]
    case 'stalled':
      return [
        readiness(standing),
        { type: 'Reconciling', ...settled },
        { type: 'Stalled', status: 'True', reason: standing.reason, message: standing.message },
      ]
    default:
      return unreachable(standing)
  }
}

function readiness({ serves, reason, message }: Unsettled): Statement {
  return serves === undefined
    ? { type: 'Ready', status: 'False', reason, message }
    : { type: 'Ready', status: 'True', reason: serves.reason, message: `${serves.message}; ${message}` }
}

/**
 * The conditions of an object that is paused: Ready goes on saying what it said, and no spec is claimed to have been
 * acted on.
 */
export function pausedConditions(previous: readonly Condition[], now: Date): readonly Condition[] {
  const message = 'holdfast.dev/paused is "true": the operator looks and changes nothing'
  const kept = previous.filter(({ type }) => type !== 'Reconciling' && type !== 'Stalled')
  const readyBefore = previous.find(({ type }) => type === 'Ready')
  const said = ([...(readyBefore ? [] : (['Ready'] as const)), 'Reconciling', 'Stalled'] as const).map(
    (type) =>
      conditionOf(
        { type, status: 'False', reason: 'Paused', message },
        previous,
        readyBefore?.observedGeneration,
        now,
      ),
  )
  return [...kept, ...said]
}

/** Conditions with the time of their last change of status: kept where the status is what it was. */
export function conditionsOf(
  statements: readonly Statement[],
  previous: readonly Condition[],
  generation: number,
  now: Date,
): readonly Condition[] {
  return statements.map((statement) => conditionOf(statement, previous, generation, now))
}

function conditionOf(
  statement: Statement,
  previous: readonly Condition[],
  generation: number | undefined,
  now: Date,
): Condition {
  const before = previous.find(({ type }) => type === statement.type)
  return {
    type: statement.type,
    status: statement.status,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    lastTransitionTime: before?.status === statement.status ? before.lastTransitionTime : wholeSeconds(now),
    reason: statement.reason,
    message: statement.message.slice(0, messageLimit),
  }
}

/** Kubernetes keeps times of conditions in whole seconds. */
export function wholeSeconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`
}
