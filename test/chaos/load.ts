import { setTimeout as sleep } from 'node:timers/promises'
import { OfficialWriters, type BatchOutcome } from '../e2e/clients/writers.ts'
import type { TestCluster } from '../support/kubernetes.ts'
import type { Reply } from '../support/tenant.ts'
import { openAccounts, type Account, type Side } from './account.ts'
import { timeMsOf, type Findings, type Ledger, type StoredPoint } from './ledger.ts'
import { questionOf, reachOf, reachProblem, rowsOf, strangersIn } from './questions.ts'

const writersPerTenant = 2
const tickMs = 100
const pointsPerTick = 10
const queryPauseMs = 200
/** Every so often a tenant reaches for another one. */
const turnsPerReach = 4
const pagePoints = 20_000
/** A retry's reason and a violation are kept so often. */
const keptTexts = 20

/**
 * Several tenants whose applications write with the official client, and query, all the time. Each answer is looked at
 * when it comes; what is stored in the end is compared with what was acknowledged.
 */
export class Load {
  readonly accounts: readonly Account[]
  readonly #writers: OfficialWriters
  readonly #stopped = new AbortController()
  readonly #loops: Promise<unknown>

  static async start(cluster: TestCluster, sides: readonly Side[]): Promise<Load> {
    const accounts = openAccounts(sides, writersPerTenant)
    const settings = {
      url: cluster.gateway,
      ca: sides[0]!.tenant.caFile,
      writers: accounts.flatMap(({ tenant, database, ledgers }) =>
        ledgers.map(() => ({ token: tenant.token, org: tenant.organization, bucket: database })),
      ),
    }
    const told = (outcome: BatchOutcome) => note(accounts, outcome)
    return new Load(accounts, await OfficialWriters.start(settings, told))
  }

  private constructor(accounts: readonly Account[], writers: OfficialWriters) {
    this.accounts = accounts
    this.#writers = writers
    this.#loops = Promise.all([this.#write(), ...accounts.map((account) => this.#query(account))])
  }

  /** No more is written or asked; what is under way is acknowledged or given up. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#loops
    await this.#writers.close()
  }

  async #write(): Promise<void> {
    const ledgers = this.accounts.flatMap((account) => account.ledgers)
    while (!this.#stopped.signal.aborted) {
      for (const [index, ledger] of ledgers.entries()) this.#writers.write(index, ledger.take(pointsPerTick))
      await sleep(tickMs)
    }
  }

  async #query(account: Account): Promise<void> {
    const others = this.accounts.filter((other) => other !== account)
    for (let turn = 0; !this.#stopped.signal.aborted; turn++) {
      await ask(account, turn, this.accounts)
      const reaches = turn / turnsPerReach
      // Between two reaches there is nobody at this place.
      const other = others[reaches % others.length]
      if (other) await reach(account, other, Math.floor(reaches / others.length), this.accounts)
      await sleep(queryPauseMs)
    }
  }
}

function note(accounts: readonly Account[], { writer, outcome, sequences, why }: BatchOutcome): void {
  const account = accounts[Math.floor(writer / writersPerTenant)]!
  if (outcome === 'acknowledged') account.ledgers[writer % writersPerTenant]!.acknowledge(sequences)
  else if (outcome === 'retried') account.retried++
  else account.givenUp++
  if (why === undefined) return
  if (outcome === 'given up' && account.reasons.length < keptTexts) account.reasons.push(why)
  for (const stranger of strangersIn(why, account, accounts)) violate(account, `${stranger} in: ${why}`)
}

async function ask(account: Account, turn: number, all: readonly Account[]): Promise<void> {
  const question = questionOf(account, turn)
  const startedMs = performance.now()
  const reply = await sendQuery(account, question.query).catch(() => null)
  const rows = reply && rowsOf(reply)
  const problem = typeof rows === 'string' ? rows : rows && question.judge(rows)
  if (problem) violate(account, `${question.query}: ${problem}`)
  account.queries.push({ startedMs, endedMs: performance.now(), ok: rows !== null && !problem })
  look(reply, account, all)
}

async function reach(account: Account, other: Account, turn: number, all: readonly Account[]): Promise<void> {
  const attempt = reachOf(account, other, turn)
  const reply = await attempt.send().catch(() => null)
  const problem = reply && reachProblem(reply)
  if (problem) violate(account, `${attempt.what}: ${problem}`)
  look(reply, account, all)
}

function look(reply: Reply | null, account: Account, all: readonly Account[]): void {
  if (!reply) return
  for (const stranger of strangersIn(reply.body, account, all))
    violate(account, `${stranger} in: ${reply.body}`)
}

function violate({ violations }: Account, text: string): void {
  if (violations.length < keptTexts) violations.push(text.slice(0, 2_000))
}

const sendQuery = ({ tenant, database }: Account, query: string): Promise<Reply> =>
  tenant.send('/query', { method: 'GET', query: { db: database, epoch: 'ms', q: query } })

/** What is wrong with the points that a writer has left, read back page by page. @throws Error for a refusal */
export async function findings(account: Account, ledger: Ledger): Promise<Findings> {
  const stored: StoredPoint[] = []
  const series = `FROM ${account.measurement} WHERE writer = '${ledger.origin.writer}'`
  for (let first = 0; first < ledger.sent; first += pagePoints) {
    const [fromMs, toMs] = [timeMsOf(first), timeMsOf(first + pagePoints)]
    const rows = await rowsFor(
      account,
      `SELECT sequence, said ${series} AND time >= ${fromMs}ms AND time < ${toMs}ms`,
    )
    for (const [timeMs, sequence, said] of rows) stored.push({ timeMs: Number(timeMs), sequence, said })
  }
  const [counted] = await rowsFor(account, `SELECT count(sequence) ${series}`)
  const count = Number(counted?.[1] ?? 0)
  if (count !== stored.length)
    throw new Error(`${count} points of ${ledger.origin.writer}, but ${stored.length} at their times`)
  return ledger.check(stored)
}

/** Everything that a tenant can be shown of names and tags, as one text. */
export async function everythingNamed(account: Account): Promise<string> {
  const [measurements, owners] = [
    await rowsFor(account, 'SHOW MEASUREMENTS'),
    await rowsFor(account, 'SHOW TAG VALUES WITH KEY = "owner"'),
  ]
  return JSON.stringify([measurements, owners])
}

async function rowsFor(account: Account, query: string): Promise<readonly (readonly unknown[])[]> {
  const reply = await sendQuery(account, query)
  const rows = rowsOf(reply)
  if (rows === null || typeof rows === 'string')
    throw new Error(`${query}: ${reply.status} ${reply.body.slice(0, 500)}`)
  return rows
}
