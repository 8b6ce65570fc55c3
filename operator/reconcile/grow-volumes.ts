import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { Organization, StorageStatus } from '../api/organization.ts'
import { canonicalQuantity, compareQuantities } from '../api/quantity.ts'
import { existingStorageNodes } from '../desired/existing.ts'
import type { ExistingStorageNodes } from '../desired/input.ts'
import { recordedRollout } from '../desired/rollout.ts'
import { claimOfSize } from '../desired/volume-claim.ts'
import { isPassing } from '../kube/errors.ts'
import { resources } from '../kube/resource.ts'
import { storageNode } from '../naming/names.ts'
import type { ClaimView, Runtime } from '../observe/runtime.ts'
import type { Pass } from './pass.ts'
import { dropSetAside, isSetAside, setAside } from './set-aside.ts'
import { eventTarget } from './write.ts'

/**
 * The growth of an organization's volumes, one step a pass, each found again in the claims and the StatefulSet when a
 * process has ended in it. The bounds of the namespace were raised before, as everything that is wanted there:
 *
 *     none -> Claiming   spec.storage.size is more than the claim template has
 *     -> Resizing        every claim asks for the size (Refused, while the API server does not take it)
 *     -> Recreating      every volume has it; what of the StatefulSet must outlive it is set aside
 *     -> none            a StatefulSet whose claim template has the size stands over the same pods
 *
 * A claim template cannot be changed, so the StatefulSet goes and its pods stay; makeRuntime makes the next one. What a
 * claim has asked for is never taken back: the storage may have done it already. A spec that goes back to the size
 * that there is ends the growth, and where the volume grows all the same, it is larger than asked.
 */
export interface GrowthStand {
  /** What is under way, null for nothing. */
  readonly growth: Growth | null
  /** When there is something to do again, null for when a watch tells. */
  readonly lookAgainMs: number | null
}

export type Growth = NonNullable<StorageStatus['growth']>

interface Scene {
  readonly pass: Pass
  readonly organization: Organization
  readonly organizationId: string
  readonly runtime: Runtime
}

const failedStepMs = 5_000
const slowLookMs = 60_000
/** A bound that was raised a moment ago is not known everywhere at once; what is refused after this is refused. */
const patienceMs = 10_000
const patientLookMs = 1_000
const messageLimit = 4_096

/** @param scene.organization in the form in force, with its newest status */
export async function growVolumes(scene: Scene): Promise<GrowthStand> {
  const { pass, organization } = scene
  const known = organization.status?.storage?.growth ?? null
  try {
    const growth = await next(scene, known)
    const isSameStep = growth?.step === known?.step && growth?.size === known?.size
    return { growth, lookAgainMs: isSameStep ? waitMs(growth) : 0 }
  } catch (error) {
    // The growth can wait; statuses, and a leader that is none any more, cannot.
    if (!(error instanceof AppError) || pass.signal.aborted || error.code === 'ERR_KUBE_FENCED') throw error
    pass.log.info({ reason: error.message }, 'volume growth: step not taken')
    const isQuiet = !known || isPassing(error)
    return { growth: isQuiet ? known : waiting(known, error.message), lookAgainMs: failedStepMs }
  }
}

function waitMs(growth: Growth | null): number | null {
  if (growth?.step === 'Refused') return slowLookMs
  if (growth?.step !== 'Claiming') return null
  // Of claims that are not there or not bound their watch tells.
  return growth.message === undefined ? patientLookMs : slowLookMs
}

function waiting(growth: Growth, message: string): Growth {
  const said = message.slice(0, messageLimit)
  return growth.message === said ? growth : { ...growth, message: said }
}

async function next(scene: Scene, known: Growth | null): Promise<Growth | null> {
  const { organization, organizationId, runtime, pass } = scene
  const live = existingStorageNodes(runtime.statefulSet?.object ?? null)
  if (known?.step === 'Recreating') return recreate(scene, known, live)
  if (!live) return known
  const size = canonicalQuantity(organization.spec.storage.size)
  if (compareQuantities(size, live.claim.size) <= 0) {
    // A process may have ended after it had set something aside, and nobody is to find that later.
    if (known) await dropSetAside(pass, organizationId)
    return null
  }
  const startedAt = pass.now.toISOString()
  if (known?.size !== size) return { size, step: 'Claiming', startedAt }
  return known.step === 'Resizing' ? resize(scene, known, live) : claim(scene, known)
}

/** Tells the claims the new size. */
async function claim({ pass, runtime, organizationId }: Scene, growth: Growth): Promise<Growth> {
  const { claims, statefulSet } = runtime
  const unbound = claims.find(({ bound }) => !bound)
  if (unbound) return waiting(growth, `claim ${unbound.name} is not bound`)
  if (claims.length < (statefulSet?.replicas ?? 0)) return waiting(growth, 'the claims are being made')
  try {
    for (const view of claims.filter((found) => asksOtherThan(found, growth.size))) {
      const wanted = claimOfSize(view, runtimeNamespace(organizationId), growth.size)
      pass.caches.persistentVolumeClaims.observe(await pass.client.apply(wanted))
      pass.log.info({ claim: view.name, size: growth.size }, 'claim raised')
    }
  } catch (error) {
    const isRefusal = error instanceof AppError && (error.kind === 'forbidden' || error.kind === 'invalid')
    if (!isRefusal) throw error
    if (pass.now.getTime() - Date.parse(growth.startedAt) < patienceMs) return told(growth)
    return waiting(growth.step === 'Refused' ? growth : { ...told(growth), step: 'Refused' }, error.message)
  }
  return { ...told(growth), step: 'Resizing' }
}

/** It waits for nothing that it has said any more. */
function told({ message: _waited, ...growth }: Growth): Growth {
  return growth
}

/** A claim that asks for more is told less only while its volume is not as large yet: then the storage may take it. */
function asksOtherThan({ requested, capacity }: ClaimView, size: string): boolean {
  if (requested === null || compareQuantities(requested, size) < 0) return true
  return compareQuantities(requested, size) > 0 && !holds(capacity, size)
}

const holds = (capacity: string | null, size: string): boolean =>
  capacity !== null && compareQuantities(capacity, size) >= 0

/** Waits until every volume is as large as its claim says, and then sets aside what the StatefulSet holds. */
async function resize(scene: Scene, growth: Growth, live: ExistingStorageNodes): Promise<Growth> {
  const small = scene.runtime.claims.find(({ capacity }) => !holds(capacity, growth.size))
  if (small) {
    const { name, capacity, growth: said } = small
    return waiting(growth, `${name} has ${capacity ?? 'no volume'}${said ? `; ${said.message}` : ''}`)
  }
  const signer = { organizationId: scene.organizationId, ownerKey: scene.pass.authority.operatorKey }
  const rollout = recordedRollout(signer, live)
  if (rollout && rollout.phase !== 'RolledBack')
    return waiting(growth, 'the storage nodes are being replaced')
  await setAside(scene.pass, scene.organizationId, grown(live, growth))
  return { size: growth.size, step: 'Recreating', startedAt: growth.startedAt }
}

const grown = (nodes: ExistingStorageNodes, { size }: Growth): ExistingStorageNodes => ({
  ...nodes,
  claim: { ...nodes.claim, size },
})

/** Takes the StatefulSet away from over its pods, and ends the growth when the next one has taken them. */
async function recreate(
  scene: Scene,
  growth: Growth,
  live: ExistingStorageNodes | null,
): Promise<Growth | null> {
  const { pass, organizationId, organization, runtime } = scene
  const { statefulSet } = runtime
  // One that is not there yet is made by the next pass; one that goes is told of by its watch.
  if (!live || statefulSet?.object.metadata.deletionTimestamp !== undefined) return growth
  if (compareQuantities(live.claim.size, growth.size) >= 0) {
    if (!statefulSet?.isSeen) return growth
    await dropSetAside(pass, organizationId)
    pass.events.record(eventTarget(organization), 'Normal', 'VolumesGrown', `volumes have ${growth.size}`)
    pass.log.info({ organizationId, size: growth.size }, 'volumes grown')
    return null
  }
  const namespace = runtimeNamespace(organizationId)
  const newest = await pass.client.get(resources.statefulSets, { namespace, name: storageNode })
  const nodes = existingStorageNodes(newest)
  if (!newest || !nodes || newest.metadata.deletionTimestamp !== undefined) return growth
  if (compareQuantities(nodes.claim.size, growth.size) >= 0) return growth
  // It may have changed since: what comes after it must be what it was to the last.
  if (!(await isSetAside(pass, organizationId, grown(nodes, growth)))) {
    await setAside(pass, organizationId, grown(nodes, growth))
  }
  await pass.client.delete(newest, { propagationPolicy: 'Orphan', unchanged: true })
  pass.log.info({ organizationId }, 'storage nodes left alone while their StatefulSet is replaced')
  return growth
}
