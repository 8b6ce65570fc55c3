import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { idOfUid } from '../../common/ids.ts'
import { hashToken, parseToken } from '../../common/token.ts'
import { pathOf, resources, type Resource } from '../../operator/kube/resource.ts'
import { OperatorBench, database, organization } from './operator-bench.ts'
import { soonMs } from './operator-harness.ts'

// The operator as a process with the chart's rights against a real API server, with the storage nodes' admin port
// stood in for: every end that the contract names is reached.

const kubeconfig = process.env['KUBECONFIG']

describe.skipIf(kubeconfig === undefined)('deletion (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!)
  })

  afterAll(() => bench.close())

  describe('ends', () => {
    test('Retain takes access and pods away and keeps volumes, key and namespace', async () => {
      const { namespace, runtime } = await bench.newTenant()
      const key = await bench.get(resources.secrets, runtime, 'data-key')
      const claim = await bench.get(resources.persistentVolumeClaims, runtime, 'data-storage-node-0')
      await bench.remove(resources.organizations, namespace, 'acme')
      await bench.isGone(resources.organizations, namespace, 'acme')
      bench.namespaces.push(runtime)
      expect(await bench.get(resources.statefulSets, runtime, 'storage-node')).toBeNull()
      expect(await bench.get(resources.pods, runtime, 'storage-node-0')).toBeNull()
      expect(await bench.get(resources.services, runtime, 'storage-node')).toBeNull()
      expect(await bench.get(resources.secrets, runtime, 'storage-node-tls')).toBeNull()
      expect((await bench.get(resources.secrets, runtime, 'data-key'))?.['data']).toEqual(key?.['data'])
      const kept = await bench.get(resources.persistentVolumeClaims, runtime, 'data-storage-node-0')
      expect(kept?.metadata.uid).toBe(claim?.metadata.uid)
      const retained = await bench.get(resources.namespaces, undefined, runtime)
      expect(retained?.metadata.annotations).toHaveProperty(['holdfast.dev/retained-since'])
      await bench.hasReason(resources.databases, namespace, 'metrics', 'OrganizationNotFound')
      expect(await bench.get(resources.roleBindings, namespace, 'holdfast-operator')).toBeNull()
    })

    test('Delete leaves nothing', async () => {
      const { namespace, runtime } = await bench.newTenant({ deletionPolicy: 'Delete' })
      await bench.remove(resources.organizations, namespace, 'acme')
      await bench.isGone(resources.organizations, namespace, 'acme')
      expect(await bench.get(resources.namespaces, undefined, runtime)).toBeNull()
    })

    test('a Database keeps its data or drops it, as its policy says', async () => {
      const { namespace, organizationId } = await bench.newTenant()
      const dropped = await bench.apply(database(namespace, { deletionPolicy: 'Delete' }, 'dropped'))
      await bench.becomesReady(resources.databases, namespace, 'dropped')
      await bench.remove(resources.databases, namespace, 'metrics')
      await bench.remove(resources.databases, namespace, 'dropped')
      await bench.isGone(resources.databases, namespace, 'metrics', soonMs)
      await bench.isGone(resources.databases, namespace, 'dropped', soonMs)
      expect(bench.nodes.of(organizationId)?.document?.databases).toEqual([])
      expect(bench.nodes.of(organizationId)?.deleted).toEqual([idOfUid(dropped.metadata.uid!)])
    })

    test('every order of deleting ends, also all at once with the namespace', async () => {
      const orders: readonly (readonly [Resource, string])[] = [
        [resources.organizations, 'acme'],
        [resources.databases, 'metrics'],
        [resources.tokens, 'writer'],
      ]
      await Promise.all(
        permutations(orders).map(async (order, index) => {
          const { namespace, runtime } = await bench.newTenant({
            deletionPolicy: index % 2 ? 'Delete' : 'Retain',
          })
          if (index % 2 === 0) bench.namespaces.push(runtime)
          for (const [resource, name] of order) await bench.remove(resource, namespace, name)
          for (const [resource, name] of order) await bench.isGone(resource, namespace, name)
        }),
      )
      const { namespace, runtime } = await bench.newTenant()
      bench.namespaces.push(runtime)
      await bench.server.send('DELETE', pathOf(resources.namespaces, { name: namespace }))
      await bench.isGone(resources.namespaces, undefined, namespace)
      expect(await bench.get(resources.pods, runtime, 'storage-node-0')).toBeNull()
    })

    test('a new Organization under an old name inherits nothing', async () => {
      const { namespace, organizationId, runtime } = await bench.newTenant()
      bench.namespaces.push(runtime)
      const before = await bench.tokenString(namespace)
      await bench.remove(resources.organizations, namespace, 'acme')
      await bench.isGone(resources.organizations, namespace, 'acme')
      const made = await bench.apply(organization(namespace))
      await bench.becomesReady(resources.organizations, namespace, 'acme')
      const id = idOfUid(made.metadata.uid!)
      expect(id).not.toBe(organizationId)
      await bench.becomesReady(resources.tokens, namespace, 'writer')
      const after = await bench.tokenString(namespace)
      expect(parseToken(after)).toEqual({ organizationId: id })
      expect(bench.hashesOn(id)).toEqual([hashToken(after)])
      expect(after).not.toBe(before)
    })
  })
})

function permutations<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  if (items.length <= 1) return [items]
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  )
}
