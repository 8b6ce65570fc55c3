import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { Organization } from '../api/organization.ts'
import { existingStorageNodes } from '../desired/existing.ts'
import type { DesiredInput } from '../desired/input.ts'
import { isUnreadable, recordedRollout, type Plan, type Rollout } from '../desired/rollout.ts'
import { statefulSet as statefulSetOf } from '../desired/stateful-set.ts'
import { recordedForm, versionOf, type Form } from '../desired/template.ts'
import { applyObject } from '../kube/apply.ts'
import { isPassing } from '../kube/errors.ts'
import { resources } from '../kube/resource.ts'
import { storageNodeSelector } from '../naming/labels.ts'
import { storageNode } from '../naming/names.ts'
import { podView, statefulSetView, type PodReport, type Runtime } from '../observe/runtime.ts'
import { failureOf, isUp, isWayBack, lateAtMs, rolloutLimitMs } from '../status/upgrade.ts'
import type { Pass } from './pass.ts'
import { eventTarget } from './write.ts'

/**
 * What becomes of a rollout (`desired/rollout.ts`) when the pass that carries it out has heard of its pods: one write a
 * pass, to its record alone. The next pass makes the pods what the record says.
 */
export interface RolloutStand {
  /** null for none. */
  readonly rollout: Rollout | null
  /** When there is something to do again, null for what a watch tells of. */
  readonly lookAgainMs: number | null
}

interface Scene {
  readonly pass: Pass
  /** In the form in force. */
  readonly organization: Organization
  readonly organizationId: string
  readonly runtime: Runtime
  readonly reports: readonly PodReport[]
}

const retryMs = 5_000
/** While pods change they are looked at live, too: nobody waits for what a watch may never tell. */
const liveLookMs = 30_000
/** What was ready for a moment only has not come up. */
const steadyMs = 10_000
const noRollout: RolloutStand = { rollout: null, lookAgainMs: null }

/** @param isMade the pods are what this pass wanted them to be; else it only tells what is recorded */
export async function rollOut(scene: Scene, isMade: boolean): Promise<RolloutStand> {
  const { pass, runtime } = scene
  const input = inputOf(scene)
  const rollout = recordedRollout(input, input.existing)
  if (!isMade) return { rollout, lookAgainMs: null }
  try {
    const seen = await seenRuntime(scene, rollout)
    await replaceStuckPod(scene, seen)
    const stand = rollout ? await step({ ...scene, runtime: seen }, input, rollout) : noRollout
    pass.memory.worked(`${pass.key} rollout`)
    return stand
  } catch (error) {
    // It can wait; statuses, and a leader that is none any more, cannot.
    if (!(error instanceof AppError) || pass.signal.aborted || error.code === 'ERR_KUBE_FENCED') throw error
    // One more try may mend it, and nothing is said of it.
    if (isPassing(error) && !pass.memory.failedAgain(`${pass.key} rollout`)) throw error
    pass.log.info({ reason: error.message, pods: runtime.pods.length }, 'rollout: step not taken')
    return { rollout, lookAgainMs: retryMs }
  }
}

/** Tells of a rollout that the apply before this has begun. */
export function sayBegun(pass: Pass, input: DesiredInput, { rollout }: Plan): void {
  const before = recordedRollout(input, input.existing)
  if (isUnreadable(input, input.existing)) {
    const { organizationId } = input
    pass.log.warn({ organizationId }, 'the record of a rollout cannot be read, and counts as none')
  }
  if (rollout?.phase !== 'Rolling' || before?.startedAt === rollout.startedAt) return
  const [from, to] = [versionOf(rollout.from), versionOf(rollout.to)]
  const what =
    from === to ? `version ${to} with other resources or scheduling` : `version ${to} after ${from}`
  pass.events.record(eventTarget(input.organization), 'Normal', 'Upgrading', `${what} is taken into use`)
  pass.log.info({ organizationId: input.organizationId, from, to }, 'rollout begun')
}

function inputOf({ pass, organization, organizationId, runtime }: Scene): DesiredInput {
  return {
    organization,
    organizationId,
    platform: pass.platform,
    ownerKey: pass.authority.operatorKey,
    existing: existingStorageNodes(runtime.statefulSet?.object ?? null),
    // Nothing is made of volumes here: what stands is repeated.
    claimed: null,
    retainedVersion: null,
    now: pass.now,
  }
}

async function step(scene: Scene, input: DesiredInput, rollout: Rollout): Promise<RolloutStand> {
  const { pass, organization, runtime, reports } = scene
  const form = appliedForm(input, rollout)
  if (!form || rollout.phase === 'RolledBack') return { rollout, lookAgainMs: null }
  if (isUp(runtime, reports)) {
    const steadyInMs = steadyMs - upForMs(scene)
    return steadyInMs > 0 ? { rollout, lookAgainMs: steadyInMs } : end(scene, input, rollout, form)
  }
  pass.memory.forget(upSince(scene))
  const limitMs = rolloutLimitMs(pass.platform)
  const leftMs = lateAtMs(rollout, organization, runtime, limitMs) - pass.now.getTime()
  const isLast = rollout.phase === 'RollingBack' || isWayBack(rollout)
  if (isLast || leftMs > 2 * liveLookMs) {
    pass.memory.forget(lateOf(scene))
    return { rollout, lookAgainMs: leftMs > 0 ? Math.min(leftMs, liveLookMs) : null }
  }
  return takeBack(scene, input, { form, rollout }, leftMs)
}

/**
 * A way back costs the tenant a restart: what caches say is not enough, nor is one look, which may be the first of a
 * process after hours without any. So the last minute begins with a live look, and another one follows when it is over.
 */
async function takeBack(
  scene: Scene,
  input: DesiredInput,
  { form, rollout }: { readonly form: Form; readonly rollout: Rollout },
  leftMs: number,
): Promise<RolloutStand> {
  const { pass, organization, reports } = scene
  const atMs = pass.clock.monotonicMs()
  const first = pass.memory.look(lateOf(scene))
  const waitMs = first ? Math.max(leftMs, first.atMs + liveLookMs - atMs) : 0
  if (waitMs > 0) return { rollout, lookAgainMs: Math.min(waitMs, liveLookMs) }
  const live = await readLive(scene)
  if (isUp(live, reports)) return { rollout, lookAgainMs: retryMs }
  if (!first) {
    pass.memory.looked(lateOf(scene), { atMs, hold: null })
    return { rollout, lookAgainMs: liveLookMs }
  }
  const lateMs = lateAtMs(rollout, organization, live, rolloutLimitMs(pass.platform))
  if (lateMs > pass.now.getTime()) return { rollout, lookAgainMs: retryMs }
  const next = {
    ...rollout,
    phase: 'RollingBack' as const,
    startedAt: pass.now.toISOString(),
    message: failureOf(live, reports),
  }
  await record(scene, input, { form, rollout: next })
  pass.memory.forget(lateOf(scene))
  pass.metrics.rolloutEnded('rolled-back')
  pass.log.warn({ organizationId: input.organizationId, reason: next.message }, 'rollout taken back')
  return { rollout: next, lookAgainMs: 0 }
}

const lateOf = ({ organization }: Scene): string => `late ${organization.metadata.uid}`

const upSince = ({ organization }: Scene): string => `up ${organization.metadata.uid}`

/** As this process has seen it: no other clock is believed. */
function upForMs(scene: Scene): number {
  const { memory, clock } = scene.pass
  const atMs = clock.monotonicMs()
  const since = memory.look(upSince(scene))
  if (!since) memory.looked(upSince(scene), { atMs, hold: null })
  return since ? atMs - since.atMs : 0
}

async function end(scene: Scene, input: DesiredInput, rollout: Rollout, form: Form): Promise<RolloutStand> {
  const { pass } = scene
  if (rollout.phase === 'RollingBack') {
    const next = { ...rollout, phase: 'RolledBack' as const }
    pass.memory.forget(upSince(scene))
    await record(scene, input, { form, rollout: next })
    return { rollout: next, lookAgainMs: null }
  }
  pass.memory.forget(upSince(scene))
  await record(scene, input, { form, rollout: null })
  const version = versionOf(form)
  pass.metrics.rolloutEnded('done')
  pass.events.record(
    eventTarget(input.organization),
    'Normal',
    'Upgraded',
    `version ${version} is in force on every storage node`,
  )
  pass.log.info({ organizationId: input.organizationId, version }, 'rollout done')
  return { rollout: null, lookAgainMs: null }
}

/** The form that the StatefulSet has, if it is the one that the rollout is about now. */
function appliedForm(input: DesiredInput, { phase, from, to }: Rollout): Form | null {
  const form = recordedForm(input, to.inputs)
  const isIt = phase === 'Rolling' ? form?.inputs === to.inputs : form?.template === from.template
  return isIt ? form : null
}

async function record({ pass, runtime }: Scene, input: DesiredInput, plan: Plan): Promise<void> {
  const live = runtime.statefulSet?.object
  const applied = await applyObject(pass.client, live, statefulSetOf(input, plan), pass.log)
  pass.caches.statefulSets.observe(applied.object)
}

async function seenRuntime(scene: Scene, rollout: Rollout | null): Promise<Runtime> {
  const { pass, organization, runtime } = scene
  if (!rollout || rollout.phase === 'RolledBack') return runtime
  const of = `rollout ${organization.metadata.uid} ${rollout.startedAt}`
  const atMs = pass.clock.monotonicMs()
  const before = pass.memory.look(of)
  if (before && atMs - before.atMs < liveLookMs) return runtime
  pass.memory.looked(of, { atMs, hold: null })
  return before ? readLive(scene) : runtime
}

/** Caches learn of it too. */
async function readLive({ pass, organizationId }: Scene): Promise<Runtime> {
  const namespace = runtimeNamespace(organizationId)
  const labelSelector = Object.entries(storageNodeSelector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  const set = await pass.client.get(resources.statefulSets, { namespace, name: storageNode })
  const { items } = await pass.client.list(resources.pods, { namespace, labelSelector })
  if (set) pass.caches.statefulSets.observe(set, false)
  for (const pod of items) pass.caches.pods.observe(pod, false)
  return {
    namespace: undefined,
    statefulSet: set && statefulSetView(set),
    pods: items.map(podView),
    claims: [],
  }
}

/**
 * Deletes a pod of an earlier form that is not ready, so that its successor can come. Not every StatefulSet controller
 * does that by itself: that of Kubernetes 1.35.0 counts such a pod as the one that may be unavailable, and waits for ever.
 */
async function replaceStuckPod(scene: Scene, seen: Runtime): Promise<void> {
  const { pass } = scene
  if (stuckPod(seen) === null) return
  const live = await readLive(scene)
  const stuck = stuckPod(live)
  if (stuck === null) return
  const { name, uid } = stuck
  const metadata = { name, uid, namespace: runtimeNamespace(scene.organizationId) }
  await pass.client.delete({ apiVersion: 'v1', kind: 'Pod', metadata })
  pass.log.info({ pod: name, podUid: uid }, 'pod of an earlier form that is not ready deleted')
}

function stuckPod({ statefulSet, pods }: Runtime) {
  const wanted = statefulSet?.revision ?? null
  if (wanted === null || pods.some(({ terminating }) => terminating)) return null
  return pods.findLast(({ ready, revision }) => !ready && revision !== null && revision !== wanted) ?? null
}
