import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashToken } from '../../common/token.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources, type Resource } from '../../operator/kube/resource.ts'
import { OperatorBench, condition, database, organization, statusOf, token } from './operator-bench.ts'
import { soonMs } from './operator-harness.ts'

// The operator as a process with the chart's rights and its fence against a real API server, with the storage nodes'
// admin port stood in for: retained data comes back to whom it belongs, and to nobody else.

const kubeconfig = process.env['KUBECONFIG']
const { organizations, databases, tokens, namespaces, secrets, persistentVolumeClaims } = resources

describe.skipIf(kubeconfig === undefined)('restoreFrom (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!)
  })

  afterAll(() => bench.close())

  async function retain(namespace: string, runtime: string): Promise<void> {
    for (const [resource, name] of [
      [organizations, 'acme'],
      [databases, 'metrics'],
      [tokens, 'writer'],
    ] as const) {
      await bench.remove(resource, namespace, name)
      await bench.isGone(resource, namespace, name)
    }
    // The garbage collector takes it in its own time; until then its name is taken.
    await bench.isGone(secrets, namespace, 'writer')
    bench.namespaces.push(runtime)
  }

  async function uidOf(resource: Resource, namespace: string | undefined, name: string): Promise<string> {
    return (await bench.get(resource, namespace, name))!.metadata.uid!
  }

  /** What a person does by `kubectl annotate`, `patch`. */
  async function merge(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    body: object,
  ): Promise<void> {
    const path = pathOf(resource, namespace === undefined ? { name } : { namespace, name })
    const answer = await bench.server.send('PATCH', path, { body, type: 'application/merge-patch+json' })
    if (answer.status >= 300) throw new Error(answer.body.message)
  }

  const transfer = async (runtime: string, to: string) =>
    merge(namespaces, undefined, runtime, {
      metadata: {
        annotations: { 'holdfast.dev/transfer-to': `${to}/${await uidOf(namespaces, undefined, to)}` },
      },
    })

  test('takes back id, volume, data key and databases, and no token', async () => {
    const { namespace, organizationId, runtime } = await bench.newTenant()
    const dead = await bench.tokenString(namespace)
    const [key, claim, before] = await Promise.all([
      bench.get(secrets, runtime, 'data-key'),
      uidOf(persistentVolumeClaims, runtime, 'data-storage-node-0'),
      bench.get(databases, namespace, 'metrics'),
    ])
    await retain(namespace, runtime)

    const restoreFrom = { organizationId }
    await bench.apply(organization(namespace, { restoreFrom }, { name: 'again' }))
    await bench.apply(database(namespace, { organization: 'again', databaseName: 'metrics' }, 'anew'))
    await bench.apply(token(namespace, { organization: 'again' }))
    const ready = await bench.becomesReady(organizations, namespace, 'again')
    expect(statusOf(ready)).toMatchObject({ organizationId, runtimeNamespace: runtime })
    const again = await bench.becomesReady(databases, namespace, 'anew')
    expect(again['status']).toMatchObject({
      databaseId: (before!['status'] as { databaseId: string }).databaseId,
    })
    await bench.becomesReady(tokens, namespace, 'writer')
    const alive = await bench.tokenString(namespace)
    expect(bench.hashesOn(organizationId)).toEqual([hashToken(alive)])
    expect(alive).not.toBe(dead)
    expect((await bench.get(secrets, runtime, 'data-key'))?.['data']).toEqual(key?.['data'])
    expect(await uidOf(persistentVolumeClaims, runtime, 'data-storage-node-0')).toBe(claim)
    const live = await bench.get(namespaces, undefined, runtime)
    expect(live?.metadata.annotations).not.toHaveProperty(['holdfast.dev/retained-since'])
    expect(live?.metadata.annotations).toMatchObject({ 'holdfast.dev/owner-name': 'again' })

    // It is not to be had twice, and who is refused is in nobody's way.
    await bench.apply(organization(namespace, { restoreFrom }, { name: 'twin' }))
    await bench.hasReason(organizations, namespace, 'twin', 'RestoreRefused')
    await bench.remove(organizations, namespace, 'twin')
    await bench.isGone(organizations, namespace, 'twin', soonMs)
    expect(await bench.get(resources.statefulSets, runtime, 'storage-node')).not.toBeNull()

    const moved = await bench.server.send('PATCH', pathOf(organizations, { namespace, name: 'again' }), {
      body: { spec: { restoreFrom: null } },
      type: 'application/merge-patch+json',
    })
    expect(moved.status).toBe(422)
    await merge(organizations, namespace, 'again', { spec: { deletionPolicy: 'Delete' } })
    await bench.remove(organizations, namespace, 'again')
    await bench.isGone(organizations, namespace, 'again')
    expect(await bench.get(namespaces, undefined, runtime)).toBeNull()
  })

  test('is refused elsewhere in the words of an id that never was one, until the platform transfers the data', async () => {
    const { namespace, organizationId, runtime } = await bench.newTenant()
    await retain(namespace, runtime)
    const elsewhere = await bench.newNamespace()
    await bench.apply(organization(elsewhere, { restoreFrom: { organizationId } }))
    await bench.apply(
      organization(elsewhere, { restoreFrom: { organizationId: 'f'.repeat(16) } }, { name: 'none' }),
    )
    const [refused, none] = await Promise.all(
      ['acme', 'none'].map((name) => bench.hasReason(organizations, elsewhere, name, 'RestoreRefused')),
    )
    expect(masked(refused!)).toEqual(masked(none!))
    await transfer(runtime, elsewhere)
    const ready = await bench.becomesReady(organizations, elsewhere, 'acme')
    expect(statusOf(ready)).toMatchObject({ organizationId })
    expect((await bench.get(namespaces, undefined, runtime))?.metadata.annotations).not.toHaveProperty([
      'holdfast.dev/transfer-to',
    ])
    await bench.remove(organizations, elsewhere, 'none')
  })

  test('what kubectl let go while no operator ran is taken over by the word of the platform', async () => {
    const { namespace, organizationId, runtime } = await bench.newTenant()
    await bench.operator.stop()
    bench.namespaces.push(runtime)
    // The commands of docs/install.md.
    for (const [resource, name] of [
      [organizations, 'acme'],
      [databases, 'metrics'],
      [tokens, 'writer'],
    ] as const) {
      await bench.remove(resource, namespace, name)
      await merge(resource, namespace, name, { metadata: { finalizers: null } })
      await bench.isGone(resource, namespace, name, soonMs)
    }
    for (const [resource, name] of [
      [resources.statefulSets, 'storage-node'],
      [resources.services, 'storage-node'],
      [secrets, 'storage-node-tls'],
    ] as const)
      await bench.remove(resource, runtime, name)
    await bench.remove(resources.roleBindings, namespace, 'holdfast-operator')
    await bench.isGone(resources.pods, runtime, 'storage-node-0', 40_000)

    await bench.operator.start()
    await bench.apply(organization(namespace, { restoreFrom: { organizationId } }))
    await bench.apply(database(namespace))
    await bench.hasReason(organizations, namespace, 'acme', 'RestoreRefused')
    await transfer(runtime, namespace)
    const ready = await bench.becomesReady(organizations, namespace, 'acme')
    expect(statusOf(ready)).toMatchObject({ organizationId })
    await bench.becomesReady(databases, namespace, 'metrics')
  })

  const masked = (object: KubeObject) =>
    ['Ready', 'Reconciling', 'Stalled'].map((type) => {
      const { lastTransitionTime: _time, ...said } = condition(object, type) as unknown as Record<
        string,
        unknown
      >
      return said
    })
})
