import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import { run } from '../../scripts/run.ts'
import {
  eventually,
  statusText,
  testCluster,
  type KubernetesObject,
  type TestCluster,
} from '../support/kubernetes.ts'
import { operatorAtRest, operatorWrites } from '../support/audit.ts'
import { tenantOf } from '../support/tenant.ts'

// The same file in any order, once or twice, ends in the same state; settled, the operator writes nothing but its lease.

let cluster: TestCluster
const root = join(import.meta.dirname, '../..')

beforeAll(async () => {
  cluster = await testCluster()
})

/** The example's tenants under names of their own, so that the order can be tried without touching the first ones. */
async function exampleAs(prefix: string): Promise<readonly string[]> {
  const text = await readFile(join(root, 'examples/two-teams.yaml'), 'utf8')
  const renamed = text
    .replaceAll(/\b(namespace|name): (marketing|engineering)$/gm, `$1: ${prefix}-$2`)
    .replaceAll(/organization: (marketing|engineering)$/gm, `organization: ${prefix}-$1`)
  return parseAllDocuments(renamed).map((document) => stringify(document.toJSON()))
}

const namespacesOf = (prefix: string) => [`${prefix}-marketing`, `${prefix}-engineering`]

/** What an applied example has become, without what differs from one tenant to the next by nature. */
async function endState(prefix: string): Promise<unknown> {
  const shapes: unknown[] = []
  for (const namespace of namespacesOf(prefix)) {
    await cluster.kubectl([
      'wait',
      '--namespace',
      namespace,
      '--for=condition=Ready',
      'org,hdb,htok',
      '--all',
      '--timeout=120s',
    ])
    const resources = await cluster.get('org,hdb,htok,secrets,rolebindings', '--namespace', namespace)
    const organization = resources.items.find((item) => (item as { kind?: string }).kind === 'Organization')!
    const runtime = await cluster.get(
      'all,networkpolicies,resourcequotas,limitranges,secrets,persistentvolumeclaims,rolebindings',
      '--namespace',
      statusText(organization, 'runtimeNamespace'),
    )
    expect(runtime.items.length).toBeGreaterThan(8)
    shapes.push([...resources.items, ...runtime.items].map(shape).toSorted())
  }
  return JSON.parse(JSON.stringify(shapes).replaceAll(prefix, 'PREFIX'))
}

/** Kind, name, keys of data, and each condition's type, status and reason. */
function shape(object: KubernetesObject): string {
  const { kind, status, data } = object as KubernetesObject & { kind: string }
  const conditions = (
    (status?.['conditions'] ?? []) as { type: string; status: string; reason?: string }[]
  ).filter(({ type }) => kind !== 'Pod' || type === 'Ready')
  const facts = conditions.map(({ type, status, reason }) => `${type}=${status}/${reason ?? ''}`)
  return [kind, object.metadata.name, Object.keys(data ?? {}).join(), facts.toSorted().join()].join(' ')
}

test('applied in one go, in reverse order, and twice: the same end state', async () => {
  const orders: readonly [string, (documents: readonly string[]) => readonly (readonly string[])[]][] = [
    ['forward', (documents) => [documents]],
    [
      'reverse',
      (documents) => [
        documents.slice(0, 2),
        ...documents
          .slice(2)
          .toReversed()
          .map((document) => [document]),
      ],
    ],
    ['twice', (documents) => [documents, documents]],
  ]
  const prefixes = orders.map(([name]) => `e2e-${name}`)
  try {
    for (const [name, order] of orders) {
      for (const documents of order(await exampleAs(`e2e-${name}`)))
        await cluster.apply(documents.join('---\n'))
    }
    const [forward, reverse, twice] = await Promise.all(prefixes.map(endState))
    expect(forward).toHaveLength(2)
    expect(reverse).toEqual(forward)
    expect(twice).toEqual(forward)
  } finally {
    for (const prefix of prefixes) {
      for (const namespace of namespacesOf(prefix)) {
        await cluster
          .kubectl([
            'patch',
            'org',
            '--namespace',
            namespace,
            namespace,
            '--type=merge',
            '-p',
            '{"spec":{"deletionPolicy":"Delete"}}',
          ])
          .catch(() => '')
      }
      await cluster.kubectl([
        'delete',
        'namespace',
        ...namespacesOf(prefix),
        '--ignore-not-found',
        '--timeout=120s',
      ])
    }
  }
  await eventually('nothing of the deleted tenants is left', 180_000, async () => {
    const namespaces = await cluster.get('namespaces')
    const organizations = await cluster.get('org', '--all-namespaces')
    const runtimes = namespaces.items.filter(({ metadata }) => /^holdfast-[0-9a-f]{16}$/.test(metadata.name))
    return runtimes.length === organizations.items.length
  })
})

/** Writes by which the operator says that a token was used of which it has not said so: whenever it next asks the nodes. */
async function firstUses(): Promise<Set<string>> {
  const { items } = await cluster.get('htok', '--all-namespaces')
  const unsaid = items.filter(({ status }) =>
    ((status['tokens'] ?? []) as readonly { lastUsedAt?: string }[]).some(({ lastUsedAt }) => !lastUsedAt),
  )
  return new Set(unsaid.map(({ metadata }) => `patch tokens/status ${metadata.namespace}/${metadata.name}`))
}

test('60 s of tenants writing: the operator writes nothing but its lease', async () => {
  const tenants = [
    { tenant: await tenantOf(cluster, 'marketing', 'marketing-api-token'), bucket: 'metrics' },
    {
      tenant: await tenantOf(cluster, 'engineering', 'engineering-service-token'),
      bucket: 'performance_data',
    },
  ]
  await cluster.kubectl([
    'wait',
    '--all-namespaces',
    '--for=condition=Ready',
    'org,hdb,htok',
    '--all',
    '--timeout=120s',
  ])
  await operatorAtRest(cluster)
  const uses = await firstUses()
  const started = new Date()
  let sent = 0
  while (Date.now() - started.getTime() < 60_000) {
    for (const { tenant, bucket } of tenants) {
      const reply = await tenant.send('/api/v2/write', {
        query: { org: tenant.organization, bucket },
        body: `quiet value=${sent}i`,
      })
      expect(reply.status, reply.body).toBe(204)
      sent++
    }
    await sleep(100)
  }
  const writes = await operatorWrites(cluster, started, new Date())
  expect(writes.leases).toBeGreaterThan(10)
  // The first of each: a token in use costs one a day.
  const others = writes.others.filter((write) => !uses.delete(write))
  expect(others).toEqual([])
  console.log(
    `${sent} tenant writes, ${writes.leases} lease renewals, ${others.length} other writes by the operator`,
  )
})

test('helm upgrade restarts no storage node', async () => {
  const pods = async () => {
    const list = await cluster.get(
      'pods',
      '--all-namespaces',
      '--selector',
      'app.kubernetes.io/component=storage-node',
    )
    return list.items.map(({ metadata, status }) => ({
      uid: metadata.uid,
      started: status['startTime'],
      restarts: JSON.stringify((status['containerStatuses'] as { restartCount: number }[])[0]!.restartCount),
    }))
  }
  const before = await pods()
  expect(before.length).toBeGreaterThanOrEqual(2)
  const { helm: program, kubeconfig } = cluster.cluster
  const helm = (...args: readonly string[]) =>
    run(program, [
      ...args,
      '--namespace',
      'holdfast-system',
      '--kubeconfig',
      kubeconfig,
      '--wait',
      '--timeout',
      '3m',
    ])
  const settled = async () => {
    await cluster.kubectl([
      'wait',
      '--all-namespaces',
      '--for=condition=Ready',
      'org,hdb,htok',
      '--all',
      '--timeout=120s',
    ])
    await sleep(5_000)
  }
  const values = JSON.parse(
    await run(program, [
      'get',
      'values',
      'holdfast',
      '-o',
      'json',
      '--namespace',
      'holdfast-system',
      '--kubeconfig',
      kubeconfig,
    ]),
  ) as { storageNode: { images: Record<string, string> } }
  const [image] = Object.values(values.storageNode.images)
  // As an upgrade brings it: another operator configuration, and a newer storage node as the default of new tenants.
  await helm(
    'upgrade',
    'holdfast',
    join(root, 'charts/holdfast'),
    '--reuse-values',
    '--set',
    'operator.logLevel=debug',
    '--set',
    'gateway.logLevel=debug',
    '--set',
    `storageNode.images.9\\.9\\.9=${image}`,
    '--set',
    'storageNode.defaultVersion=9.9.9',
  )
  try {
    await settled()
    expect(await pods()).toEqual(before)
  } finally {
    await helm('rollback', 'holdfast')
  }
  await settled()
  expect(await pods()).toEqual(before)
})
