import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensureTools } from '../../local-kubernetes/tools.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { renderChart, requiredValues } from '../support/chart.ts'
import { ApiServer } from './api-server.ts'

// All that the chart renders a real API server takes, strictly: no field that it does not know, no expression that does not
// compile. The pods run where the Pod Security Standard "restricted" is enforced.

const kubeconfig = process.env['KUBECONFIG']
const namespace = `chart-${process.pid}`
const everything = [
  'deletionProtection.enabled=true',
  // There are roles in each, so they must be there.
  `operator.watchNamespaces={${namespace},default}`,
  'operator.replicas=3',
  'gateway.service.type=LoadBalancer',
  'gateway.tls.secretName=ours',
  'networkPolicies.metricsFrom[0].podSelector.matchLabels.app=prometheus',
]
const least = [
  'operator.replicas=1',
  'gateway.replicas=1',
  'gateway.insecureHTTP=true',
  'networkPolicies.enabled=false',
  'crds.enabled=false',
]

describe.skipIf(kubeconfig === undefined)('the chart (KUBECONFIG names the cluster)', () => {
  let server: ApiServer

  beforeAll(async () => {
    await ensureTools((line) => console.log(line))
    server = await ApiServer.open(kubeconfig!)
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    const made = await server.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels },
    })
    if (made.status !== 201) throw new Error(made.body.message)
  })

  afterAll(async () => {
    await server.send('DELETE', pathOf(resources.namespaces, { name: namespace }))
    await server.close()
  })

  const render = async (settings: readonly string[]) => {
    const objects = await renderChart<KubeObject | null>([...requiredValues, ...settings], namespace)
    return objects.filter((object) => object !== null)
  }

  test.each([
    ['as it is', []],
    ['with everything', everything],
    ['with as little as can be', least],
  ])('%s is taken by the API server', async (_, settings) => {
    const objects = await render(settings)
    expect(objects.length).toBeGreaterThan(15)
    const refused: string[] = []
    for (const rendered of objects) {
      // Nothing is stored here, so a Pod's account would be missing.
      const object = rendered.kind === 'Pod' ? asDefaultAccount(rendered) : rendered
      const answer = await server.send('PATCH', `${pathTo(object)}?${strictly}`, {
        body: object,
        type: 'application/apply-patch+yaml',
      })
      if (answer.status >= 300) refused.push(`${object.kind} ${object.metadata.name}: ${answer.body.message}`)
    }
    expect(refused).toEqual([])
  })

  test('a field that there is not would be refused', async () => {
    const [account] = (await render([])).filter(({ kind }) => kind === 'ServiceAccount')
    const answer = await server.send('PATCH', `${pathTo(account!)}?${strictly}`, {
      body: { ...account, automountServiceAccountTokens: true },
      type: 'application/apply-patch+yaml',
    })
    expect(answer.body.message).toContain('automountServiceAccountTokens')
  })

  test('its pods keep to the Pod Security Standard "restricted"', async () => {
    const pods = (await render(everything)).flatMap(podOf)
    // Of operator, gateway and isolation probe, and of `helm test`.
    expect(pods).toHaveLength(4)
    const tryPod = (spec: object) => {
      const body = { metadata: { name: 'pod' }, spec: { ...spec, serviceAccountName: 'default' } }
      return server.send('POST', `${pathOf(resources.pods, { namespace })}?dryRun=All`, { body })
    }
    for (const spec of pods) {
      const answer = await tryPod(spec)
      expect(answer.body.message).toBeUndefined()
      const { body } = await tryPod({ ...spec, hostNetwork: true })
      expect(body.message).toContain('violates PodSecurity "restricted:latest"')
    }
  })
})

const asDefaultAccount = (pod: KubeObject): KubeObject => ({
  ...pod,
  spec: { ...(pod['spec'] as object), serviceAccountName: 'default' },
})

/** What a workload runs, or the Pod of `helm test`. */
function podOf({ kind, spec }: KubeObject): readonly object[] {
  if (kind === 'Pod') return [spec as object]
  return kind === 'Deployment'
    ? [(spec as { readonly template: { readonly spec: object } }).template.spec]
    : []
}

const strictly = 'fieldManager=test&force=true&dryRun=All&fieldValidation=Strict'

function pathTo({ apiVersion, kind, metadata }: KubeObject): string {
  const plural = kind.endsWith('y') ? kind.replace(/y$/, 'ies') : `${kind}s`
  const inNamespace = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`
  const root = apiVersion.includes('/') ? 'apis' : 'api'
  return `/${root}/${apiVersion}${inNamespace}/${plural.toLowerCase()}/${metadata.name}`
}
