import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { existingStorageNodes } from '../../operator/desired/existing.ts'
import { recordedRollout, rolloutRecord } from '../../operator/desired/rollout.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { OperatorBench, condition, organization } from './operator-bench.ts'
import { eventually } from './operator-harness.ts'

// Another version takes the place of the one that serves, and comes back from it, through the real StatefulSet
// controller, with the chart's rights: a pod that is stuck is replaced, and no annotation of ours stays behind.

const kubeconfig = process.env['KUBECONFIG']

describe.skipIf(kubeconfig === undefined)('another version (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!)
  })

  afterAll(() => bench.close())

  const acme = (namespace: string) => bench.get(resources.organizations, namespace, 'acme')
  const setIn = (runtime: string) => bench.get(resources.statefulSets, runtime, 'storage-node')
  const podIn = (runtime: string) => bench.get(resources.pods, runtime, 'storage-node-0')
  const imageOf = (pod: KubeObject | null) =>
    (pod?.['spec'] as { containers: readonly { image: string }[] } | undefined)?.containers[0]?.image
  const statusOf = (object: KubeObject | null) =>
    object?.['status'] as { version?: string; upgrade?: { phase: string; message?: string } } | undefined
  const choose = (namespace: string, version: string) => bench.apply(organization(namespace, { version }))

  /** The pod of a version stands, and stays as the API server made it. */
  const stands = (runtime: string, image: string, withinMs = 20_000) =>
    eventually(`a pod of ${image}`, withinMs, async () => {
      const pod = await podIn(runtime)
      return imageOf(pod) === image && pod?.metadata.deletionTimestamp === undefined && pod
    })

  /** As if it had begun eleven minutes ago. */
  async function age(organizationId: string, runtime: string): Promise<void> {
    const set = (await setIn(runtime))!
    const path = pathOf(resources.secrets, {
      namespace: bench.operator.namespace,
      name: 'holdfast-operator-key',
    })
    const { body } = await bench.server.send('GET', path)
    const { key } = body['data'] as { key: string }
    const text = Buffer.from(key, 'base64').toString('utf8')
    const signer = { organizationId, ownerKey: Buffer.from(text, 'base64') }
    const rollout = recordedRollout(signer, existingStorageNodes(set))!
    const startedAt = new Date(Date.parse(rollout.startedAt) - 660_000).toISOString()
    const annotations = rolloutRecord(signer, { ...rollout, startedAt })
    const answer = await bench.server.send('PATCH', pathOf(resources.statefulSets, set.metadata), {
      body: { metadata: { annotations } },
      type: 'application/merge-patch+json',
    })
    expect(answer.status).toBe(200)
  }

  test('replaces the pod, beside one that is stuck too, and nothing of the change stays behind', async () => {
    const { namespace, runtime } = await bench.newTenant()
    bench.nodes.holdBack = true
    await choose(namespace, '0.2.0')
    await stands(runtime, 'localhost/storage-node:next')
    await bench.hasReason(resources.organizations, namespace, 'acme', 'Upgrading')
    await choose(namespace, '0.1.0')
    await stands(runtime, 'localhost/storage-node:none')
    await choose(namespace, '0.2.0')
    await stands(runtime, 'localhost/storage-node:next')
    bench.nodes.holdBack = false
    const found = await bench.becomesReady(resources.organizations, namespace, 'acme')
    expect(statusOf(found)).toMatchObject({ version: '0.2.0' })
    expect(statusOf(found)?.upgrade).toBeUndefined()
    expect(Object.keys((await setIn(runtime))?.metadata.annotations ?? {})).not.toContain(
      'holdfast.dev/rollout',
    )
  })

  test('goes back when its time is over, and says so', async () => {
    const { namespace, runtime, organizationId } = await bench.newTenant()
    bench.nodes.holdBack = true
    await choose(namespace, '0.2.0')
    await stands(runtime, 'localhost/storage-node:next')
    await age(organizationId, runtime)
    // Only after two looks at the pod, half a minute apart, and either look may come half a minute after it could.
    await stands(runtime, 'localhost/storage-node:none', 90_000)
    bench.nodes.holdBack = false
    const found = await eventually('it says that it went back', 40_000, async () => {
      const object = await acme(namespace)
      if (condition(object, 'Stalled')?.status !== 'True') throw new Error(JSON.stringify(object?.['status']))
      return object
    })
    expect(condition(found, 'Ready')).toMatchObject({ status: 'False', reason: 'UpgradeRolledBack' })
    expect(statusOf(found)).toMatchObject({ version: '0.1.0', upgrade: { phase: 'RolledBack' } })
    await choose(namespace, '0.1.0')
    await bench.becomesReady(resources.organizations, namespace, 'acme')
    expect(Object.keys((await setIn(runtime))?.metadata.annotations ?? {})).not.toContain(
      'holdfast.dev/rollout',
    )
  }, 240_000)
})
