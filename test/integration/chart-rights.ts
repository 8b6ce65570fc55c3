import { systemClock } from '../../common/clock.ts'
import { ensureTools } from '../../local-kubernetes/tools.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { renderChart, requiredValues } from '../support/chart.ts'
import type { ApiServer } from './api-server.ts'

/** Names that a test takes for itself: all that is of no namespace and speaks of one installation alone. */
const ours = /^holdfast-(operator|deletion)/

/** The policies of a release before are asked for a moment after they were deleted, and know no tenant in this one's namespace. */
const formerPoliciesMs = 60_000

export interface ChartRights {
  /** The namespace of the release, and the name of what is called after the operator's account. */
  readonly namespace: string
  /** As for `helm --set`. */
  readonly settings?: readonly string[]
  readonly isWanted: (object: KubeObject) => boolean
}

/**
 * Roles and admission policies as the chart has them, under names of this test where they are of no namespace:
 * `holdfast-operator…` is called `<namespace>…`, `holdfast-deletion…` `<namespace>-deletion…`.
 * @returns paths of what is of no namespace and this test's alone, to be deleted at its end, last made first
 */
export async function applyChartRights(server: ApiServer, rights: ChartRights): Promise<readonly string[]> {
  const { namespace, settings = [], isWanted } = rights
  await ensureTools((line) => console.log(line))
  const paths: string[] = []
  for (const object of await renderChart<KubeObject | null>([...requiredValues, ...settings], namespace)) {
    if (!object || !/Role|^ValidatingAdmissionPolicy/.test(object.kind) || !isWanted(object)) continue
    const path = await applyRight(server, object, namespace)
    if (path !== null) paths.push(path)
  }
  return paths
}

/** @returns the path if it is of no namespace and this test's alone */
async function applyRight(server: ApiServer, object: KubeObject, release: string): Promise<string | null> {
  const { namespace } = object.metadata
  const isOurs = namespace === undefined && ours.test(object.metadata.name)
  const renamed = (name: string) =>
    isOurs
      ? name.replace(/^holdfast-operator/, release).replace(/^holdfast-deletion/, `${release}-deletion`)
      : name
  const name = renamed(object.metadata.name)
  const plural = object.kind.endsWith('y') ? object.kind.replace(/y$/, 'ies') : `${object.kind}s`
  const inNamespace = namespace === undefined ? '' : `namespaces/${namespace}/`
  const path = `/apis/${object.apiVersion}/${inNamespace}${plural.toLowerCase()}/${name}`
  const roleRef = object['roleRef'] as { name: string } | undefined
  const spec = object['spec'] as { policyName?: string } | undefined
  const body = {
    ...object,
    metadata: { ...object.metadata, name },
    ...(roleRef && { roleRef: { ...roleRef, name: renamed(roleRef.name) } }),
    ...(spec?.policyName && { spec: { ...spec, policyName: renamed(spec.policyName) } }),
  }
  const request = { type: 'application/apply-patch+yaml', body }
  const untilMs = performance.now() + formerPoliciesMs
  for (;;) {
    const { status, body: said } = await server.send('PATCH', `${path}?fieldManager=test&force=true`, request)
    if (status < 300) return isOurs ? path : null
    // 403 or 422, as it happens.
    const isFormer = String(said.message).includes('no params found for policy binding')
    if (!isFormer || performance.now() > untilMs) throw new Error(`${object.kind} ${name}: ${said.message}`)
    await systemClock.sleep(100)
  }
}
