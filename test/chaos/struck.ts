import type { Account } from './account.ts'
import type { FaultKind } from './faults.ts'
import { recoveryMs, type Attempt } from './recovery.ts'

/** A fault that has happened. */
export interface Struck {
  readonly kind: FaultKind
  /** Whose storage node was hit, where one was: an index. */
  readonly tenant: number
  /** As of `performance.now()`. */
  readonly atMs: number
}

/** Whom a fault is noticed by: tenants by their queries, or the operator's users by their changes. */
export function slowestRecoveryMs(
  { kind, tenant, atMs }: Struck,
  untilMs: number,
  accounts: readonly Account[],
  changes: readonly Attempt[],
): number | null {
  const queries = accounts.map((account) => account.queries)
  const noticed = kind.startsWith('gateway')
    ? queries
    : kind.startsWith('storage node')
      ? [queries[tenant]!]
      : [changes]
  const recoveries = noticed.map((attempts) => recoveryMs(attempts, atMs, untilMs))
  return recoveries.reduce(
    (slowest, each) => (slowest === null || each === null ? null : Math.max(slowest, each)),
    0,
  )
}
