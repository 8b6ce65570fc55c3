import { describe, expect, test } from 'vitest'
import type { ClaimView, PodReport, PodView, Runtime } from '../observe/runtime.ts'
import { everyNodeConfirmed, isServed, nowhereElse, storageNodesStanding } from './storage-nodes.ts'

const pod = (more: Partial<PodView> = {}): PodView => ({
  name: 'storage-node-0',
  uid: 'a',
  ip: '192.0.2.1',
  running: true,
  ready: true,
  terminating: false,
  trouble: null,
  revision: 'a',
  restarts: 0,
  lastExit: null,
  ...more,
})
const confirmed = (of: PodView): PodReport => ({ result: 'confirmed', pod: of })
const silent = (of: PodView): PodReport => ({ result: 'unreachable', pod: of, message: 'refused' })

const claim: ClaimView = {
  name: 'data-storage-node-0',
  uid: 'c',
  bound: true,
  storageClass: 'fast',
  requested: '10Gi',
  capacity: '10Gi',
  growth: null,
}
const runtime = (pods: readonly PodView[], more: Partial<Runtime> = {}): Runtime => ({
  namespace: undefined,
  statefulSet: {
    object: { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'storage-node' } },
    replicas: 1,
    revision: 'a',
    rolledOut: true,
    isSeen: true,
  },
  pods,
  claims: [claim],
  ...more,
})
const unbound = [{ ...claim, bound: false, storageClass: null }]
const starting = pod({ running: false, ready: false })

describe('what is told is the first thing that is not as it should be', () => {
  test.each<[string, Runtime, readonly PodReport[], string, string]>([
    ['no pods yet', runtime([], { statefulSet: null }), [], 'Progressing', 'being made'],
    [
      'volume not bound',
      runtime([starting], { claims: unbound }),
      [],
      'VolumePending',
      'data-storage-node-0',
    ],
    [
      'image cannot be pulled',
      runtime([{ ...starting, trouble: 'ImagePullBackOff: no such image' }]),
      [],
      'StorageNodeStarting',
      'ImagePullBackOff',
    ],
    [
      'starting',
      runtime([pod({ ready: false })]),
      [silent(pod({ ready: false }))],
      'StorageNodeStarting',
      '0 of 1',
    ],
    ['ready and silent', runtime([pod()]), [silent(pod())], 'NodeUnreachable', 'refused'],
    ['not confirmed', runtime([pod()]), [], 'AwaitingConfirmation', 'state document'],
    [
      'refused',
      runtime([pod()]),
      [{ result: 'refused', pod: pod(), message: 'revoked' }],
      'NodeRefused',
      'revoked',
    ],
  ])('%s', (_what, seen, reports, reason, words) => {
    const standing = storageNodesStanding(seen, reports, false)
    expect(standing).toMatchObject({ reason, message: expect.stringContaining(words) })
    expect(standing.state).toBe(reason === 'NodeRefused' ? 'stalled' : 'progressing')
  })

  test('one that was ready before is not starting', () => {
    expect(storageNodesStanding(runtime([starting]), [], true)).toMatchObject({
      reason: 'StorageNodeNotReady',
    })
  })

  test('ready and confirmed is ready', () => {
    expect(storageNodesStanding(runtime([pod()]), [confirmed(pod())], false).state).toBe('ready')
  })

  test('a roll-out that is not over is not ready', () => {
    const { statefulSet } = runtime([])
    const rolling = runtime([pod()], { statefulSet: { ...statefulSet!, rolledOut: false } })
    expect(storageNodesStanding(rolling, [confirmed(pod())], true)).toMatchObject({
      state: 'progressing',
      message: '1 of 1 storage nodes ready, not all as the StatefulSet has them yet',
    })
  })
})

describe('confirmation', () => {
  const other = pod({ name: 'storage-node-1', uid: 'b' })

  test('is by every node that serves, and there is one', () => {
    expect(everyNodeConfirmed([], [])).toBe(false)
    expect(everyNodeConfirmed([pod(), other], [confirmed(pod())])).toBe(false)
    expect(everyNodeConfirmed([pod(), other], [confirmed(pod()), confirmed(other)])).toBe(true)
  })

  test('is service, before the kubelet has seen that the node is ready', () => {
    const unready = pod({ ready: false })
    expect(isServed([], [])).toBe(false)
    expect(isServed([pod()], [silent(pod())])).toBe(false)
    expect(isServed([unready], [silent(unready)])).toBe(false)
    expect(isServed([unready], [confirmed(unready)])).toBe(true)
    expect(isServed([unready, other], [confirmed(unready)])).toBe(false)
    expect(isServed([unready, other], [confirmed(unready), confirmed(other)])).toBe(true)
  })

  test('of a node that stops is no service', () => {
    const stopping = pod({ terminating: true })
    expect(isServed([stopping], [confirmed(stopping)])).toBe(false)
    expect(isServed([stopping, other], [confirmed(other)])).toBe(true)
  })

  test('of a pod that was replaced counts for nothing', () => {
    expect(everyNodeConfirmed([pod({ uid: 'new' })], [confirmed(pod({ uid: 'old' }))])).toBe(false)
  })

  test('of a revocation is by every node that runs, ready, stopping or not', () => {
    const stopping = pod({ uid: 'b', ready: false, terminating: true })
    expect(nowhereElse([pod(), stopping], [confirmed(pod())])).toBe(false)
    expect(nowhereElse([pod(), stopping], [confirmed(pod()), confirmed(stopping)])).toBe(true)
    expect(nowhereElse([starting], [])).toBe(true)
  })
})
