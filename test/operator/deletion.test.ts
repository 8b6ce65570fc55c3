import { describe, expect, test } from 'vitest'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources, type Resource } from '../../operator/kube/resource.ts'
import type { Cluster } from './cluster.ts'
import { Line } from './faulty-client.ts'
import { OperatorProcess } from './operator-process.ts'
import { limitMs } from './play.ts'
import { pointTable } from './points.ts'
import { removeObject, team } from './objects.ts'
import { settledTenant } from './scenarios.ts'

// Promise: in whatever order a tenant's objects and namespaces are deleted, all at once or one after the other, nothing
// is stuck: within a minute all of them are gone, and with them whatever they ran. An operator that ends on the way, before or
// after any of them, and comes back when all are deleted, has the same minute.

const check = pointTable('Orders of deletion')

type Victim = readonly [resource: Resource, name: string, within?: string]
/** In an order: the process ends. */
const end = 'operator'
const users: readonly Victim[] = [
  [resources.organizations, 'acme', team],
  [resources.databases, 'metrics', team],
  [resources.tokens, 'writer', team],
  [resources.namespaces, team],
]

const orders = <Item>(items: readonly Item[]): readonly (readonly Item[])[] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item) => orders(items.filter((other) => other !== item)).map((rest) => [item, ...rest]))

async function playOrder(
  start: Cluster,
  order: readonly (Victim | typeof end)[],
  apartMs: number,
): Promise<number> {
  const cluster = start.fork()
  const organization = cluster.get(resources.organizations, 'acme', team)!
  const run = () => {
    const process = new OperatorProcess(cluster, new Line(cluster, () => null))
    process.start()
    return process
  }
  let operator = run()
  const pass = async () => {
    await cluster.tick()
    await cluster.clock.advance(1_000)
  }
  for (const victim of order) {
    if (victim === end) await operator.end()
    else await removeObject(cluster, ...victim)
    for (let passed = 0; passed < apartMs; passed += 1_000) await pass()
  }
  if (order.includes(end)) {
    await operator.end()
    operator = run()
  }
  let passed = 0
  for (; passed <= limitMs && remains(cluster, organization).length > 0; passed += 1_000) await pass()
  await operator.end()
  const left = remains(cluster, organization)
  if (left.length > 0) throw new Error(`after a minute: ${left.join(', ')}`)
  return passed
}

/** What should have gone. */
function remains(cluster: Cluster, organization: KubeObject): readonly string[] {
  const kept = new Set(
    (organization['spec'] as { deletionPolicy: string }).deletionPolicy === 'Retain'
      ? ['Namespace', 'PersistentVolumeClaim', 'Secret data-key', 'Secret last-good', ...bounds]
      : [],
  )
  const runtime = runtimeNamespace(idOfUid(organization.metadata.uid!))
  return [...cluster.kube.world.objects.values()]
    .filter(({ kind, metadata }) => {
      const isInside = (metadata.namespace ?? metadata.name) === runtime
      return !(isInside && (kept.has(kind) || kept.has(`${kind} ${metadata.name}`)))
    })
    .map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)
}

/** What closes and bounds a namespace whose data is kept. */
const bounds = ['RoleBinding', 'ResourceQuota', 'LimitRange', 'NetworkPolicy', 'ServiceAccount']

describe.each(['Retain', 'Delete'] as const)('deletionPolicy %s', (policy) => {
  test.for([
    ['at once', 0],
    ['one after the other', 2_000],
  ] as const)('%s', async ([how, apartMs]) => {
    const start = await settledTenant(policy)
    const organization = start.get(resources.organizations, 'acme', team)!
    const runtime: Victim = [resources.namespaces, runtimeNamespace(idOfUid(organization.metadata.uid!))]
    const withoutEnd = [...orders(users), ...orders([...users, runtime])]
    // What is deleted at once, no operator sees the order of.
    const all = apartMs === 0 ? withoutEnd : [...withoutEnd, ...orders([...users, runtime, end] as const)]
    const points = all.map((order) => ({
      name: order.map((victim) => (victim === end ? end : `${victim[0].plural}/${victim[1]}`)).join(', '),
      play: () => playOrder(start, order, apartMs),
    }))
    expect(await check(`${policy}, ${how}`, points)).toEqual([])
  })
})
