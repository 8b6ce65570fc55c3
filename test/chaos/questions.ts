import type { Reply } from '../support/tenant.ts'
import { acknowledgedTo, type Account } from './account.ts'

type Row = readonly unknown[]

/** A query of a tenant and what its answer must be. */
interface Question {
  readonly query: string
  /** @returns what is wrong with these rows, or null */
  judge(rows: readonly Row[]): string | null
}

/** Requests with which a tenant reaches for another one. */
interface Reach {
  readonly what: string
  send(): Promise<Reply>
}

/** For now: the node or the way to it is not there. Everything else that is no answer is wrong. */
export const refusals: readonly number[] = [429, 500, 502, 503, 504]

/** The questions of a tenant, by turns. What was acknowledged when they are made must be in their answers. */
export function questionOf(account: Account, turn: number): Question {
  const { measurement, owner, ledgers } = account
  const ledger = ledgers[turn % ledgers.length]!
  const before = ledger.acknowledged
  const anyBefore = acknowledgedTo(account) > 0
  const questions: readonly Question[] = [
    {
      query: `SELECT count(sequence) FROM ${measurement} WHERE writer = '${ledger.origin.writer}'`,
      judge: (rows) => {
        const count = Number(rows[0]?.[1] ?? 0)
        if (count < before) return `${before} points were acknowledged, ${count} are there`
        return count > ledger.sent ? `${ledger.sent} points were sent, ${count} are there` : null
      },
    },
    {
      query: `SELECT sequence, said FROM ${measurement} ORDER BY time DESC LIMIT 50`,
      judge: (rows) =>
        ownersProblem(
          rows.map((row) => row[2]),
          owner,
          anyBefore,
        ),
    },
    {
      query: `SHOW TAG VALUES FROM ${measurement} WITH KEY = "owner"`,
      judge: (rows) =>
        ownersProblem(
          rows.map((row) => row[1]),
          owner,
          anyBefore,
        ),
    },
  ]
  return questions[Math.floor(turn / ledgers.length) % questions.length]!
}

function ownersProblem(owners: readonly unknown[], owner: string, isAnyExpected: boolean): string | null {
  if (isAnyExpected && owners.length === 0) return 'nothing is there'
  const strangers = owners.filter((found) => found !== owner)
  return strangers.length > 0 ? `points of others: ${strangers.slice(0, 3).join()}` : null
}

/** Ways in which a tenant's own token is used to reach for another tenant, by turns. */
export function reachOf(account: Account, other: Account, turn: number): Reach {
  const { tenant, owner } = account
  const reaches: readonly Reach[] = [
    {
      what: "a query of the other's database",
      send: () =>
        tenant.send('/query', {
          method: 'GET',
          query: { db: other.database, q: `SELECT * FROM ${other.measurement} LIMIT 10` },
        }),
    },
    {
      what: "a write to the other's organization",
      send: () =>
        tenant.send('/api/v2/write', {
          query: { orgID: other.tenant.organizationId, bucket: other.database },
          body: `intruder_${owner} value=1`,
        }),
    },
    {
      what: "a write to the other's database",
      send: () => tenant.send('/write', { query: { db: other.database }, body: `intruder_${owner} value=1` }),
    },
  ]
  return reaches[turn % reaches.length]!
}

/** Rows of all series of an InfluxQL answer; null where it was refused for now, a text where it ought not to be. */
export function rowsOf({ status, body }: Pick<Reply, 'status' | 'body'>): readonly Row[] | string | null {
  if (refusals.includes(status)) return null
  if (status !== 200) return `${status} ${body}`
  // A node that goes down while it answers says so in an answer that had begun well; that it knows neither its database nor
  // its token it must never say.
  if (body.includes('"error"')) return /not found|authorized/.test(body) ? body : null
  const { results } = JSON.parse(body) as { results: { series?: { values: Row[] }[] }[] }
  return results.flatMap(({ series = [] }) => series.flatMap(({ values }) => values))
}

/** What is wrong with the answer to a reach for another tenant, or null: it must get nothing and change nothing. */
export function reachProblem({ status, body }: Pick<Reply, 'status' | 'body'>): string | null {
  const isRefused = [401, 403, 404].includes(status) || refusals.includes(status)
  const isError = status === 200 && body.includes('"error"') && !body.includes('"series"')
  return isRefused || isError ? null : `${status} ${body}`
}

/** Words of other tenants in what a tenant was told, whatever it had asked. */
export function strangersIn(body: string, account: Account, all: readonly Account[]): readonly string[] {
  return all.filter((other) => other !== account && body.includes(other.owner)).map(({ owner }) => owner)
}
