import { expect, test } from 'vitest'
import { choose, rounds, status, tenant } from '../../test/support/rolling-tenant.ts'
import { platform } from '../../test/support/tenant-world.ts'
import { resources } from '../kube/resource.ts'
import { secretNames, setAsideField } from '../naming/names.ts'

// A growth that waits for what a watch tells of costs nothing meanwhile, and what one operator has set aside another
// one, older or newer, makes the same StatefulSet of.

test('a growth whose claims are not there or not bound is looked at no sooner than all else, or once a minute', async () => {
  const of = await tenant()
  const { requeueAfterMs: usualMs = 0 } = await of.world.pass()
  await choose(of, { storage: { size: '20Gi', replicas: 1 } })
  await rounds(of)
  expect(status(of).storage?.growth).toMatchObject({ step: 'Claiming', message: expect.any(String) })
  const { requeueAfterMs } = await of.world.pass()
  expect(requeueAfterMs).toBeGreaterThanOrEqual(Math.min(60_000, usualMs))
  expect(usualMs).toBeGreaterThan(5_000)
})

test.each([
  ['read by an older one', platform],
  ['what pods are taken over by under a class that is gone', { ...platform, classes: {} }],
])('what a newer operator has set aside is %s', async (_what, now) => {
  const of = await tenant()
  const { world, runtime } = of
  const { metadata, ...set } = world.get(resources.statefulSets, 'storage-node', runtime)!
  const annotations = metadata.annotations!
  const record = {
    version: '0.1.0',
    image: 'example/node',
    claim: { size: '20Gi', storageClassName: null, ofLater: 1 },
    template: {
      text: annotations['holdfast.dev/template'],
      inputs: annotations['holdfast.dev/template-inputs'],
      mac: annotations['holdfast.dev/template-mac'],
      ofLater: 1,
    },
    rollout: null,
    ofLater: { more: true },
  }
  const data = { [setAsideField]: Buffer.from(JSON.stringify(record)).toString('base64') }
  await world.kube.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretNames.setAside, namespace: runtime },
    data,
  })
  const growth = { size: '20Gi', step: 'Recreating', startedAt: '2026-11-23T00:00:00Z' }
  const storage = { ...status(of).storage, size: '20Gi', growth }
  await world.kube.patchStatus(world.get(resources.organizations, 'acme')!, { ...status(of), storage })
  await choose(of, { storage: { size: '20Gi', replicas: 1 } })
  world.platform = now
  await world.kube.delete(world.get(resources.statefulSets, 'storage-node', runtime)!)
  await rounds(of)
  const next = world.get(resources.statefulSets, 'storage-node', runtime)!
  expect(next['spec']).toMatchObject({
    template: (set['spec'] as { template: object }).template,
    volumeClaimTemplates: [{ spec: { resources: { requests: { storage: '20Gi' } } } }],
  })
  expect(status(of).storage).toMatchObject({ size: '20Gi' })
  expect(status(of).storage?.growth).toBeUndefined()
})
