import { AppError } from '../../common/errors.ts'
import { canonicalJson } from '../../common/state-document.ts'
import type { Condition } from '../api/conditions.ts'
import type { Store } from '../controller/store.ts'
import type { KubeObject } from '../kube/object.ts'
import { resourceOf } from '../kube/resource.ts'
import { finalizer } from '../naming/names.ts'
import { moreFinalizers } from '../observe/keep.ts'
import type { Pass } from './pass.ts'

/** Writes to the users' own objects: status and finalizers, nothing else. */

export function isDeleting(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

export function hasFinalizer(object: KubeObject): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false
}

/**
 * Adds the finalizer where there is none. Never to an object that is being deleted: it would hold up what somebody
 * else has released already.
 */
export async function ensureFinalizer(pass: Pass, store: Store, object: KubeObject): Promise<KubeObject> {
  if (isDeleting(object) || hasFinalizer(object)) return object
  try {
    const whole = await withAllFinalizers(pass, object)
    const finalizers = [...(whole.metadata.finalizers ?? []), finalizer]
    const written = await pass.client.patchMetadata(whole, { finalizers })
    store.observe(written)
    return written
  } catch (error) {
    // Gone already: the watch will say so.
    if (error instanceof AppError && error.kind === 'not-found') return object
    throw error
  }
}

/** Lets an object go. That it is gone already is as good. */
export async function releaseFinalizer(pass: Pass, store: Store, object: KubeObject): Promise<void> {
  if (!hasFinalizer(object)) return
  try {
    const whole = await withAllFinalizers(pass, object)
    const finalizers = (whole.metadata.finalizers ?? []).filter((name) => name !== finalizer)
    store.observe(await pass.client.patchMetadata(whole, { finalizers }))
  } catch (error) {
    if (!(error instanceof AppError && error.kind === 'not-found')) throw error
  }
  pass.memory.forget(object.metadata.uid ?? '')
}

/** A write states the whole list, of which the cache keeps no more than is usual. */
async function withAllFinalizers(pass: Pass, object: KubeObject): Promise<KubeObject> {
  if (!object.metadata.finalizers?.includes(moreFinalizers)) return object
  const live = await pass.client.get(resourceOf(object), object.metadata)
  // Another one of its name is not written to: what was read refuses the write by its uid.
  return live && live.metadata.uid === object.metadata.uid ? live : object
}

/** Whether a status says anything that the object's does not say yet. */
export function saysMore(object: KubeObject, said: object): boolean {
  return canonicalJson(compact(object['status'] ?? {})) !== canonicalJson(compact(said))
}

/**
 * Writes a status if it says something new, and an event if the object stands otherwise than before.
 * @returns the object as it is then
 */
export async function writeStatus(
  pass: Pass,
  store: Store,
  object: KubeObject,
  said: Readonly<Record<string, unknown>> & { readonly conditions: readonly Condition[] },
): Promise<KubeObject> {
  if (!saysMore(object, said)) return object
  const status = compact(said)
  const { name, namespace, uid } = object.metadata
  const target = { ...object, metadata: { name, ...(namespace && { namespace }), ...(uid && { uid }) } }
  const written = await pass.client.patchStatus(target, status)
  store.observe(written)
  recordChange(pass, object, said.conditions)
  return written
}

/**
 * Without what may be stored or not for the same meaning: nulls are dropped by the API server, and a list that loses
 * its last element by server-side apply goes away whole.
 */
function compact(value: object): Readonly<Record<string, unknown>> {
  const said = Object.entries(value).filter(([, part]) => part !== undefined && !isNothing(part))
  return Object.fromEntries(said.map(([name, part]) => [name, compacted(part)]))
}

function compacted(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(compacted)
  return typeof part === 'object' && part !== null ? compact(part) : part
}

const isNothing = (part: unknown): boolean => part === null || (Array.isArray(part) && part.length === 0)

function recordChange(pass: Pass, object: KubeObject, conditions: readonly Condition[]): void {
  const before = conditionsOfRaw(object)
  const ready = conditions.find(({ type }) => type === 'Ready')
  const stalled = conditions.find(({ type }) => type === 'Stalled')
  const was = (type: string) => before.find((condition) => condition.type === type)
  // Databases and Tokens become Ready with their organization: one event says it of all.
  const isTold = object.kind === 'Organization'
  if (isTold && ready?.status === 'True' && was('Ready')?.status !== 'True') {
    pass.events.record(object, 'Normal', 'Ready', ready.message)
  }
  const integrity = conditions.find(({ type }) => type === 'IntegrityVerified')
  if (integrity?.status === 'False' && was('IntegrityVerified')?.status !== 'False') {
    pass.events.record(object, 'Warning', integrity.reason, integrity.message)
  }
  const isolation = conditions.find(({ type }) => type === 'NetworkIsolated')
  const wasIsolation = was('NetworkIsolated')?.status
  if (isolation?.status === 'False' && wasIsolation !== 'False') {
    pass.events.record(object, 'Warning', isolation.reason, isolation.message)
  }
  if (isolation?.status === 'True' && wasIsolation === 'False') {
    pass.events.record(object, 'Normal', isolation.reason, isolation.message)
  }
  const isSaidAlready = stalled?.reason === integrity?.reason || stalled?.reason === isolation?.reason
  if (stalled?.status === 'True' && was('Stalled')?.reason !== stalled.reason && !isSaidAlready) {
    pass.events.record(object, 'Warning', stalled.reason, stalled.message)
  }
}

/** A parsed object as what events are about. */
export function eventTarget(parsed: {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string }
}): KubeObject {
  const { name, namespace, uid } = parsed.metadata
  return { apiVersion: parsed.apiVersion, kind: parsed.kind, metadata: { name, namespace, uid } }
}

/** The conditions of an object that may not be what the schema says. */
export function conditionsOfRaw(object: KubeObject): readonly Condition[] {
  const status = object['status']
  if (typeof status !== 'object' || status === null || !('conditions' in status)) return []
  return Array.isArray(status.conditions) ? (status.conditions as readonly Condition[]) : []
}
