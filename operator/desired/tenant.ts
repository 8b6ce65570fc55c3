import type { KubeObject } from '../kube/object.ts'
import type { DesiredInput } from './input.ts'
import { limitRange } from './limit-range.ts'
import { namespace } from './namespace.ts'
import { networkPolicies } from './network-policy.ts'
import { podDisruptionBudget } from './pod-disruption-budget.ts'
import { resourceQuota } from './resource-quota.ts'
import { runtimeRoleBinding } from './role-binding.ts'
import { serviceAccount } from './service-account.ts'
import { planOf, type Plan } from './rollout.ts'
import { service } from './service.ts'
import { statefulSet } from './stateful-set.ts'
import { resourcesOf } from './template.ts'

/** What closes and bounds the runtime namespace whatever its class, in the order in which it is applied. */
export function desiredBounds(input: DesiredInput): readonly KubeObject[] {
  return [
    namespace(input),
    runtimeRoleBinding(input),
    resourceQuota(input),
    ...networkPolicies(input),
    serviceAccount(input),
    service(input),
  ]
}

/**
 * All that exists in an organization's runtime namespace besides Secrets, in the order in which it is applied: the operator's rights
 * first, then every bound and closed path, and the pods only when all of that stands.
 * @throws AppError not-found, ERR_CLASS_UNKNOWN or ERR_VERSION_UNKNOWN
 */
export function desiredTenant(input: DesiredInput, plan: Plan = planOf(input)): readonly KubeObject[] {
  const budget = podDisruptionBudget(input)
  return [
    ...desiredBounds(input),
    limitRange(input, resourcesOf(plan.form)),
    ...(budget ? [budget] : []),
    statefulSet(input, plan),
  ]
}
