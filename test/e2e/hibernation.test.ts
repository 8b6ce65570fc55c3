import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mintToken } from '../../common/token.ts'
import { operatorAtRest, operatorWrites } from '../support/audit.ts'
import {
  eventually,
  statusText,
  testCluster,
  type KubernetesObject,
  type TestCluster,
} from '../support/kubernetes.ts'
import { rememberToken } from '../support/seen-tokens.ts'
import { runningMs } from '../support/stalls.ts'
import { onlyValue, tenantOf, type Tenant } from '../support/tenant.ts'
import { timesText } from '../support/times.ts'
import { callWithPython } from './clients/python.ts'

// A tenant that nobody uses has no pod and costs no write; a stranger's or a revoked token wakes nobody; a write with a
// valid one is answered within 8 s by the node that it wakes, and what was written before is there.

const wakeLimitMs = 8_000
/** The long form waits each time until it falls asleep by itself. */
const byItself = process.env['HOLDFAST_IDLE'] === '1'
const wakes = byItself ? 5 : 1
const quietMs = byItself ? 30_000 : 6_000

let cluster: TestCluster
const name = `sleeper-${randomBytes(3).toString('hex')}`
let writer: Tenant
let revoked: Tenant
let runtime: string

const yaml = `
apiVersion: v1
kind: Namespace
metadata: { name: ${name} }
---
apiVersion: holdfast.dev/v1alpha1
kind: Organization
metadata: { name: ${name}, namespace: ${name} }
spec: { hibernation: WhenIdle, idleAfter: 1m, storage: { size: 1Gi }, deletionPolicy: Delete }
---
apiVersion: holdfast.dev/v1alpha1
kind: Database
metadata: { name: metrics, namespace: ${name} }
spec: { organization: ${name} }
---
apiVersion: holdfast.dev/v1alpha1
kind: Token
metadata: { name: writer, namespace: ${name} }
spec: { organization: ${name}, permissions: [{ database: metrics, access: [read, write] }] }
---
apiVersion: holdfast.dev/v1alpha1
kind: Token
metadata: { name: leaver, namespace: ${name} }
spec: { organization: ${name}, permissions: [{ database: metrics, access: [read, write] }] }
`

beforeAll(async () => {
  cluster = await testCluster()
  await cluster.apply(yaml)
  await cluster.kubectl([
    'wait',
    '--namespace',
    name,
    '--for=condition=Ready',
    'org,hdb,htok',
    '--all',
    '--timeout=180s',
  ])
  writer = await tenantOf(cluster, name, 'writer')
  revoked = await tenantOf(cluster, name, 'leaver')
  runtime = statusText(await organization(), 'runtimeNamespace')
})

afterAll(async () => {
  await cluster.kubectl(['delete', 'namespace', name, '--ignore-not-found', '--timeout=180s'])
})

const organization = (): Promise<KubernetesObject> => cluster.get('org', name, '--namespace', name)
const write = (tenant: Tenant, body: string, headers: Readonly<Record<string, string>> = {}) =>
  tenant.send('/api/v2/write', { query: { org: tenant.organizationId, bucket: 'metrics' }, body, headers })
const stepOf = ({ status }: KubernetesObject): unknown =>
  (status['hibernation'] as { step?: unknown } | undefined)?.step
const podNames = async (): Promise<readonly string[]> =>
  (await cluster.get('pods', '--namespace', runtime)).items.map(({ metadata }) => metadata.name)

const isAsleep = (timeoutMs: number) =>
  eventually('the organization hibernates', timeoutMs, async () => {
    const object = await organization()
    if (stepOf(object) !== 'Hibernated') throw new Error(JSON.stringify(object.status))
    return true
  })
async function setHibernation(hibernation: string): Promise<void> {
  const reference = ['org', name, '--namespace', name]
  const patch = JSON.stringify({ spec: { hibernation } })
  await cluster.kubectl(['patch', ...reference, '--type=merge', '--patch', patch])
}

/** By itself, which takes its minute, or because somebody says so: then it sleeps on as if by itself. */
async function fallsAsleep(): Promise<void> {
  if (byItself) {
    await isAsleep(240_000)
    return
  }
  await setHibernation('Now')
  await isAsleep(120_000)
  await setHibernation('WhenIdle')
}

test('asleep it has no pod and is ready, and nothing is written', async () => {
  const body = Array.from({ length: 500 }, (_, index) => `before value=${index}i ${index + 1}`).join('\n')
  expect((await write(writer, body)).status).toBe(204)
  expect((await write(revoked, 'before value=0i 501')).status).toBe(204)
  const usedMs = performance.now()
  await fallsAsleep()
  const restedMs = performance.now() - usedMs
  if (byItself) {
    expect(restedMs).toBeGreaterThan(60_000)
    console.log(`asleep ${Math.round(restedMs / 1_000)} s after its last use, with idleAfter 1m`)
  }
  await cluster.kubectl([
    'wait',
    '--namespace',
    name,
    '--for=condition=Ready',
    'org,hdb,htok',
    '--all',
    '--timeout=120s',
  ])
  const isMeant = (line: string) => line.includes(name) || line.includes(runtime)
  await operatorAtRest(cluster, isMeant)
  const started = new Date()
  await sleep(quietMs)
  const { others } = await operatorWrites(cluster, started, new Date())
  expect(others.filter(isMeant)).toEqual([])
  expect([await podNames(), stepOf(await organization())]).toEqual([[], 'Hibernated'])
})

test("a stranger's, an invented and a revoked token are refused and wake nobody", async () => {
  await cluster.kubectl(['delete', 'htok', 'leaver', '--namespace', name, '--timeout=60s'])
  const invented = mintToken(writer.organizationId)
  await rememberToken(invented)
  const marketing = await tenantOf(cluster, 'marketing', 'marketing-api-token')
  const answers = [
    await write(revoked, 'after value=1i'),
    await write(writer, 'after value=1i', { authorization: `Token ${invented}` }),
    await write(writer, 'after value=1i', { authorization: `Token ${marketing.token}` }),
    await write(writer, 'after value=1i', { authorization: 'Token nonsense' }),
  ]
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401])
  await sleep(3_000)
  expect(await podNames()).toEqual([])
  expect(stepOf(await organization())).toBe('Hibernated')
})

test('a write wakes it and is answered within 8 s', async () => {
  const tookMs: number[] = []
  for (let round = 1; round <= wakes; round += 1) {
    if (round > 1) await fallsAsleep()
    const startedMs = runningMs()
    const reply = await write(writer, `woken value=${round}i ${round}`)
    tookMs.push(runningMs() - startedMs)
    expect(reply.status, reply.body).toBe(204)
    const query = { db: 'metrics', q: 'SELECT count(value) FROM woken' }
    expect(onlyValue(await writer.send('/query', { method: 'GET', query }))).toBe(round)
  }
  const query = { db: 'metrics', q: 'SELECT count(value) FROM before' }
  expect(onlyValue(await writer.send('/query', { method: 'GET', query }))).toBe(501)
  expect((await write(revoked, 'after value=1i')).status).toBe(401)
  console.log(`woken by a write, answered after ${timesText(tookMs, wakeLimitMs)}`)
  expect(Math.max(...tookMs)).toBeLessThan(wakeLimitMs)
})

test('many that come at once are all answered, an official client that knows nothing of it among them', async () => {
  await fallsAsleep()
  const clients = Array.from({ length: 50 }, (_, index) => index)
  const [official, ...replies] = await Promise.all([
    callWithPython({
      call: 'write',
      url: cluster.gateway,
      ca: writer.caFile,
      token: writer.token,
      org: writer.organizationId,
      bucket: 'metrics',
      lines: ['crowd,client=official value=1i 1'],
    }),
    ...clients.map((index) => write(writer, `crowd,client=c${index} value=1i 1`)),
  ])
  expect(official.error, official.message).toBeUndefined()
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([204]))
  const query = { db: 'metrics', q: 'SELECT count(value) FROM crowd' }
  expect(onlyValue(await writer.send('/query', { method: 'GET', query }))).toBe(clients.length + 1)
})
