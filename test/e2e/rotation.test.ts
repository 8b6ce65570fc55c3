import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashToken } from '../../common/token.ts'
import { eventually, testCluster, type TestCluster } from '../support/kubernetes.ts'
import { tenantOf, type Tenant } from '../support/tenant.ts'

// Promise: who reads the Secret of a Token anew each second is never refused, through three rotations and the end of the
// operator in one of them; a string is refused within 2 s after the end that the Token's status names.

const namespace = 'marketing'
const name = `rotating-${randomBytes(3).toString('hex')}`
const overlapS = 10
const writesPerSecond = 20
let cluster: TestCluster

beforeAll(async () => {
  cluster = await testCluster()
  await cluster.apply(`
apiVersion: holdfast.dev/v1alpha1
kind: Token
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  organization: marketing
  permissions: [{ database: metrics, access: [read, write] }]
  rotation: { every: 720h, overlap: ${overlapS}s }
`)
  await cluster.kubectl(['wait', '-n', namespace, '--for=condition=Ready', `htok/${name}`, '--timeout=60s'])
}, 120_000)

afterAll(() => cluster.kubectl(['delete', 'htok', name, '-n', namespace, '--ignore-not-found']))

interface Issued {
  readonly hash: string
  readonly expiresAt?: string
}

async function issued(): Promise<readonly Issued[]> {
  const { status } = (await cluster.get('htok', name, '-n', namespace)) as { status?: { tokens?: Issued[] } }
  return status?.tokens ?? []
}

const write = (tenant: Tenant) =>
  tenant.send('/api/v2/write', {
    query: { org: 'Marketing', bucket: 'metrics' },
    body: `rotation value=1i ${process.hrtime.bigint()}`,
  })

test('through three rotations', { timeout: 240_000 }, async () => {
  const first = await tenantOf(cluster, namespace, name)
  const strings: Tenant[] = [first]
  const refusals: string[] = []
  let written = 0
  const over = new AbortController()
  const newest = () => strings.at(-1)!
  const reading = (async () => {
    for (; !over.signal.aborted; await sleep(1_000)) {
      const tenant = await tenantOf(cluster, namespace, name)
      if (tenant.token !== newest().token) strings.push(tenant)
    }
  })()
  const writing = (async () => {
    for (; !over.signal.aborted; await sleep(1_000 / writesPerSecond)) {
      const { status, body } = await write(newest())
      if (status === 204) written += 1
      else refusals.push(`${status} ${body}`)
    }
  })()
  try {
    for (const rotation of [1, 2, 3]) {
      const at = new Date().toISOString()
      const annotation = `holdfast.dev/rotate=${at}`
      await cluster.kubectl(['annotate', 'htok', name, '-n', namespace, '--overwrite', annotation])
      if (rotation === 2)
        await cluster.kubectl([
          'delete',
          'pod',
          '--namespace=holdfast-system',
          '--selector=app.kubernetes.io/component=operator',
          '--wait=false',
        ])
      await eventually(`string ${rotation + 1}`, 120_000, async () => strings.length === rotation + 1)
      const superseded = strings.at(-2)!
      const ends = await eventually('the end of the one before', 60_000, async () => {
        const before = (await issued()).find(({ hash }) => hash === hashToken(superseded.token))
        return before?.expiresAt !== undefined && Date.parse(before.expiresAt)
      })
      expect((await write(superseded)).status).toBe(204)
      await sleep(Math.max(0, ends - Date.now()))
      await eventually('it is refused', 2_000, async () => (await write(superseded)).status === 401, 50)
    }
  } finally {
    over.abort()
    await Promise.all([reading, writing])
  }
  console.log(`${written} writes through ${strings.length - 1} rotations`)
  expect(refusals).toEqual([])
  expect(written).toBeGreaterThan(200)
  expect(new Set(strings.map(({ token }) => token)).size).toBe(4)
  // Of one that the operator lost when it ended nothing is left.
  expect(await issued()).toHaveLength(4)
})
