import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../../common/state-document.ts'
import { organization, platform } from '../../test/golden/desired/input.ts'
import { idOfUid } from '../../common/ids.ts'
import type { DesiredInput } from '../desired/input.ts'
import { tenantRoleBinding } from '../desired/role-binding.ts'
import { desiredTenant } from '../desired/tenant.ts'
import { differs } from '../kube/differs.ts'
import type { KubeObject, ObjectMeta } from '../kube/object.ts'
import { finalizer } from '../naming/names.ts'
import { keepChild, keepTenantObject, moreFinalizers } from './keep.ts'
import { claimView, podView, statefulSetView } from './runtime.ts'

// Promise: of whatever anybody may put into a cluster little is kept, and of what passes read, all.

const many = (of: (at: number) => readonly [string, string]) =>
  Object.fromEntries(Array.from({ length: 10_000 }, (_none, at) => of(at)))
/** As large as the API server lets metadata be, and more. */
const heavy: Partial<ObjectMeta> = {
  labels: many((at) => [`example.com/label-${at}`, 'x'.repeat(60)]),
  annotations: {
    'example.com/notes': 'x'.repeat(200_000),
    'holdfast.dev/notes': 'x'.repeat(10_000),
    'holdfast.dev/retry': 'again',
  },
  ownerReferences: Array.from({ length: 5_000 }, (_none, at) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name: `owner-${at}`,
    uid: `uid-${at}`,
  })),
  managedFields: [{ manager: 'x'.repeat(100_000) }],
}
const sizeOf = (object: KubeObject): number => JSON.stringify(object).length
const token = (metadata: Partial<ObjectMeta>): KubeObject => ({
  apiVersion: 'holdfast.dev/v1alpha1',
  kind: 'Token',
  metadata: {
    name: 'writer',
    namespace: 'team',
    uid: 'u',
    resourceVersion: '7',
    generation: 2,
    creationTimestamp: '2026-11-22T00:00:00Z',
    ...metadata,
  },
  spec: { organization: 'acme' },
  status: { observedGeneration: 2 },
})

describe('of a tenant’s object', () => {
  test('what passes read is kept, whatever else there is', () => {
    const life = { finalizers: [finalizer, 'example.com/other'], deletionTimestamp: '2026-11-22T00:00:01Z' }
    const kept = keepTenantObject(token({ ...heavy, ...life }))
    expect(sizeOf(kept)).toBeLessThan(1_000)
    expect(kept).toEqual(token({ ...life, annotations: { 'holdfast.dev/retry': 'again' } }))
  })

  test('of people no more than that there are some', () => {
    const members = Array.from({ length: 1_000 }, () => ({ user: '\u{1F600}'.repeat(256), role: 'Viewer' }))
    const kept = keepTenantObject({ ...token({}), kind: 'Organization', spec: { members } })
    expect(kept['spec']).toEqual({ members: members.slice(0, 1) })
    expect(sizeOf(kept)).toBeLessThan(2_000)
  })

  test('annotations are kept as far as they can mean something', () => {
    const annotations = { 'holdfast.dev/paused': 'true', 'holdfast.dev/retry': 'x'.repeat(200_000) }
    const kept = keepTenantObject(token({ annotations })).metadata.annotations
    expect(kept?.['holdfast.dev/paused']).toBe('true')
    expect(kept?.['holdfast.dev/retry']).toHaveLength(128)
  })

  test.each([[[finalizer]], [[]]])('of megabytes of finalizers, only whether ours is among them', (ours) => {
    const others = Array.from({ length: 20_000 }, (_none, at) => `example.com/finalizer-${at}`)
    const kept = keepTenantObject(token({ finalizers: [...others, ...ours] }))
    expect(kept.metadata.finalizers).toEqual([...ours, moreFinalizers])
  })
})

const marketing = organization()
const input: DesiredInput = {
  organization: marketing,
  organizationId: idOfUid(marketing.metadata.uid),
  platform,
  ownerKey: Buffer.alloc(32, 7),
  existing: null,
  claimed: null,
  retainedVersion: null,
  now: new Date('2026-11-22T12:00:00Z'),
}
const wanted = [tenantRoleBinding(marketing.metadata.namespace, platform), ...desiredTenant(input)]
const runtime = wanted.find(({ kind }) => kind === 'Namespace')!.metadata.name
const child = (kind: string, more: object, metadata: Partial<ObjectMeta> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'a', namespace: runtime, uid: 'u', resourceVersion: '7', ...metadata },
  ...more,
})

describe('of what the operator has made', () => {
  test.each(wanted.map((object) => [object.kind, object]))(
    'a %s as it is wanted is found so',
    (_kind, object) => {
      const { labels: _labels, ...others } = heavy
      const annotations = { ...heavy.annotations, ...object.metadata.annotations }
      const live = { ...object, metadata: { ...object.metadata, ...others, annotations } }
      expect(differs(keepChild(live), object)).toBeNull()
    },
  )

  const condition = {
    type: 'Ready',
    status: 'True',
    message: 'well',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }
  test.each<readonly [string, (object: KubeObject) => unknown, object]>([
    [
      'Pod',
      podView,
      {
        spec: { containers: [] },
        status: {
          podIP: '10.0.0.1',
          hostIP: '10.0.0.2',
          conditions: [condition, { ...condition, type: 'PodScheduled', status: 'False' }],
          containerStatuses: [
            {
              restartCount: 3,
              imageID: 'image',
              state: { running: { startedAt: 'now' } },
              lastState: { terminated: { exitCode: 137, reason: 'OOMKilled', finishedAt: 'now' } },
            },
            { state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } } },
          ],
        },
      },
    ],
    [
      'PersistentVolumeClaim',
      claimView,
      {
        spec: { storageClassName: 'fast', volumeName: 'pv', resources: { requests: { storage: '1Gi' } } },
        status: {
          phase: 'Bound',
          accessModes: ['ReadWriteOnce'],
          capacity: { storage: '1Gi' },
          allocatedResourceStatuses: { storage: 'ControllerResizeInfeasible' },
          conditions: [{ ...condition, type: 'Resizing' }],
        },
      },
    ],
    [
      'StatefulSet',
      (object) => ({ ...statefulSetView(object), object: null }),
      {
        spec: { replicas: 2 },
        status: { observedGeneration: 4, updatedReplicas: 2, updateRevision: 'b', readyReplicas: 1 },
      },
    ],
  ])('of a %s all that its view is made of', (kind, view, more) => {
    const labels = { 'controller-revision-hash': 'b' }
    const object = child(kind, more, { generation: 4, labels, name: 'storage-node' })
    expect(canonicalJson(view(keepChild(object)))).toBe(canonicalJson(view(object)))
    expect(canonicalJson(view(keepChild(keepChild(object))))).toBe(canonicalJson(view(object)))
  })
})

describe('of what is not the operator’s', () => {
  const named = { apiVersion: 'v1', metadata: { name: 'a', uid: 'u', resourceVersion: '7' } }
  test.each(['ServiceAccount', 'Service', 'Pod', 'NetworkPolicy', 'RoleBinding', 'StatefulSet'])(
    'a %s in a tenant’s namespace, only that it is there',
    (kind) => {
      const live = child(kind, { spec: {}, subjects: [] }, { ...heavy, namespace: 'team' })
      expect(keepChild(live)).toEqual({ ...named, kind, metadata: { ...named.metadata, namespace: 'team' } })
    },
  )

  test.each(['NetworkPolicy', 'Service', 'RoleBinding'])(
    'and of a %s that is far larger than ours in a runtime namespace',
    (kind) => {
      const live = child(kind, {}, { labels: heavy.labels! })
      expect(keepChild(live)).toEqual({ ...named, kind, metadata: { ...named.metadata, namespace: runtime } })
    },
  )
})
