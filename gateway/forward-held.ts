import type { Clock } from '../common/clock.ts'
import { unreachable } from '../common/errors.ts'
import type { Caller, HoldEnd, Holds } from './holds.ts'
import { isUnreached, type Outcome } from './proxy.ts'

/** How a request went that may have waited for its organization to wake. */
export type HeldOutcome =
  | Outcome
  /** `waking`: its time was over before it was awake. `asleep`: it is not to wake. `full`: too many wait already. */
  | { readonly kind: 'waking' | 'asleep' | 'full' }

/** Between two tries to reach a node that is awake: its address is told of a little later. */
const retryMs = 100

export interface Held {
  readonly holds: Holds
  /** null without a token: nothing else wakes an organization. */
  readonly caller: Omit<Caller, 'token'> & { readonly token: string | null }
  readonly clientGone: AbortSignal
  readonly clock: Clock
  /** Passes the request on, as if for the first time. */
  readonly attempt: () => Promise<Outcome>
  /** Told of a request that has waited. */
  readonly onHeld: (outcome: HeldOutcome['kind'], waitedMs: number) => void
}

/**
 * Passes a request on, and where it reaches no node asks the operator for the organization: it waits, unread, while that
 * wakes, and is passed on then. An organization that is awake, but not there, is tried twice more and not waited for.
 */
export async function forwardHeld(held: Held): Promise<HeldOutcome> {
  const { holds, caller, clock } = held
  if (!holds.isWaking(caller.organizationId)) {
    const outcome = await held.attempt()
    if (!mayWait(outcome)) return outcome
  }
  const { token } = caller
  // Nodes accept nothing but tokens: what is none is denied without one.
  if (token === null) return { kind: 'unauthorized' }
  const sinceMs = clock.monotonicMs()
  const outcome = await hold(held, { ...caller, token })
  held.onHeld(outcome.kind, clock.monotonicMs() - sinceMs)
  return outcome
}

async function hold(held: Held, caller: Caller): Promise<HeldOutcome> {
  const { holds, clock, clientGone } = held
  const deadlineMs = clock.monotonicMs() + holds.limits.holdMs
  const over = new AbortController()
  clock.sleep(holds.limits.holdMs, over.signal).then(
    () => over.abort(),
    () => undefined,
  )
  const signal = AbortSignal.any([over.signal, clientGone])
  try {
    for (let hasWoken = false, tries = 0; ; tries += 1) {
      const end: HoldEnd = await holds.until(caller, signal)
      if (clientGone.aborted) return { kind: 'client-gone' }
      // Where nobody says anything, what was away for a moment may be back.
      if (end.end === 'silent') return await held.attempt()
      if (end.end !== 'awake') return outcomeOf(end.end)
      hasWoken ||= end.hasWoken
      const last = await held.attempt()
      if (!mayWait(last) || (tries > 0 && !hasWoken)) return last
      if (clock.monotonicMs() >= deadlineMs) return { kind: 'waking' }
      await clock.sleep(retryMs, signal).catch(() => undefined)
    }
  } finally {
    over.abort()
  }
}

const mayWait = (outcome: Outcome): boolean =>
  outcome.kind === 'unavailable' && outcome.isUntouched && isUnreached(outcome.cause)

function outcomeOf(end: Exclude<HoldEnd['end'], 'awake' | 'silent'>): HeldOutcome {
  switch (end) {
    case 'denied':
      return { kind: 'unauthorized' }
    case 'late':
      return { kind: 'waking' }
    case 'asleep':
    case 'full':
      return { kind: end }
    default:
      return unreachable(end)
  }
}
