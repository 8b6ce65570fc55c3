import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { silentLogger } from '../../common/log.ts'
import { applyObject } from '../../operator/kube/apply.ts'
import type { KubeClient } from '../../operator/kube/client.ts'
import { EventRecorder } from '../../operator/kube/events.ts'
import { openKubeClient } from '../../operator/kube/http-client.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resourceOf, resources } from '../../operator/kube/resource.ts'
import { createTestNamespace } from './test-namespace.ts'

/*
 * The promise: against a real API server with all its defaults, what was applied once is never written again, drift is
 * undone, and no write reaches more than it says or another object of the same name.
 */
const kubeconfig = process.env['KUBECONFIG']

const podLabels = { app: 'node' }
const template = {
  metadata: { labels: podLabels },
  spec: {
    automountServiceAccountToken: false,
    hostNetwork: false,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'node',
        image: 'example.invalid/node:1',
        env: [
          { name: 'EMPTY', value: '' },
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        ],
        ports: [{ name: 'http', containerPort: 8086 }],
        resources: { requests: { cpu: '0.5', memory: '1024Mi' }, limits: { memory: '1Gi' } },
        volumeMounts: [{ name: 'data', mountPath: '/data', readOnly: false }],
        readinessProbe: { httpGet: { path: '/ready', port: 8086, scheme: 'HTTPS' } },
      },
    ],
    volumes: [
      { name: 'scratch', emptyDir: { sizeLimit: '1024Mi' } },
      { name: 'empty', emptyDir: {} },
      { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
    ],
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: podLabels },
      },
    ],
  },
}

interface Sample {
  readonly apiVersion: string
  readonly kind: string
  readonly [field: string]: unknown
}

/** A kind each, with all that the API server likes to rewrite. Zero replicas, so that no controller acts on them. */
const samples: readonly Sample[] = [
  { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } },
  { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', data: { a: 'MQ==' } },
  { apiVersion: 'v1', kind: 'ServiceAccount', automountServiceAccountToken: false },
  {
    apiVersion: 'v1',
    kind: 'Service',
    spec: {
      clusterIP: 'None',
      selector: podLabels,
      ports: [{ name: 'http', port: 8086 }],
      publishNotReadyAddresses: false,
    },
  },
  {
    apiVersion: 'v1',
    kind: 'LimitRange',
    spec: { limits: [{ type: 'Container', default: { cpu: '1000m' }, defaultRequest: { cpu: 0.1 } }] },
  },
  {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'none-such',
      resources: { requests: { storage: '1024Mi' } },
    },
  },
  // After the claim: until its controller has looked at it, a quota lets nothing in that it counts.
  { apiVersion: 'v1', kind: 'ResourceQuota', spec: { hard: { 'requests.storage': '10240Mi', pods: 4 } } },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    spec: {
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ podSelector: {}, namespaceSelector: {} }], ports: [{ port: 8086 }] }],
      egress: [],
    },
  },
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    spec: { maxUnavailable: 1, selector: { matchLabels: podLabels } },
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'ServiceAccount', name: 'a', namespace: 'b' }],
  },
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    spec: {
      replicas: 0,
      serviceName: 'node',
      selector: { matchLabels: podLabels },
      template,
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  },
]

describe.skipIf(kubeconfig === undefined)('writes (KUBECONFIG names the cluster)', () => {
  let client: KubeClient
  let namespace: string
  let created: KubeObject

  beforeAll(async () => {
    client = openKubeClient({ kubeconfig: kubeconfig! })
    created = await createTestNamespace(client)
    namespace = created.metadata.name
  })

  afterAll(async () => {
    await client.delete(created)
    await client.close()
  })

  const named = (sample: Sample, name = 'sample'): KubeObject => ({
    ...sample,
    metadata: { name, namespace, labels: { app: 'node' } },
  })
  const configMap = (name: string, data: Record<string, string> = { a: '1' }): KubeObject =>
    named({ apiVersion: 'v1', kind: 'ConfigMap', data }, name)
  const live = async (object: KubeObject): Promise<KubeObject> =>
    (await client.get(resourceOf(object), object.metadata))!

  test.each(samples.map((sample) => [sample.kind, sample] as const))(
    'a %s that was applied once is not written again',
    async (_kind, sample) => {
      const desired = named(sample)
      expect((await applyObject(client, undefined, desired, silentLogger)).outcome).toBe('created')
      const again = await applyObject(client, await live(desired), desired, silentLogger)
      expect(again).toMatchObject({ outcome: 'unchanged' })
      // And rightly so: writing it would have changed nothing.
      // Status is what the cluster's own controllers write meanwhile.
      const { metadata, status: _after, ...rest } = await client.apply(desired)
      const { metadata: before, status: _before, ...restBefore } = again.object
      expect([rest, metadata.labels]).toEqual([restBefore, before.labels])
    },
  )

  test('drift is undone, what is no longer wanted goes, what others own stays', async () => {
    const desired = configMap('drift', { mine: '1', old: '1' })
    await applyObject(client, undefined, desired, silentLogger)
    const before = await live(desired)
    await client.replace({ ...before, data: { mine: 'theirs', old: '1', foreign: '1' } })
    expect(await applyObject(client, await live(desired), desired, silentLogger)).toMatchObject({
      outcome: 'changed',
      path: 'data.mine',
    })
    const smaller = configMap('drift', { mine: '1' })
    expect((await applyObject(client, await live(desired), smaller, silentLogger)).outcome).toBe('changed')
    const after = await live(desired)
    expect((await applyObject(client, after, smaller, silentLogger)).outcome).toBe('unchanged')
    expect(after['data']).toMatchObject({ mine: '1', foreign: '1' })
  })

  test('a key that only we own goes when it is no longer wanted', async () => {
    await applyObject(client, undefined, configMap('prune', { a: '1', b: '2' }), silentLogger)
    const smaller = configMap('prune', { a: '1' })
    await applyObject(client, await live(smaller), smaller, silentLogger)
    expect((await live(smaller))['data']).toEqual({ a: '1' })
  })

  test('what is deleted while we look is not made again from a stale cache', async () => {
    const { object } = await applyObject(client, undefined, configMap('stale'), silentLogger)
    await client.delete(object)
    await expect(
      applyObject(client, object, configMap('stale', { a: '2' }), silentLogger),
    ).rejects.toMatchObject({ kind: 'conflict' })
    expect(await client.get(resources.configMaps, { namespace, name: 'stale' })).toBeNull()
  })

  test('a status is written whole, and nothing else with it', async () => {
    const service = await client.create(
      named(
        { apiVersion: 'v1', kind: 'Service', spec: { clusterIP: 'None', ports: [{ port: 1 }] } },
        'status',
      ),
    )
    const condition = {
      type: 'A',
      status: 'True',
      reason: 'R',
      message: 'm',
      lastTransitionTime: '2026-11-22T00:00:00Z',
    }
    const forged = {
      ...service,
      spec: { clusterIP: 'None', ports: [{ port: 2 }] },
      metadata: { ...service.metadata, labels: { forged: '1' } },
    }
    const first = await client.patchStatus(forged, { conditions: [condition, { ...condition, type: 'B' }] })
    expect(first['spec']).toEqual(service['spec'])
    expect(first.metadata.labels).toEqual(service.metadata.labels)
    const second = await client.patchStatus(first, { conditions: [condition] })
    expect(second['status']).toMatchObject({ conditions: [condition] })
    const same = await client.patchStatus(second, { conditions: [condition] })
    expect(same.metadata.resourceVersion).toBe(second.metadata.resourceVersion)
    await expect(client.patchStatus(first, { conditions: [] })).rejects.toMatchObject({ kind: 'conflict' })
  })

  test('finalizers are changed only on what was read, and hold the object until they go', async () => {
    const object = await client.create(configMap('finalized'))
    const held = await client.patchMetadata(object, { finalizers: ['holdfast.dev/test'] })
    await expect(client.patchMetadata(object, { finalizers: [] })).rejects.toMatchObject({ kind: 'conflict' })
    await client.delete(held)
    const dying = await live(object)
    expect(dying.metadata.deletionTimestamp).toBeDefined()
    await client.patchMetadata(dying, { finalizers: [] })
    expect(await client.get(resources.configMaps, { namespace, name: 'finalized' })).toBeNull()
  })

  test('a successor of the same name is neither deleted nor written to', async () => {
    const first = await client.create(configMap('again'))
    await client.delete(first)
    const second = await client.create(configMap('again', { a: 'second' }))
    await expect(client.delete(first)).rejects.toMatchObject({ kind: 'conflict' })
    await expect(client.patchMetadata(first, { labels: { a: 'b' } })).rejects.toMatchObject({
      kind: 'conflict',
    })
    await expect(client.replace({ ...first, data: {} })).rejects.toMatchObject({ kind: 'conflict' })
    expect(await live(second)).toEqual(second)
    await client.delete(second)
    await client.delete(second)
  })

  test('creating what exists says so', async () => {
    await client.create(configMap('twice'))
    await expect(client.create(configMap('twice'))).rejects.toMatchObject({
      kind: 'conflict',
      code: 'ERR_KUBE_ALREADY_EXISTS',
    })
  })

  test('what the API server finds wrong is told by field', async () => {
    const wrong = named({ apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 0 }] } }, 'wrong')
    await expect(client.apply(wrong)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('spec.ports[0].port'),
    })
  })

  test('events are accepted and counted', async () => {
    const recorder = new EventRecorder({ client, clock: systemClock, log: silentLogger })
    recorder.record(await client.create(configMap('eventful')), 'Warning', 'Tested', 'a message')
    const events = async () =>
      (await client.list(resources.events, { namespace })).items
        .filter((event) => event['reason'] === 'Tested')
        .map(({ message, count }) => ({ message, count }))
    await expect.poll(events).toEqual([{ message: 'a message', count: 1 }])
    await recorder.stop()
  })
})
