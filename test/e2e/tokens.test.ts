import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, testCluster, type TestCluster } from '../support/kubernetes.ts'
import { rememberToken } from '../support/seen-tokens.ts'
import { tenantOf } from '../support/tenant.ts'

// Deleting a Token ends it: its next use fails within 2 s. A token minted elsewhere works by its hash alone.

let cluster: TestCluster
const suffix = randomBytes(3).toString('hex')

beforeAll(async () => {
  cluster = await testCluster()
})

afterAll(async () => {
  await cluster.kubectl([
    'delete',
    'htok',
    '--namespace',
    'marketing',
    '--selector',
    `test=${suffix}`,
    '--ignore-not-found',
  ])
})

const tokenYaml = (name: string, spec: string) => `
apiVersion: holdfast.dev/v1alpha1
kind: Token
metadata: { name: ${name}, namespace: marketing, labels: { test: "${suffix}" } }
spec:
  organization: marketing
  permissions: [{ database: metrics, access: [read, write] }]
${spec}`

const waitReady = (name: string) =>
  cluster.kubectl([
    'wait',
    '--namespace',
    'marketing',
    '--for=condition=Ready',
    `htok/${name}`,
    '--timeout=60s',
  ])

test('a deleted Token is refused within 2 s, and its Secret is gone', async () => {
  const name = `short-lived-${suffix}`
  await cluster.apply(tokenYaml(name, ''))
  await waitReady(name)
  const tenant = await tenantOf(cluster, 'marketing', name)
  const use = () =>
    tenant.send('/api/v2/write', {
      query: { org: 'Marketing', bucket: 'metrics' },
      body: 'revocation value=1',
    })
  // A connection may meet what the network still knows of a gateway before this one.
  await eventually('the token works', 20_000, async () => (await use()).status === 204)

  await cluster.kubectl(['delete', 'htok', name, '--namespace', 'marketing', '--wait=false'])
  const deletedMs = performance.now()
  await eventually('the token is refused', 2_000, async () => (await use()).status === 401, 20)
  console.log(`revoked after ${Math.round(performance.now() - deletedMs)} ms`)
  await eventually(
    'the Secret is gone',
    60_000,
    async () =>
      (await cluster.kubectl(['get', 'secret', name, '--namespace', 'marketing', '--ignore-not-found'])) ===
      '',
  )
  expect((await use()).status).toBe(401)
})

test('a deleted Secret is a rotation at once: a new string works, the old one does not', async () => {
  const name = `rotated-${suffix}`
  await cluster.apply(tokenYaml(name, ''))
  await waitReady(name)
  const before = await tenantOf(cluster, 'marketing', name)
  await cluster.kubectl(['delete', 'secret', name, '--namespace', 'marketing'])
  // The operator may not watch Secrets: it reads each again every 10 s on an installation of this size.
  const after = await eventually('a new Secret', 60_000, async () => {
    const tenant = await tenantOf(cluster, 'marketing', name)
    return tenant.token !== before.token && tenant
  })
  const use = (tenant: typeof after) =>
    tenant.send('/query', { method: 'GET', query: { db: 'metrics', q: 'SHOW MEASUREMENTS' } })
  await eventually('the new string works', 20_000, async () => (await use(after)).status === 200)
  await eventually('the old string is refused', 20_000, async () => (await use(before)).status === 401)
})

test('a Token by hash has no Secret, and the string that only its maker knows works', async () => {
  const { mintToken, hashToken } = await import('../../common/token.ts')
  const known = await tenantOf(cluster, 'marketing', 'marketing-api-token')
  const name = `hashed-${suffix}`
  const minted = mintToken(known.organizationId)
  await rememberToken(minted)
  await cluster.apply(tokenYaml(name, `  hash: ${hashToken(minted)}`))
  await waitReady(name)
  expect(
    await cluster.kubectl(['get', 'secret', name, '--namespace', 'marketing', '--ignore-not-found']),
  ).toBe('')
  const reply = await known.send('/api/v2/write', {
    query: { org: 'Marketing', bucket: 'metrics' },
    body: 'by_hash value=1',
    headers: { authorization: `Bearer ${minted}` },
  })
  expect(reply.status, reply.body).toBe(204)
})

test("a Secret that is somebody else's is never touched", async () => {
  const name = `occupied-${suffix}`
  await cluster.kubectl([
    'create',
    'secret',
    'generic',
    name,
    '--namespace',
    'marketing',
    '--from-literal=mine=yes',
  ])
  try {
    await cluster.apply(tokenYaml(name, ''))
    const stalled = await eventually('the Token says why', 60_000, async () => {
      const token = await cluster.get('htok', name, '--namespace', 'marketing')
      const conditions = (token.status?.['conditions'] ?? []) as {
        type: string
        status: string
        reason: string
        message: string
      }[]
      return conditions.find(({ type, status }) => type === 'Stalled' && status === 'True')
    })
    expect(stalled.message).toContain(name)
    expect(await cluster.secret('marketing', name, 'mine')).toBe('yes')
    const secret = await cluster.get('secret', name, '--namespace', 'marketing')
    expect(Object.keys(secret.data)).toEqual(['mine'])
  } finally {
    await cluster.kubectl(['delete', 'htok', name, '--namespace', 'marketing', '--ignore-not-found'])
    await cluster.kubectl(['delete', 'secret', name, '--namespace', 'marketing', '--ignore-not-found'])
  }
})
