import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../kube/object.ts'
import { meaningOf } from './meaning.ts'

// Promise: what a pass would find otherwise than before changes the meaning, and what none reads does not.

const object = (kind: string, more: Partial<KubeObject>): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'storage-node-0', namespace: 'holdfast-0', uid: 'u', resourceVersion: '1' },
  ...more,
})
const isSame = (a: KubeObject, b: KubeObject): boolean => meaningOf(a) === meaningOf(b)

const pod = (status: object) => object('Pod', { status })
const set = (generation: number, status: object) => {
  const { metadata } = object('StatefulSet', {})
  return object('StatefulSet', { metadata: { ...metadata, generation }, spec: { replicas: 1 }, status })
}
const condition = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }

describe('no pass is needed for', () => {
  test.each<readonly [string, KubeObject, KubeObject]>([
    [
      'a quota that counts',
      object('ResourceQuota', { status: { used: { pods: '0' } } }),
      object('ResourceQuota', { status: { used: { pods: '1' } } }),
    ],
    [
      'a new version alone',
      object('Service', {}),
      object('Service', { metadata: { ...object('Service', {}).metadata, resourceVersion: '2' } }),
    ],
    [
      'a pod’s times',
      pod({ conditions: [condition] }),
      pod({ conditions: [{ ...condition, lastTransitionTime: '2026-01-02T00:00:00Z' }], hostIP: '1' }),
    ],
    [
      'replicas that a StatefulSet counts',
      set(1, { observedGeneration: 1, updateRevision: 'a', replicas: 0 }),
      set(1, { observedGeneration: 1, updateRevision: 'a', replicas: 1 }),
    ],
  ])('%s', (_what, before, after) => expect(isSame(before, after)).toBe(true))
})

describe('a pass is needed for', () => {
  test.each<readonly [string, KubeObject, KubeObject]>([
    [
      'other subjects',
      object('RoleBinding', { subjects: [] }),
      object('RoleBinding', { subjects: [{ name: 'a' }] }),
    ],
    [
      'a label',
      object('Service', {}),
      object('Service', { metadata: { ...object('Service', {}).metadata, labels: { a: 'b' } } }),
    ],
    [
      'a pod that is ready',
      pod({ conditions: [{ ...condition, status: 'False' }] }),
      pod({ conditions: [condition] }),
    ],
    ['a pod that has an address', pod({}), pod({ podIP: '127.0.0.1' })],
    [
      'a pod that was started again',
      pod({ containerStatuses: [{ restartCount: 1 }] }),
      pod({ containerStatuses: [{ restartCount: 2 }] }),
    ],
    [
      'a StatefulSet that was seen',
      set(2, { observedGeneration: 1, updateRevision: 'a' }),
      set(2, { observedGeneration: 2, updateRevision: 'a' }),
    ],
    [
      'a claim that is bound',
      object('PersistentVolumeClaim', { status: { phase: 'Pending' } }),
      object('PersistentVolumeClaim', { status: { phase: 'Bound' } }),
    ],
    [
      'an object that is being deleted',
      object('Namespace', {}),
      object('Namespace', {
        metadata: { ...object('Namespace', {}).metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
      }),
    ],
  ])('%s', (_what, before, after) => expect(isSame(before, after)).toBe(false))
})
