import { randomBytes } from 'node:crypto'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dataKeyBytes, parseDataKeys } from '../../common/data-key.ts'
import { paths } from '../../local-kubernetes/single-node/layout.ts'
import { Keyring } from '../../storage-node/crypto/keyring.ts'
import { nodeDisk } from '../../storage-node/disk/node-disk.ts'
import { sealedStateFile } from '../../storage-node/state/state-file.ts'
import { eventually, testCluster, type TestCluster } from '../support/kubernetes.ts'
import {
  deleteOwnTenants,
  ownDatabase,
  ownTenant,
  ownToken,
  readyArguments,
  tokenYaml,
} from '../support/own-tenant.ts'
import { foundInMemory } from '../support/process-memory.ts'
import { processesOfPod } from '../support/processes.ts'
import { runtimeNamespaceOf, tenantOf, type Tenant } from '../support/tenant.ts'

// Promise: within 60 s after its customer took the key away an organization serves nothing, and no process of it holds what it
// had decrypted; with the key it is back; and when it was deleted no key that is left anywhere opens its volume.

const own = ownTenant(`customer-${randomBytes(3).toString('hex')}`)
const { namespace } = own
const customerKey = randomBytes(dataKeyBytes)
const marker = randomBytes(12).toString('hex')
/** The kubelet shows a changed Secret to a pod within a minute or two. */
const kubeletMs = 180_000
const secretYaml = `
apiVersion: v1
kind: Secret
metadata: { name: our-key, namespace: ${namespace} }
data: { key: ${Buffer.from(customerKey.toString('base64')).toString('base64')} }
`

let cluster: TestCluster
let tenant: Tenant
let copies: string

beforeAll(async () => {
  cluster = await testCluster()
  copies = await mkdtemp(join(tmpdir(), 'holdfast-customer-'))
  await cluster.kubectl(['create', 'namespace', namespace])
  await cluster.kubectl(['create', '-f', '-'], secretYaml)
  await cluster.apply(`
apiVersion: holdfast.dev/v1alpha1
kind: Organization
metadata: { name: ${namespace}, namespace: ${namespace} }
spec:
  storage: { size: 1Gi }
  deletionPolicy: Delete
  encryption: { keySecretRef: { name: our-key, key: key } }
---
apiVersion: holdfast.dev/v1alpha1
kind: Database
metadata: { name: ${ownDatabase}, namespace: ${namespace} }
spec: { organization: ${namespace}, deletionPolicy: Delete }
---
${tokenYaml(namespace, ownToken)}`)
  await cluster.kubectl(readyArguments(own))
  tenant = await tenantOf(cluster, namespace, ownToken)
}, 300_000)

afterAll(async () => {
  await deleteOwnTenants(cluster, [own])
  await rm(copies, { recursive: true, force: true })
}, 300_000)

const query = () =>
  tenant.send('/query', { method: 'GET', query: { db: ownDatabase, q: 'SELECT note FROM m' } })

async function nodeProcesses(): Promise<readonly number[]> {
  const { metadata } = await cluster.get('pod', 'storage-node-0', '--namespace', runtimeNamespaceOf(tenant))
  const processes = await processesOfPod(metadata.uid)
  return processes.filter(({ command }) => command.includes('/app/')).map(({ pid }) => pid)
}

async function encryption(): Promise<{ readonly source?: string; readonly locked?: object }> {
  const { status } = await cluster.get(...own.organization)
  return status['encryption'] as { source?: string; locked?: object }
}

const isLocal = (): boolean => cluster.cluster.kind === 'local'

test(
  'taken away, nothing is served within 60 s, and no process holds what was decrypted',
  { timeout: 300_000 },
  async () => {
    const written = await tenant.send('/write', {
      query: { db: ownDatabase },
      body: `m,who=${marker} note="${marker}" 1`,
    })
    expect(written.status, written.body).toBe(204)
    expect((await query()).body).toContain(marker)
    expect(await encryption()).toMatchObject({ source: 'Customer' })
    const before = isLocal() ? await nodeProcesses() : []
    const needles = { marker: Buffer.from(marker), customerKey }
    if (isLocal())
      expect((await Promise.all(before.map((pid) => foundInMemory(pid, needles)))).flat()).toContain('marker')

    await cluster.kubectl(['delete', 'secret', 'our-key', '--namespace', namespace])
    const takenMs = performance.now()
    await eventually('requests are answered 503', 60_000, async () => (await query()).status === 503)
    console.log(
      `served nothing ${Math.round((performance.now() - takenMs) / 1_000)} s after the key was taken away`,
    )
    await cluster.kubectl(['wait', ...own.organization, '--for=condition=Stalled', '--timeout=60s'])
    expect((await encryption()).locked).toBeDefined()
    if (!isLocal()) return
    const after = await eventually('another process runs', 60_000, async () => {
      const pids = await nodeProcesses()
      return pids.length > 0 && !pids.some((pid) => before.includes(pid)) && pids
    })
    for (const pid of after) expect(await foundInMemory(pid, needles)).toEqual([])
    const held = await cluster.secret(runtimeNamespaceOf(tenant), 'data-key', 'data-key')
    expect(held).toBe('')
  },
)

test('back, it answers what it answered before', { timeout: 300_000 }, async () => {
  await cluster.kubectl(['create', '-f', '-'], secretYaml)
  await eventually('it answers', kubeletMs, async () => (await query()).body.includes(marker))
  await cluster.kubectl(readyArguments(own))
  expect((await encryption()).locked).toBeUndefined()
})

test(
  'deleted, its volume opens by no key that is left, the customer’s own included',
  { timeout: 300_000 },
  async (context) => {
    if (!isLocal()) context.skip('the volumes of another cluster are not on this machine')
    const derived = parseDataKeys(await cluster.secret(runtimeNamespaceOf(tenant), 'data-key', 'data-key'))
    const folder = await volumeFolder()
    const copy = join(copies, 'data')
    await cp(folder, copy, { recursive: true })
    expect(await opens(copy, derived[0]!), 'the copy is whole').toBe(true)
    await cluster.kubectl(['delete', ...own.organization, '--timeout=180s'])
    await eventually('its namespace is gone', 120_000, async () => {
      const left = await cluster.kubectl([
        'get',
        'namespace',
        runtimeNamespaceOf(tenant),
        '--ignore-not-found',
      ])
      return left === ''
    })
    const candidates = [customerKey, ...(await keysLeft())]
    expect(candidates.length, 'keys of other tenants are among them').toBeGreaterThan(2)
    for (const key of candidates) expect(await opens(copy, key)).toBe(false)
  },
)

/** Of the tenant's claim, among those of all. */
async function volumeFolder(): Promise<string> {
  const claim = await cluster.get('pvc', 'data-storage-node-0', '--namespace', runtimeNamespaceOf(tenant))
  const volume = String(claim.spec['volumeName'])
  const folder = (await readdir(paths.volumes)).find((name) => name.includes(volume))
  if (folder === undefined) throw new Error(`no folder of ${volume} in ${paths.volumes}`)
  return join(paths.volumes, folder)
}

/** Every value of every Secret that may be a key: of 32 bytes, or text of base64 of 32. */
async function keysLeft(): Promise<readonly Uint8Array[]> {
  const { items } = await cluster.get('secrets', '--all-namespaces')
  return items.flatMap(({ data }) =>
    Object.values(data ?? {}).flatMap((value) => {
      const bytes = Buffer.from(value, 'base64')
      if (bytes.length === dataKeyBytes) return [bytes]
      try {
        return parseDataKeys(bytes.toString('utf8'))
      } catch {
        return []
      }
    }),
  )
}

/** Whether a data folder's state document opens with this key, as a node would open it. */
function opens(folder: string, key: Uint8Array): Promise<boolean> {
  const keyring = new Keyring(tenant.organizationId, key)
  return sealedStateFile(nodeDisk, keyring, folder)
    .read()
    .then(
      (content) => content !== null,
      () => false,
    )
}
