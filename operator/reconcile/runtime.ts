import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { Store } from '../controller/store.ts'
import { namespace as namespaceOf } from '../desired/namespace.ts'
import type { DesiredInput } from '../desired/input.ts'
import type { Plan } from '../desired/rollout.ts'
import { desiredBounds, desiredTenant } from '../desired/tenant.ts'
import { applyObject } from '../kube/apply.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { labelKeys } from '../naming/labels.ts'
import { storageNode } from '../naming/names.ts'
import { provenOwner } from '../naming/owner.ts'
import { restoreRefused } from '../status/restore.ts'
import { stalled, type Standing } from '../status/standing.ts'
import { goingMessage } from './going-namespace.ts'
import { nothingStored } from './last-good.ts'
import type { Pass, TenantCaches } from './pass.ts'
import { mendClaimLabels } from './claim-labels.ts'
import { sayBegun } from './roll-out.ts'
import { ensureRuntimeSecrets } from './runtime-secrets.ts'
import { eventTarget } from './write.ts'

const cacheOfKind: Readonly<Record<string, keyof TenantCaches>> = {
  Namespace: 'namespaces',
  RoleBinding: 'roleBindings',
  ResourceQuota: 'resourceQuotas',
  LimitRange: 'limitRanges',
  NetworkPolicy: 'networkPolicies',
  ServiceAccount: 'serviceAccounts',
  Service: 'services',
  PodDisruptionBudget: 'podDisruptionBudgets',
  StatefulSet: 'statefulSets',
}

/**
 * Creates the runtime namespace, or makes sure that the one there is was made for this very Organization. It is
 * created, never applied: applying would take over a namespace that somebody else made. Nothing of it depends on the
 * spec, and what is wrong with one that is ours is mended with all that is in it.
 * @returns why it cannot be, null when it stands
 */
export async function claimRuntime(pass: Pass, input: DesiredInput): Promise<Standing | null> {
  const name = runtimeNamespace(input.organizationId)
  const cached = pass.caches.namespaces.get(undefined, name)
  if (cached) return ownershipConflict(pass, input, cached)
  // An id that was named is never made anew: there would be nothing of what was asked for.
  if (input.organization.spec.restoreFrom !== null) {
    const found = await pass.client.get(resources.namespaces, { name })
    return found ? ownershipConflict(pass, input, found) : restoreRefused
  }
  try {
    const created = await pass.client.create(namespaceOf(input))
    pass.caches.namespaces.observe(created)
    // Nothing is in what was made a moment ago.
    pass.memory.keepGoodForms(input.organizationId, nothingStored)
    pass.events.record(eventTarget(input.organization), 'Normal', 'Created', `runtime namespace ${name} made`)
    return null
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'ERR_KUBE_ALREADY_EXISTS')) throw error
    const other = await pass.client.get(resources.namespaces, { name })
    return other ? ownershipConflict(pass, input, other) : null
  }
}

/** Makes what runs in a claimed namespace: every closed path, and the pods only when all of that and their Secrets stand. */
export async function settleRuntime(pass: Pass, input: DesiredInput, plan: Plan): Promise<void> {
  const desired = desiredTenant(input, plan)
  for (const object of desired) {
    if (object.kind === 'StatefulSet') {
      // Before a pod that wakes, every path to it that is to be closed.
      await prune(pass, input, desired)
      // The pods' Secrets come before the pods: a pod without them would wait for the kubelet's next try.
      await ensureRuntimeSecrets(pass, input)
    }
    await applyChild(pass, object)
  }
  await mendClaimLabels(pass, input)
  sayBegun(pass, input, plan)
}

/**
 * Keeps closed and bounded what runs for an organization whose pods are to be left as they are.
 * @param kept names of further objects that stay if they are there
 */
export async function settleBounds(
  pass: Pass,
  input: DesiredInput,
  kept: readonly string[] = [],
): Promise<void> {
  const desired = desiredBounds(input)
  for (const object of desired) await applyChild(pass, object)
  await prune(pass, input, desired, [storageNode, ...kept])
  // No data key is made here: what held nothing before needs none before its pods.
  if (input.existing) await ensureRuntimeSecrets(pass, input)
  await mendClaimLabels(pass, input)
}

/** Applies one object if the cache does not show it as wanted. */
export async function applyChild(pass: Pass, desired: KubeObject): Promise<void> {
  const store = storeOf(pass, desired.kind)
  const { namespace, name } = desired.metadata
  const ended = store.writing(namespace, name)
  try {
    const applied = await applyObject(pass.client, store.get(namespace, name), desired, pass.log)
    if (applied.outcome !== 'unchanged') store.observe(applied.object)
  } finally {
    ended()
  }
}

function ownershipConflict(pass: Pass, input: DesiredInput, found: KubeObject): Standing | null {
  const { name } = found.metadata
  const owner = provenOwner(pass.authority.operatorKey, input.organizationId, found.metadata.annotations)
  if (owner?.uid !== input.organization.metadata.uid) {
    if (input.organization.spec.restoreFrom !== null) return restoreRefused
    return stalled('NamespaceNotOurs', `Namespace ${name} exists and was not made for this Organization`)
  }
  // Put into the cache only when it is ours: what is there is compared with what is wanted.
  pass.caches.namespaces.observe(found, false)
  if (found.metadata.deletionTimestamp === undefined) return null
  throw new AppError('conflict', 'ERR_NAMESPACE_TERMINATING', goingMessage(found))
}

/**
 * Takes away what is no longer wanted, such as the policy of a path that was closed, and every NetworkPolicy that
 * somebody else has put there: policies add up, so one that opens everything would undo all of ours.
 */
async function prune(
  pass: Pass,
  input: DesiredInput,
  desired: readonly KubeObject[],
  kept: readonly string[] = [],
): Promise<void> {
  const { organizationId, organization } = input
  const namespace = runtimeNamespace(organizationId)
  const wanted = new Set(desired.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
  for (const kind of ['NetworkPolicy', 'PodDisruptionBudget']) {
    for (const object of storeOf(pass, kind).list(namespace)) {
      const { name, deletionTimestamp, labels } = object.metadata
      const isOurs = labels?.[labelKeys.organizationId] === organizationId
      const isUnwanted = !wanted.has(`${kind} ${name}`) && !kept.includes(name)
      if (!isUnwanted || deletionTimestamp || !(isOurs || kind === 'NetworkPolicy')) continue
      pass.log.info(
        { objectKind: kind, object: `${namespace}/${name}`, isOurs },
        isOurs ? 'object no longer wanted' : 'foreign policy removed',
      )
      await pass.client.delete(object)
      if (isOurs) continue
      const message = `${kind} ${name} in the runtime namespace was not made by the operator`
      pass.events.record(eventTarget(organization), 'Warning', 'ForeignPolicyRemoved', message)
    }
  }
}

function storeOf(pass: Pass, kind: string): Store {
  const cache = cacheOfKind[kind]
  if (cache === undefined) throw new AppError('internal', 'ERR_NO_CACHE', `no cache of ${kind}`)
  return pass.caches[cache]
}
