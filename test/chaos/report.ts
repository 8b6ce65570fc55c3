import { acknowledgedTo, sentBy, type Account } from './account.ts'
import type { Attempt } from './recovery.ts'
import { slowestRecoveryMs, type Struck } from './struck.ts'

/** A run that has come to its end. */
export interface Run {
  readonly seed: number
  readonly struck: readonly Struck[]
  readonly accounts: readonly Account[]
  /** Changes of a spec that the operator was to take up. */
  readonly changes: readonly Attempt[]
  /** From the last fault until all was well. */
  readonly wellAfterMs: number | null
  /** Tokens that were deleted and used again and again after that, and what they opened. */
  readonly revoked: number
  readonly revived: readonly string[]
}

/** Each fault's slowest recovery by whom it was noticed, null where it never came. */
export function recoveries({ struck, accounts, changes }: Run): readonly (number | null)[] {
  return struck.map((each, index) =>
    slowestRecoveryMs(each, struck[index + 1]?.atMs ?? Infinity, accounts, changes),
  )
}

/** What happened, for people. */
export function reportOf(run: Run): string {
  const times = recoveries(run)
  const kinds = [...new Set(run.struck.map(({ kind }) => kind))].toSorted()
  const faultRows = kinds.map((kind) => {
    const own = times.filter((_, index) => run.struck[index]!.kind === kind)
    return [kind, String(own.length), secondsOf(own.includes(null) ? null : Math.max(...own.map(Number)))]
  })
  const tenantRows = run.accounts.map((account) => [
    account.tenant.organization,
    ...[sentBy(account), acknowledgedTo(account), account.retried, account.givenUp].map(String),
    String(account.queries.filter(({ ok }) => ok).length),
    String(account.queries.filter(({ ok }) => !ok).length),
  ])
  return [
    `chaos with HOLDFAST_CHAOS_SEED=${run.seed}: ${run.struck.length} faults, all well ${secondsOf(run.wellAfterMs)} after the last`,
    `tokens revoked meanwhile: ${run.revoked}, of which worked again: ${run.revived.length}`,
    '',
    table(['fault', 'times', 'slowest recovery'], faultRows),
    '',
    table(['tenant', 'points sent', 'acknowledged', 'retries', 'given up', 'answers', 'refused'], tenantRows),
  ].join('\n')
}

const secondsOf = (ms: number | null): string => (ms === null ? 'never' : `${(ms / 1000).toFixed(1)} s`)

/** The first column to the left, figures to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
