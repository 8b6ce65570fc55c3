import { describe, expect, test } from 'vitest'
import { organizationSchema, type HibernationStatus } from '../api/organization.ts'
import type { PodReport, PodView, Runtime } from '../observe/runtime.ts'
import { asleepStanding, isRevokedEverywhere, nextHibernation, untilIdleMs } from './hibernation.ts'

// An organization goes to sleep and wakes by its spec and its use, one step at a time, and never wakes against its spec.

const now = new Date('2026-11-22T12:00:00Z')
type Step = HibernationStatus['step']

const organization = (hibernation: string, step: Step | null) =>
  organizationSchema.parse({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Organization',
    metadata: { name: 'x', namespace: 'x', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { hibernation, idleAfter: '10m' },
    status: {
      conditions: [],
      ...(step !== null && { hibernation: { step, since: '2026-11-22T11:00:00Z' } }),
    },
  })

const pod: PodView = {
  name: 'storage-node-0',
  uid: 'p',
  ip: '127.0.0.1',
  running: true,
  ready: true,
  terminating: false,
  trouble: null,
  revision: null,
  restarts: 0,
  lastExit: null,
}
const confirmed: PodReport = { result: 'confirmed', pod, idleMs: 0 }
const gone: Runtime = {
  namespace: undefined,
  statefulSet: {
    object: { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'x' } },
    replicas: 0,
    revision: null,
    rolledOut: true,
    isSeen: true,
  },
  pods: [],
  claims: [],
}
const runs: Runtime = { ...gone, statefulSet: { ...gone.statefulSet!, replicas: 1 }, pods: [pod] }
const unready: Runtime = { ...runs, pods: [{ ...pod, ready: false }] }

test.each([
  // spec, what status says, what runs, idle, wanted -> what status says next
  ['WhenIdle', null, runs, false, false, null],
  ['WhenIdle', null, runs, true, false, 'Stopping'],
  ['WhenIdle', null, runs, true, true, null],
  ['WhenIdle', 'Stopping', runs, true, false, 'Stopping'],
  ['WhenIdle', 'Stopping', runs, true, true, 'Waking'],
  ['WhenIdle', 'Stopping', gone, false, false, 'Hibernated'],
  ['WhenIdle', 'Hibernated', gone, false, false, 'Hibernated'],
  ['WhenIdle', 'Hibernated', gone, false, true, 'Waking'],
  ['WhenIdle', 'Waking', gone, false, false, 'Waking'],
  ['WhenIdle', 'Waking', runs, false, false, null],
  ['WhenIdle', 'Waking', unready, false, false, null],
  ['Never', null, runs, true, false, null],
  ['Never', 'Hibernated', gone, false, false, 'Waking'],
  ['Now', null, runs, false, true, 'Stopping'],
  ['Now', 'Hibernated', gone, false, true, 'Hibernated'],
  ['Now', 'Waking', runs, false, true, 'Waking'],
] as const)('%s, %s: %#', (spec, step, runtime, isIdle, isWanted, next) => {
  const reports = runtime.pods.map(() => confirmed)
  const found = nextHibernation(organization(spec, step), runtime, reports, { isIdle, isWanted }, now)
  expect(found?.step ?? null).toBe(next)
  if (found && next === step) expect(found.since).toBe('2026-11-22T11:00:00Z')
  if (found && next !== step) expect(found.since).toBe('2026-11-22T12:00:00Z')
})

test.each([
  ['is silent', [pod], []],
  ['runs beside it and is silent', [pod, { ...pod, uid: 'q', ready: false }], [confirmed]],
  ['stops and is silent', [pod, { ...pod, uid: 'q', ready: false, terminating: true }], [confirmed]],
] as const)('it is not awake while a node %s', (_what, pods, reports) => {
  const calls = { isIdle: false, isWanted: true }
  const found = nextHibernation(organization('WhenIdle', 'Waking'), { ...runs, pods }, reports, calls, now)
  expect(found?.step).toBe('Waking')
})

const served = 'd'.repeat(64)
const silent: PodReport = { result: 'unreachable', pod, message: 'no answer' }
const starting: Runtime = { ...runs, pods: [{ ...pod, running: false, ready: false }] }

test.each<readonly [string, string | null, Step | null, Runtime, readonly PodReport[], boolean]>([
  ['was never served', null, null, gone, [], true],
  ['is served', served, null, runs, [confirmed], true],
  ['is served by one that is silent', served, null, runs, [silent], false],
  ['is to be served by a pod that does not run', served, null, starting, [], false],
  ['is to be served and has no pod', served, null, { ...gone, pods: [] }, [], false],
  ['stops, and may have left a pod', served, 'Stopping', gone, [], false],
  ['sleeps behind closed paths', served, 'Hibernated', gone, [], true],
  ['wakes behind closed paths', served, 'Waking', starting, [], true],
  ['wakes, and runs', served, 'Waking', runs, [silent], false],
])('what goes of one that %s', (_what, stateDigest, step, runtime, reports, isRevoked) => {
  const known = organization('Never', step)
  const status = { ...known.status!, ...(stateDigest !== null && { stateDigest }) }
  expect(isRevokedEverywhere({ ...known, status }, runtime, reports)).toBe(isRevoked)
})

describe('how long until it may be idle', () => {
  const reports = (...idles: (number | undefined)[]): PodReport[] =>
    idles.map((idleMs) => ({ result: 'confirmed', pod, ...(idleMs !== undefined && { idleMs }) }))

  test.each([
    ['in use', organization('WhenIdle', null), reports(0), 600_000],
    ['idle for a part of it', organization('WhenIdle', null), reports(100_000), 500_000],
    ['idle for longer', organization('WhenIdle', null), reports(700_000), -100_000],
    ['by the node that was used last', organization('WhenIdle', null), reports(700_000, 100_000), 500_000],
    ['one that does not say', organization('WhenIdle', null), reports(700_000, undefined), null],
    ['one that cannot be asked', organization('WhenIdle', null), [], null],
    ['one that never sleeps', organization('Never', null), reports(700_000), null],
    ['one that wakes', organization('WhenIdle', 'Waking'), reports(700_000), null],
  ] as const)('%s', (_what, object, said, ms) => {
    expect(untilIdleMs(object, runs, said)).toBe(ms)
  })
})

test.each([
  ['Now', null, 'Hibernating'],
  ['Now', 'Waking', 'Hibernating'],
  ['Now', 'Hibernated', 'Hibernated'],
  ['WhenIdle', 'Stopping', 'Hibernating'],
  ['WhenIdle', 'Hibernated', 'Hibernated'],
  ['WhenIdle', 'Waking', undefined],
  ['WhenIdle', null, undefined],
  ['Never', 'Waking', undefined],
] as const)('%s that is %s next stands as %s', (spec, step, reason) => {
  const next = step === null ? null : { step, since: '2026-11-22T12:00:00Z' }
  expect(asleepStanding(organization(spec, null), runs, next)?.reason).toBe(reason)
})
