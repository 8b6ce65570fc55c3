import { randomBytes } from 'node:crypto'
import type { Tenant } from '../support/tenant.ts'
import { Ledger } from './ledger.ts'
import type { Attempt } from './recovery.ts'

/** A tenant and the database that its application works with. */
export interface Side {
  readonly tenant: Tenant
  readonly database: string
}

/** All that is known of one tenant under load. */
export interface Account extends Side {
  readonly measurement: string
  /** A word that nobody else's points have. */
  readonly owner: string
  /** One a writer. */
  readonly ledgers: readonly Ledger[]
  /** Its own queries, in the order of their starts. */
  readonly queries: Attempt[]
  /** Batches that the client tried again, and those that it let go of. */
  retried: number
  givenUp: number
  /** Why batches were given up, as the client said. */
  readonly reasons: string[]
  /** Answers that ought not to be. */
  readonly violations: string[]
}

/** Accounts with one measurement of the same name each, so that only the points tell whose they are. */
export function openAccounts(sides: readonly Side[], writers: number): readonly Account[] {
  const measurement = `chaos_${randomBytes(4).toString('hex')}`
  return sides.map((side) => {
    const owner = `o${randomBytes(12).toString('hex')}`
    const names = Array.from({ length: writers }, (_, index) => `w${index}`)
    const ledgers = names.map((writer) => new Ledger({ measurement, owner, writer }))
    return {
      ...side,
      measurement,
      owner,
      ledgers,
      queries: [],
      retried: 0,
      givenUp: 0,
      reasons: [],
      violations: [],
    }
  })
}

export const sentBy = ({ ledgers }: Account): number => ledgers.reduce((sum, { sent }) => sum + sent, 0)

export const acknowledgedTo = ({ ledgers }: Account): number =>
  ledgers.reduce((sum, { acknowledged }) => sum + acknowledged, 0)
