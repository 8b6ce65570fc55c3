import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { acknowledgedTo, sentBy } from '../chaos/account.ts'
import { findings, Load } from '../chaos/load.ts'
import { recoveryMs } from '../chaos/recovery.ts'
import { eventually, testCluster, type TestCluster } from '../support/kubernetes.ts'
import {
  deleteOwnTenants,
  ownDatabase,
  ownTenant,
  ownTenantYaml,
  ownToken,
  type OwnTenant,
} from '../support/own-tenant.ts'
import { releaseOn, type Release } from '../support/release.ts'
import { runningMs } from '../support/stalls.ts'
import { runtimeNamespaceOf, tenantOf, type Tenant } from '../support/tenant.ts'
import { medianMs, secondsOf, timesText } from '../support/times.ts'

// A tenant writes seconds after its files were applied. Another version of its storage node comes under its writes, and none
// is lost to a client with the retries that it does by itself.

const tenants = process.env['HOLDFAST_TENANT_LIFE'] === '1' ? 10 : 5
const firstWriteMs = 8_000
const otherVersion = '9.9.1'

let cluster: TestCluster
let release: Release
const run = randomBytes(3).toString('hex')
const all = Array.from({ length: tenants }, (_, index) => ownTenant(`e2e-life-${index}-${run}`))
const upgraded = all[0]!

beforeAll(async () => {
  cluster = await testCluster()
  release = releaseOn(cluster)
  const { storageNode } = await release.values()
  const version = storageNode.defaultVersion
  const image = storageNode.images[version]!
  await release.upgrade({
    storageNode: { images: { [otherVersion]: image } },
    classes: { standard: { versions: [version, otherVersion] } },
  })
  for (const { namespace } of all) await cluster.kubectl(['create', 'namespace', namespace])
}, 300_000)

afterAll(async () => {
  await deleteOwnTenants(cluster, all)
  await release.rollback()
}, 300_000)

const write = (tenant: Tenant, line: string) =>
  tenant.send('/api/v2/write', {
    query: { org: tenant.organization, bucket: ownDatabase },
    body: line,
  })

/** From `kubectl apply` of an organization, a database and a token to the first write that the gateway's clients are answered. */
async function timeToFirstWrite(own: OwnTenant): Promise<number> {
  const startedMs = runningMs()
  await cluster.apply(ownTenantYaml(own))
  const token = `token.holdfast.dev/${ownToken}`
  await cluster.kubectl([
    'wait',
    token,
    '--namespace',
    own.namespace,
    '--for=condition=Ready',
    '--timeout=60s',
  ])
  const tenant = await tenantOf(cluster, own.namespace, ownToken)
  await eventually(
    'a write is accepted',
    30_000,
    async () => (await write(tenant, 'first value=1i')).status === 204,
    50,
  )
  return runningMs() - startedMs
}

const choose = (own: OwnTenant, version: string) =>
  cluster.kubectl([
    'patch',
    ...own.organization,
    '--type=merge',
    '--patch',
    JSON.stringify({ spec: { version } }),
  ])

interface Standing {
  readonly version: string
  readonly upgrade?: unknown
  readonly conditions: readonly { readonly type: string; readonly status: string }[]
}

async function standingOf(own: OwnTenant) {
  const standing = (await cluster.get(...own.organization)).status as unknown as Standing
  const isReady = standing.conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
  return { ...standing, isReady }
}

test(`an organization that is applied takes writes: half of ${tenants} within ${secondsOf(firstWriteMs)}`, async () => {
  const times: number[] = []
  for (const own of all) times.push(await timeToFirstWrite(own))
  console.log(`from kubectl apply to the first accepted write: ${timesText(times, firstWriteMs)}`)
  expect(medianMs(times)).toBeLessThan(firstWriteMs)
})

test('another version comes under writes, and no client with its own retries loses one', async () => {
  const side = { tenant: await tenantOf(cluster, upgraded.namespace, ownToken), database: ownDatabase }
  const podId = async () => {
    const pod = await cluster.get('pod', 'storage-node-0', '--namespace', runtimeNamespaceOf(side.tenant))
    return pod.metadata.uid
  }
  const before = await podId()
  const load = await Load.start(cluster, [side])
  const account = load.accounts[0]!
  let chosenMs = Infinity
  try {
    await eventually('the load runs', 60_000, async () => acknowledgedTo(account) > 500)
    chosenMs = performance.now()
    await choose(upgraded, otherVersion)
    await eventually(`version ${otherVersion} is in force`, 120_000, async () => {
      const standing = await standingOf(upgraded)
      return standing.version === otherVersion && !standing.upgrade && standing.isReady
    })
    await sleep(1_000)
  } finally {
    await load.stop()
  }
  const away = recoveryMs(account.queries, chosenMs, Infinity)
  console.log(
    `upgrade under load: ${account.givenUp} batches given up by the official client (limit 0), ${account.retried} tried again; ` +
      `${sentBy(account)} points sent, ${acknowledgedTo(account)} acknowledged; ` +
      `queries answered again after ${away === null ? 'no time' : secondsOf(away)}`,
  )
  expect(account.reasons).toEqual([])
  expect(account.givenUp).toBe(0)
  expect(account.violations).toEqual([])
  expect(acknowledgedTo(account)).toBe(sentBy(account))
  for (const ledger of account.ledgers)
    expect(await findings(account, ledger)).toEqual({ lost: [], doubled: [], strange: [] })
  // Else nothing was tried here.
  expect(await podId()).not.toBe(before)
})
