import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources } from '../../operator/kube/resource.ts'
import { OperatorBench, condition, organization, token } from './operator-bench.ts'
import { eventually, soonMs } from './operator-harness.ts'
import { VolumeStandIn } from './volume-stand-in.ts'

// Volumes grow by what the API server itself allows and refuses, with the chart's rights and the real controllers of
// StatefulSets, quotas and volumes; only the storage that grows is stood in for. No pod is replaced on the way, and the
// pod template is kept to the letter.

const kubeconfig = process.env['KUBECONFIG']

interface Storage {
  readonly size: string
  readonly growth?: { readonly step: string }
}

describe.skipIf(kubeconfig === undefined)('volumes (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench
  let volumes: VolumeStandIn

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!)
    volumes = new VolumeStandIn(bench.server)
    await volumes.start()
  })

  afterAll(async () => {
    await volumes.stop()
    await bench.close()
  })

  const size = (amount: string) => ({ storage: { size: amount } })
  const storageOf = (object: KubeObject | null): unknown =>
    (object?.['status'] as { storage?: unknown } | undefined)?.storage
  const acme = (namespace: string) => bench.get(resources.organizations, namespace, 'acme')
  const boundClaim = (runtime: string) =>
    eventually('the claim is bound', 60_000, async () => {
      const claim = await bench.get(resources.persistentVolumeClaims, runtime, 'data-storage-node-0')
      return (claim?.['status'] as { phase?: string } | undefined)?.phase === 'Bound' && claim
    })

  test('a larger size reaches the volume under the pod that runs, and Ready is never lost', async () => {
    const { namespace, runtime } = await bench.newTenant()
    const claim = await boundClaim(runtime)
    const [pod, set] = await Promise.all([
      bench.get(resources.pods, runtime, 'storage-node-0'),
      bench.get(resources.statefulSets, runtime, 'storage-node'),
    ])
    const notReady: unknown[] = []
    const stands = (what: string, is: (storage: Storage) => boolean) =>
      eventually(what, 60_000, async () => {
        const object = await acme(namespace)
        const ready = condition(object, 'Ready')
        if (ready?.status !== 'True') notReady.push(ready)
        if (!is(storageOf(object) as Storage)) throw new Error(JSON.stringify(object?.['status']))
        return object!
      })
    volumes.holdBack = true
    await bench.apply(organization(namespace, size('2Gi')))
    await stands('the claim waits for its volume', ({ growth }) => growth?.step === 'Resizing')
    volumes.holdBack = false
    const grown = await stands('the volume has grown', ({ size, growth }) => size === '2Gi' && !growth)
    expect(storageOf(grown)).toEqual({ size: '2Gi', replicas: 1 })
    expect(notReady).toEqual([])
    await bench.becomesReady(resources.organizations, namespace, 'acme')
    expect(condition(await acme(namespace), 'Reconciling')).toMatchObject({ status: 'False' })

    const next = await bench.get(resources.statefulSets, runtime, 'storage-node')
    expect(next?.metadata.uid).not.toBe(set?.metadata.uid)
    expect(next?.metadata.annotations?.['holdfast.dev/template']).toBe(
      set?.metadata.annotations?.['holdfast.dev/template'],
    )
    expect(next?.['spec']).toMatchObject({
      volumeClaimTemplates: [{ spec: { resources: { requests: { storage: '2Gi' } } } }],
    })
    // The controller takes the pod over in its own time, and what it would replace is replaced by then.
    await eventually('the new set has the pod', soonMs, async () => {
      const owned = await bench.get(resources.pods, runtime, 'storage-node-0')
      return owned?.metadata.ownerReferences?.[0]?.uid === next?.metadata.uid
    })
    await systemClock.sleep(2_000)
    const after = await bench.get(resources.pods, runtime, 'storage-node-0')
    expect(after?.metadata.uid).toBe(pod?.metadata.uid)
    expect(after?.metadata.labels).toEqual(pod?.metadata.labels)
    expect(after?.metadata.ownerReferences).toMatchObject([{ uid: next?.metadata.uid }])
    const claimed = await boundClaim(runtime)
    expect(claimed.metadata.uid).toBe(claim.metadata.uid)
    expect(claimed['status']).toMatchObject({ capacity: { storage: '2Gi' } })
    expect(await bench.get(resources.secrets, runtime, 'storage-node-set-aside')).toBeNull()

    const refused = await bench.server.apply(organization(namespace, size('1Gi')))
    expect(refused.status).toBe(422)
    expect(refused.body.message).toContain('volumes only grow')
  })

  test('a storage class that does not grow is named, costs nothing, and the old size ends it', async () => {
    const { namespace, runtime } = await bench.newTenant()
    await boundClaim(runtime)
    await volumes.allowExpansion(false)
    await bench.apply(organization(namespace, size('2Gi')))
    const notReady: unknown[] = []
    const refused = await eventually('the growth is refused', 60_000, async () => {
      const object = await acme(namespace)
      const ready = condition(object, 'Ready')
      if (ready?.status !== 'True') notReady.push(ready)
      return condition(object, 'Stalled')?.status === 'True' && object
    })
    expect(notReady).toEqual([])
    expect(condition(refused, 'Stalled')).toMatchObject({
      reason: 'VolumeGrowthRefused',
      message: expect.stringContaining('must support resize'),
    })
    expect(storageOf(refused)).toMatchObject({ size: '1Gi', growth: { size: '2Gi', step: 'Refused' } })
    await bench.apply(organization(namespace, size('1Gi')))
    await eventually('nothing is stalled', 60_000, async () => {
      const object = await acme(namespace)
      return condition(object, 'Stalled')?.status === 'False' && storageOf(object)
    })
    expect(storageOf(await acme(namespace))).toEqual({ size: '1Gi', replicas: 1 })
    await volumes.allowExpansion(true)
  })

  test('hibernation takes the pod, keeps the volume and is ready; waking opens the way when the node is up to date', async () => {
    const { namespace, runtime, organizationId } = await bench.newTenant()
    const claim = await boundClaim(runtime)
    const hashes = bench.hashesOn(organizationId)
    await bench.apply(organization(namespace, { hibernation: 'Now' }))
    await bench.hasReason(resources.organizations, namespace, 'acme', 'Hibernated')
    const asleep = await bench.becomesReady(resources.organizations, namespace, 'acme')
    expect(asleep['status']).toMatchObject({ hibernation: { step: 'Hibernated' }, storage: { size: '1Gi' } })
    expect(await bench.get(resources.pods, runtime, 'storage-node-0')).toBeNull()
    expect((await boundClaim(runtime)).metadata.uid).toBe(claim.metadata.uid)
    await bench.isGone(resources.networkPolicies, runtime, 'allow-gateway', 20_000)
    await bench.remove(resources.tokens, namespace, 'writer')
    await bench.isGone(resources.tokens, namespace, 'writer')
    await bench.apply(token(namespace, {}, 'reader'))
    await bench.becomesReady(resources.tokens, namespace, 'reader')

    await bench.apply(organization(namespace, { hibernation: 'Never' }))
    await eventually('the way is open', 60_000, () =>
      bench.get(resources.networkPolicies, runtime, 'allow-gateway'),
    )
    const now = bench.hashesOn(organizationId)
    expect(now).toHaveLength(1)
    expect(hashes).not.toContain(now[0])
    await bench.hasReason(resources.organizations, namespace, 'acme', 'Ready')
    expect((await acme(namespace))?.['status']).not.toHaveProperty('hibernation')
  })

  test('an organization that is deleted while its StatefulSet is replaced leaves no pod behind', async () => {
    const { namespace, runtime } = await bench.newTenant()
    await boundClaim(runtime)
    await bench.operator.stop()
    const orphan = `/apis/apps/v1/namespaces/${runtime}/statefulsets/storage-node?propagationPolicy=Orphan`
    expect((await bench.server.send('DELETE', orphan)).status).toBe(200)
    await bench.isGone(resources.statefulSets, runtime, 'storage-node')
    await bench.remove(resources.organizations, namespace, 'acme')
    await bench.operator.start()
    await bench.isGone(resources.organizations, namespace, 'acme')
    expect(await bench.get(resources.pods, runtime, 'storage-node-0')).toBeNull()
    const claim = await bench.get(resources.persistentVolumeClaims, runtime, 'data-storage-node-0')
    expect(claim?.metadata.deletionTimestamp).toBeUndefined()
  })
})
