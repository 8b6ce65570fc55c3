import type { Clock } from '../common/clock.ts'
import { unreachable } from '../common/errors.ts'
import type { Caller, HoldEnd, Holds } from './holds.ts'
import { isUnreached, type Outcome } from './proxy.ts'

/** How a request went that may have waited for its organization to wake. */
export type HeldOutcome =
  | Outcome
  /** `waking`: its time was over before the organization was awake. `full`: too many wait already. */
  | { readonly kind: 'waking' | 'full' }

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
  let last: Outcome | null = null
  if (!holds.isWaking(caller.organizationId)) {
    last = await held.attempt()
    if (!mayWait(last)) return last
  }
  const { token } = caller
  // Nodes accept nothing but tokens: what is none is denied without one.
  if (token === null) return { kind: 'unauthorized' }
  const sinceMs = clock.monotonicMs()
  const outcome = await hold(held, { ...caller, token }, last)
  held.onHeld(outcome.kind, clock.monotonicMs() - sinceMs)
  return outcome
}

async function hold(held: Held, caller: Caller, first: Outcome | null): Promise<HeldOutcome> {
  const { holds, clock, clientGone } = held
  let last = first
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
      if (end.end !== 'awake') return outcomeOf(end.end, last)
      hasWoken ||= end.hasWoken
      last = await held.attempt()
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

function outcomeOf(end: Exclude<HoldEnd['end'], 'awake' | 'silent'>, last: Outcome | null): HeldOutcome {
  switch (end) {
    case 'denied':
      return { kind: 'unauthorized' }
    case 'full':
      return { kind: 'full' }
    case 'late':
      return { kind: 'waking' }
    case 'asleep':
      return last ?? { kind: 'waking' }
    default:
      return unreachable(end)
  }
}
