import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { acknowledgedTo, sentBy, type Account, type Side } from '../chaos/account.ts'
import { faultKinds, faults, type FaultKind } from '../chaos/faults.ts'
import { everythingNamed, findings, Load } from '../chaos/load.ts'
import { OperatorChanges } from '../chaos/operator-changes.ts'
import { strangersIn } from '../chaos/questions.ts'
import { recoveries, reportOf, type Run } from '../chaos/report.ts'
import { Revocations } from '../chaos/revocations.ts'
import { strike } from '../chaos/strike.ts'
import type { Struck } from '../chaos/struck.ts'
import { untilWell } from '../chaos/well.ts'
import { testCluster, type TestCluster } from '../support/kubernetes.ts'
import {
  deleteOwnTenants,
  ownDatabase,
  ownTenant,
  ownTenantYaml,
  ownToken,
  readyArguments,
} from '../support/own-tenant.ts'
import { tenantOf } from '../support/tenant.ts'

// Whatever dies, and whatever the operator does not hear of: every acknowledged write is there afterwards, once; no tenant
// is ever shown anything of another one; a token that is gone opens nothing; and within a minute of calm all is well, with
// nobody's help.

const durationMs = Number(process.env['HOLDFAST_CHAOS_MS'] ?? 120_000)
/** `make test` tries the same order of faults every time, `make soak` another one each time. */
const seed = Number(process.env['HOLDFAST_CHAOS_SEED'] ?? 20_260)
const wellWithinMs = 60_000

let cluster: TestCluster
let sides: readonly Side[]
const third = ownTenant(`e2e-chaos-${randomBytes(3).toString('hex')}`)

beforeAll(async () => {
  cluster = await testCluster()
  await cluster.kubectl(['create', 'namespace', third.namespace])
  await cluster.apply(ownTenantYaml(third))
  await cluster.kubectl(readyArguments(third))
  sides = [
    { tenant: await tenantOf(cluster, 'marketing', 'marketing-api-token'), database: 'metrics' },
    {
      tenant: await tenantOf(cluster, 'engineering', 'engineering-service-token'),
      database: 'performance_data',
    },
    { tenant: await tenantOf(cluster, third.namespace, ownToken), database: ownDatabase },
  ]
}, 180_000)

afterAll(() => deleteOwnTenants(cluster, [third]), 240_000)

/** On a cluster that is not ours the control plane is left alone. */
const kindsHere = (): readonly FaultKind[] =>
  cluster.cluster.faults
    ? faultKinds
    : faultKinds.filter((kind) => kind !== 'API server restarted' && !kind.startsWith('watches'))

/** Fault after fault until the time is over, and until each kind has been there once. */
async function strikeOnAndOn(accounts: readonly Account[], struck: Struck[]): Promise<void> {
  const kinds = kindsHere()
  const endMs = performance.now() + durationMs
  for (const fault of faults(seed, kinds, accounts.length)) {
    if (performance.now() > endMs && struck.length >= kinds.length) return
    await sleep(fault.waitMs)
    struck.push(await strike(cluster, fault, accounts))
  }
}

/** @returns what happened; everything that ran has come to its end */
async function play(): Promise<Run> {
  const load = await Load.start(cluster, sides)
  const { accounts } = load
  const changes = new OperatorChanges(cluster, third.organization)
  const isWell = (fromMs: number) => untilWell(cluster, accounts, changes.attempts, fromMs, wellWithinMs)
  let revocations: Revocations | null = null
  const struck: Struck[] = []
  let wellAfterMs: number | null = null
  const runSoFar = (): Run => ({
    seed,
    struck,
    accounts,
    changes: changes.attempts,
    wellAfterMs,
    revoked: revocations?.revoked ?? 0,
    revived: revocations?.violations ?? [],
  })
  try {
    await isWell(performance.now())
    revocations = new Revocations(cluster, third.namespace)
    await strikeOnAndOn(accounts, struck)
    const ended = revocations.end()
    wellAfterMs = await isWell(performance.now())
    await ended
    await revocations.useAll()
  } finally {
    await revocations?.end()
    await changes.stop()
    await load.stop()
    console.log(reportOf(runSoFar()))
  }
  return runSoFar()
}

test(
  `pods, API server and watches come to harm for ${durationMs / 1000} s (HOLDFAST_CHAOS_SEED=${seed})`,
  async () => {
    const run = await play()
    for (const account of run.accounts) {
      const who = account.tenant.organization
      expect(account.violations, `${who} was told`).toEqual([])
      expect(strangersIn(await everythingNamed(account), account, run.accounts), who).toEqual([])
      for (const ledger of account.ledgers) {
        const found = await findings(account, ledger)
        expect(found, `${who} ${ledger.origin.writer}`).toEqual({ lost: [], doubled: [], strange: [] })
      }
      // The load was one: most of what was sent came through, and tenants had answers in between.
      expect(acknowledgedTo(account), who).toBeGreaterThan(sentBy(account) / 2)
      expect(account.queries.filter(({ ok }) => ok).length, who).toBeGreaterThan(durationMs / 2_000)
    }
    expect(new Set(run.struck.map(({ kind }) => kind))).toEqual(new Set(kindsHere()))
    expect(recoveries(run)).not.toContain(null)
    expect(run.revived, 'tokens that were gone').toEqual([])
    expect(run.revoked).toBeGreaterThan(0)
  },
  durationMs + 900_000,
)
