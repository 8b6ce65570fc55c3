import { beforeAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources, type Resource } from '../../operator/kube/resource.ts'
import type { Cluster } from './cluster.ts'
import { excess, limitMs, play, playQuietly } from './play.ts'
import { pointTable } from './points.ts'
import { editObject, removeObject, team } from './objects.ts'
import { settledTenant, type Scenario } from './scenarios.ts'

// Promise: where something was deleted and made again under the same name while a watch told of neither, the operator ends
// where it ends when it is told, with the next full list at the latest, whatever users do next; and it creates and deletes
// nothing more often.

const relistMs = 1_400_000
const check = pointTable('Deleted and made again, unseen')

/** Kinds that are watched, and whose objects somebody can make again. */
const kinds = [
  'organizations',
  'databases',
  'tokens',
  'roleBindings',
  'resourceQuotas',
  'limitRanges',
  'networkPolicies',
  'serviceAccounts',
  'services',
  'statefulSets',
  'pods',
  'persistentVolumeClaims',
  'namespaces',
] as const

const told: readonly (typeof kinds)[number][] = ['organizations', 'databases', 'tokens', 'statefulSets']

/** What happens next, while the operator does not know. */
const sequels: Readonly<Record<string, (cluster: Cluster) => Promise<unknown>>> = {
  nothing: async () => undefined,
  'an edit of the organization': (cluster) =>
    editObject(cluster, resources.organizations, 'acme', { limits: { series: 5_000 } }),
  'a token is deleted': (cluster) => removeObject(cluster, resources.tokens, 'writer', team),
  'a growth': (cluster) =>
    editObject(cluster, resources.organizations, 'acme', { storage: { size: '20Gi', replicas: 1 } }),
  'the organization is deleted': (cluster) => removeObject(cluster, resources.organizations, 'acme', team),
}

/** Objects of users come again as they were applied, and without what held them; the others as they were. */
async function makeAgain({ kube, get }: Bound, resource: Resource, object: KubeObject): Promise<void> {
  const { name, namespace, labels, annotations, ownerReferences } = object.metadata
  await kube.patchMetadata(object, { finalizers: [] })
  const live = get(resource, name, namespace)
  if (live) await kube.delete(live)
  const left = get(resource, name, namespace)
  if (left) await kube.patchMetadata(left, { finalizers: [] })
  const isOfUsers = namespace === team && object['spec'] !== undefined
  const { status, ...rest } = object
  await kube.create({
    ...rest,
    ...(!isOfUsers && status !== undefined && { status }),
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(labels && { labels }),
      ...(annotations && !isOfUsers && { annotations }),
      ...(ownerReferences && { ownerReferences }),
      ...(isOfUsers && { generation: 1 }),
    },
  })
}

interface Bound {
  readonly kube: Cluster['kube']
  readonly get: Cluster['get']
}

let start: Cluster
beforeAll(async () => {
  start = await settledTenant('Retain')
})

/** @param unseen lines of these versions reach no watch */
function scenarioOf(
  resource: Resource,
  sequel: (cluster: Cluster) => Promise<unknown>,
  unseen: Set<string>,
): Scenario {
  return {
    name: 'create',
    from: start,
    act: async (cluster) => {
      // The operator knows all that there is.
      await cluster.clock.advance(5_000)
      const { world } = cluster.kube
      const before = world.version
      // It is told when all is done.
      const gate = Promise.withResolvers<void>()
      const { deliver } = world
      world.deliver = async (event) => {
        await gate.promise
        return deliver(event)
      }
      const bound = { kube: cluster.kube, get: cluster.get.bind(cluster) }
      for (const object of cluster.all(resource)) await makeAgain(bound, resource, object)
      for (let version = before + 1; version <= world.version; version += 1) unseen.add(String(version))
      await sequel(cluster)
      gate.resolve()
    },
  }
}

describe.each(Object.entries(sequels))('and then %s', (what, sequel) => {
  test('of each kind', async () => {
    // Where nothing else happens, there is nothing to do about most of what is as it was.
    const concerned = what === 'nothing' ? told : kinds
    const points = concerned.map((kind) => ({
      name: kind,
      play: async () => {
        const resource = resources[kind]
        const reference = await playQuietly(scenarioOf(resource, sequel, new Set()))
        const unseen = new Set<string>()
        const outcome = await play(scenarioOf(resource, sequel, unseen), reference, {
          prepare: ({ kube }) => {
            kube.world.deliver = (event) => {
              const { resourceVersion = '' } = event.object.metadata
              const isLost =
                event.type !== 'BOOKMARK' &&
                event.object.kind === resource.kind &&
                unseen.has(resourceVersion)
              return isLost ? [] : [event]
            }
          },
          limitMs: relistMs + limitMs,
        })
        const over = excess(outcome, reference, 2)
        if (over !== '') throw new Error(over)
        return outcome.tookMs
      },
    }))
    expect(await check(what, points)).toEqual([])
  })
})
