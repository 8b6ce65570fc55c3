import { AppError } from '../../common/errors.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import { organizationRules, violations } from '../api/cel.ts'
import { organizationSpecSchema, type Organization } from '../api/organization.ts'
import { classNamed, platformProblem } from '../api/platform.ts'
import { unsupportedInOrganization } from '../api/unsupported.ts'
import { existingStorageNodes } from '../desired/existing.ts'
import type { DesiredInput } from '../desired/input.ts'
import { namespace as namespaceOf } from '../desired/namespace.ts'
import { runtimeRoleBinding, tenantRoleBinding } from '../desired/role-binding.ts'
import { planOf, recordedPlan } from '../desired/rollout.ts'
import { isPassing } from '../kube/errors.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { annotationKeys } from '../naming/labels.ts'
import { networkPolicies, storageNode } from '../naming/names.ts'
import { observeRuntime } from '../observe/observe.ts'
import { largestRequest } from '../observe/runtime.ts'
import { progressing, stalled, type Standing } from '../status/standing.ts'
import { noForms, recallGoodForms, type GoodForms } from './last-good.ts'
import type { Pass } from './pass.ts'
import { recallSetAside } from './set-aside.ts'
import { applyChild, claimRuntime, settleBounds, settleRuntime } from './runtime.ts'
import { sizeProblem } from './tenant-limits.ts'

/** What an organization runs in, as far as a pass could make it. */
export interface Made {
  /** Why the spec is not in force, null if all of it is asked for. */
  readonly hold: Standing | null
  /** The Organization in the form that is to be in force; null where that is not known or nothing runs. */
  readonly served: Organization | null
  readonly forms: GoodForms
  /** Something that no watch tells of is waited for. */
  readonly mustLookAgain?: true
  /** What the API server said, to be thrown when the statuses are written. */
  readonly refused?: AppError
  /** The same where one more try may mend it: to be thrown once what is known is in force, and nothing is said of it. */
  readonly passing?: AppError
}

/**
 * Makes what the organization runs in, or says why not. What runs is left running.
 * @param unread what of the spec cannot be read, null where all can be
 */
export async function makeRuntime(
  pass: Pass,
  organization: Organization,
  organizationId: string,
  unread: Standing | null,
): Promise<Made> {
  const problem =
    unread ?? organizationProblem(pass, organization) ?? sizeProblem(pass, organization, organizationId)
  let made: Made = { hold: problem, served: null, forms: noForms }
  try {
    const tenantBinding = tenantRoleBinding(organization.metadata.namespace, pass.platform)
    // Whoever rules there can be in the way of it, and nothing but the Tokens' Secrets needs it.
    const unbound = await refusalOf(pass, applyChild(pass, tenantBinding))
    const {
      namespace,
      statefulSet: cached,
      claims,
    } = observeRuntime(runtimeNamespace(organizationId), pass.caches)
    // An Organization that never could be acted on has nothing to look after.
    if (problem && !namespace) return unbound ? withoutBinding(pass, made, unbound) : made
    const statefulSet = cached?.object ?? (await unseenSet(pass, organization, organizationId))
    const seen: DesiredInput = {
      organization,
      organizationId,
      platform: pass.platform,
      ownerKey: pass.authority.operatorKey,
      existing: existingStorageNodes(statefulSet),
      claimed: largestRequest(claims),
      retainedVersion: namespace?.metadata.annotations?.[annotationKeys.retainedVersion] ?? null,
      now: pass.now,
    }
    const conflict = await claimRuntime(pass, seen)
    if (conflict) return { ...made, hold: conflict }
    // What was set aside is no newer than the growth that set it aside.
    const isReplaced = !statefulSet && organization.status?.storage?.growth?.step === 'Recreating'
    const { input, forms } = await recall(pass, seen, isReplaced)
    const spec = problem ? forms.organization : organization.spec
    made = { hold: problem, served: spec && { ...organization, spec }, forms }
    await settleFrom(pass, input, made.served)
    if (unbound) return withoutBinding(pass, made, unbound)
    pass.memory.worked(pass.key)
    return made
  } catch (error) {
    if (!(error instanceof AppError) || pass.signal.aborted || error.code === 'ERR_KUBE_FENCED') throw error
    // Without rights in a namespace of which nothing is stored yet, nothing could be brought into force either.
    if (error.code === 'ERR_KUBE_FORBIDDEN' && made.forms.organization === null)
      made = { ...made, served: null }
    const known = knownTrouble(error) ?? unknownRight(pass, error)
    if (known) return { ...made, hold: problem ?? known, mustLookAgain: true }
    if (isPassing(error) && !pass.memory.failedAgain(pass.key)) return { ...made, passing: error }
    return { ...made, hold: problem ?? progressing('ApiRefused', error.message), refused: error }
  }
}

/**
 * One whose labels somebody took away is in no cache, and is all the same what the pods are made of.
 * @returns null if there is none
 */
async function unseenSet(
  pass: Pass,
  { status }: Organization,
  organizationId: string,
): Promise<KubeObject | null> {
  if (status?.stateDigest === undefined) return null
  const namespace = runtimeNamespace(organizationId)
  return pass.client.get(resources.statefulSets, { namespace, name: storageNode })
}

/** What the Secrets of the runtime namespace say of what runs. */
async function recall(
  pass: Pass,
  seen: DesiredInput,
  isReplaced: boolean,
): Promise<{ readonly input: DesiredInput; readonly forms: GoodForms }> {
  const { organization, organizationId } = seen
  const isKnown = !isReplaced && pass.memory.goodForms(organizationId) !== undefined
  const unbound = isKnown ? null : await bindRuntime(pass, seen)
  try {
    const input = isReplaced ? { ...seen, existing: await recallSetAside(pass, organizationId) } : seen
    return { input, forms: await recallGoodForms(pass, organizationId, organization.metadata.uid) }
  } catch (error) {
    throw unbound ?? error
  }
}

/**
 * Takes the operator's rights in the runtime namespace. Somebody who refuses to have them mended takes nothing from those
 * that stand.
 * @returns what was refused, null for nothing
 */
async function bindRuntime(pass: Pass, input: DesiredInput): Promise<AppError | null> {
  const unmarked = await refusalOf(pass, applyChild(pass, namespaceOf(input)))
  const unbound = await refusalOf(pass, applyChild(pass, runtimeRoleBinding(input)))
  return unbound ?? unmarked
}

/** @returns what the API server said to what it did not do, null if it was done */
async function refusalOf(pass: Pass, work: Promise<void>): Promise<AppError | null> {
  try {
    await work
    return null
  } catch (error) {
    if (!(error instanceof AppError) || pass.signal.aborted || error.code === 'ERR_KUBE_FENCED') throw error
    return error
  }
}

/** All else was made: it is no failure of the pass, but said, and tried again. */
function withoutBinding(pass: Pass, made: Made, error: AppError): Made {
  if (isPassing(error) && !pass.memory.failedAgain(pass.key)) return { ...made, passing: error }
  pass.log.warn({ reason: error.message }, 'no right to Secrets in the namespace of the tenant')
  const standing = unknownRight(pass, error) ?? progressing('ApiRefused', error.message)
  return { ...made, hold: made.hold ?? standing, mustLookAgain: true }
}

/** What runs is made and repaired from the form in force. */
async function settleFrom(pass: Pass, input: DesiredInput, served: Organization | null): Promise<void> {
  if (served === null) return settleUnknown(pass, input)
  const known = { ...input, organization: served }
  if (classNamed(pass.platform, served.spec.class) !== null) return settleRuntime(pass, known, planOf(known))
  // A class that the platform took away says nothing of the pods any more: they stay as they are recorded.
  const plan = recordedPlan(known)
  return plan ? settleRuntime(pass, known, plan) : settleBounds(pass, known)
}

/** Where nobody knows what was asked for: no path is opened, and the one that may have been stays. */
function settleUnknown(pass: Pass, input: DesiredInput): Promise<void> {
  const { size } = input.existing?.claim ?? input.organization.spec.storage
  const spec = organizationSpecSchema.parse({ storage: { size } })
  const least = { ...input, organization: { ...input.organization, spec } }
  return settleBounds(pass, least, [networkPolicies.direct])
}

/** What is no failure of a request: it has a name, and says what helps. */
function knownTrouble({ code, message }: AppError): Standing | null {
  if (code === 'ERR_DATA_KEY_MISSING') return stalled('DataKeyMissing', message)
  if (code === 'ERR_NAMESPACE_TERMINATING') return progressing('NamespaceTerminating', message)
  return null
}

/**
 * A right that was bound a moment ago is not known everywhere at once: no failure, until quick tries have gone on for
 * some time.
 */
function unknownRight(pass: Pass, { code, message }: AppError): Standing | null {
  if (code !== 'ERR_KUBE_FORBIDDEN' || pass.memory.isStuck(pass.key)) return null
  pass.log.info({ reason: message }, 'a right is not known yet')
  return progressing('Progressing', 'the operator’s rights are being bound')
}

export function organizationProblem(pass: Pass, organization: Organization): Standing | null {
  const [violation] = violations(organizationRules, organization)
  if (violation) return stalled('InvalidSpec', violation.message)
  const [unsupported] = unsupportedInOrganization(organization)
  if (unsupported) return stalled('NotYetSupported', unsupported.message)
  const problem = platformProblem(organization.spec, pass.platform)
  return problem ? stalled(problem.reason, problem.message) : null
}
