import { runtimeNamespace } from '../../common/ids.ts'
import type { IsolationProof, Organization } from '../api/organization.ts'
import { annotationKeys } from '../naming/labels.ts'
import type { Runtime } from '../observe/runtime.ts'
import { isolatedStanding, type IsolationReport } from '../status/isolation.ts'
import { saidReady, wholeSeconds, type Standing } from '../status/standing.ts'
import type { Pass } from './pass.ts'
import { reachablePods } from './push.ts'

/** Of one organization; more than any runs, and few enough for one request to the probe. */
const podsLimit = 6
const requestPattern = /^[-A-Za-z0-9:._]{1,64}$/

const runningPods = ({ pods }: Runtime) => reachablePods(pods).filter(({ terminating }) => !terminating)

/** What is known of the closed paths of an organization; null where nothing of it runs. */
export function isolationOf(
  pass: Pass,
  organization: Organization,
  organizationId: string,
  runtime: Runtime,
): IsolationReport | null {
  const running = runningPods(runtime).slice(0, podsLimit)
  if (running.length === 0) {
    pass.isolation.forget(organizationId)
    return null
  }
  const policies = pass.caches.networkPolicies.list(runtimeNamespace(organizationId))
  return pass.isolation.report({
    key: pass.key,
    organizationId,
    operatorNamespace: pass.platform.operatorNamespace,
    pods: running.map(({ name, uid, ip, ready }) => ({ name, uid, ip: ip ?? '', isReady: ready })),
    access: organization.spec.access.from,
    policies: policies.map(({ metadata }) => `${metadata.uid} ${metadata.resourceVersion}`).toSorted(),
    request: answered(organization) ? null : requestOf(organization),
    wasReady: saidReady(organization),
    isAsSaid: organization.status?.observedGeneration === organization.metadata.generation,
  })
}

/** How an organization stands, where its isolation is required. */
export function requireIsolation(
  pass: Pass,
  organization: Organization,
  standing: Standing,
  report: IsolationReport | null,
): Standing {
  if (!report || !pass.platform.isolation.required) return standing
  return isolatedStanding(standing, report.finding, organization)
}

/** The answer to a request stays until that is taken away. Where nothing runs there are no paths to be open. */
export function proofToSay(
  organization: Organization,
  report: IsolationReport | null,
  runtime: Runtime,
  now: Date,
): IsolationProof | null {
  const request = requestOf(organization)
  if (request === null) return null
  if (answered(organization)) return organization.status?.isolationProof ?? null
  if (report) return report.proof?.request === request ? report.proof : null
  return runningPods(runtime).length === 0 ? { request, at: wholeSeconds(now), paths: [] } : null
}

function requestOf({ metadata }: Organization): string | null {
  const request = metadata.annotations?.[annotationKeys.prove]
  return request !== undefined && requestPattern.test(request) ? request : null
}

const answered = (organization: Organization): boolean =>
  requestOf(organization) !== null && organization.status?.isolationProof?.request === requestOf(organization)
