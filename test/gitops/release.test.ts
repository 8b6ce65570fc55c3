import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { systemClock } from '../../common/clock.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources, type Resource } from '../../operator/kube/resource.ts'
import { ApiServer } from '../integration/api-server.ts'
import { OperatorBench, condition, database, organization } from '../integration/operator-bench.ts'
import { eventually, soonMs } from '../integration/operator-harness.ts'
import { Release } from '../integration/release.ts'

// A platform may uninstall Holdfast and install it again, and upgrade its definitions with it, and no tenant loses anything:
// by Helm itself on a real API server, with the operator as the account that the release makes.

const chart = join(import.meta.dirname, '../../charts/holdfast')

describe('a release', () => {
  let server: ApiServer
  let release: Release
  let bench: OperatorBench

  beforeAll(async () => {
    server = await ApiServer.open(process.env['KUBECONFIG']!)
    release = new Release(server, process.env['KUBECONFIG']!, `holdfast-release-${process.pid}`)
    bench = await OperatorBench.open(process.env['KUBECONFIG']!, { release })
  })

  afterAll(async () => {
    await bench.close()
    await server.close()
  })

  const tenantKinds: readonly Resource[] = [resources.organizations, resources.databases, resources.tokens]
  const childKinds = [
    resources.secrets,
    resources.services,
    resources.serviceAccounts,
    resources.statefulSets,
    resources.pods,
    resources.persistentVolumeClaims,
    resources.networkPolicies,
    resources.resourceQuotas,
    resources.limitRanges,
    resources.roleBindings,
  ]

  /** All that a tenant has, but for what controllers of the cluster write by themselves. */
  async function held(namespaces: readonly string[]): Promise<readonly unknown[]> {
    const lists = await Promise.all(
      namespaces.flatMap((namespace) =>
        [...tenantKinds, ...childKinds].map((kind) => objectsOf(kind, namespace)),
      ),
    )
    return lists.flat()
  }

  async function objectsOf(kind: Resource, namespace: string): Promise<readonly unknown[]> {
    // For a moment after a definition has changed its kind is not to be had.
    const items = await eventually(`${kind.plural} are served`, soonMs, async () => {
      const { body } = await server.send('GET', pathOf(kind, { namespace }))
      if (!Array.isArray(body['items'])) throw new Error(body.message)
      return body['items'] as readonly KubeObject[]
    })
    return items.map(({ metadata, ...rest }) => {
      const {
        resourceVersion: _version,
        managedFields: _fields,
        ...kept
      } = metadata as Record<string, unknown>
      const isOurs = tenantKinds.includes(kind)
      return [kind.kind, kept, isOurs ? rest : { ...rest, status: null }]
    })
  }

  test('uninstalled and installed again leaves every tenant as it was, and goes on where it stopped', async () => {
    const { namespace, organizationId, runtime } = await bench.newTenant()
    await bench.writesAtRest()
    const before = await held([namespace, runtime])
    expect(before.length).toBeGreaterThan(15)
    const own = async () =>
      (await bench.get(resources.namespaces, undefined, release.namespace))?.metadata.uid
    const installation = await own()

    expect(await bench.operator.stop()).toBe(0)
    await release.uninstall()
    expect(await bench.get(resources.serviceAccounts, release.namespace, 'holdfast-operator')).toBeNull()
    for (const { plural } of tenantKinds) {
      const definition = await release.definition(plural)
      expect(definition).not.toBeNull()
      expect(definition?.metadata.deletionTimestamp).toBeUndefined()
    }
    for (const secret of ['holdfast-ca', 'holdfast-operator-key'])
      expect(await bench.get(resources.secrets, release.namespace, secret)).not.toBeNull()
    expect(await held([namespace, runtime])).toEqual(before)

    await release.install()
    await bench.operator.start()
    await systemClock.sleep(5_000)
    expect(await bench.operator.writes()).toBe(0)
    expect(await held([namespace, runtime])).toEqual(before)
    expect(await own()).toBe(installation)

    await bench.apply(database(namespace, { retention: '48h' }))
    await bench.becomesReady(resources.databases, namespace, 'metrics')
    const served = bench.nodes.of(organizationId)?.document?.databases[0]
    expect(served?.retentionPolicies[0]?.durationNs).toBe('172800000000000')
  })

  test('an upgrade brings new definitions, and no object of the old ones is lost or written', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-chart-'))
    const old = join(folder, 'holdfast')
    await cp(chart, old, { recursive: true })
    const file = join(old, 'files/crds/holdfast.dev_organizations.yaml')
    const definition = parse(await readFile(file, 'utf8')) as KubeObject
    delete specOf(definition)['description']
    await writeFile(file, stringify(definition))

    await release.install([], old)
    const isKnown = async () => 'description' in specOf((await release.definition('organizations'))!)
    expect(await isKnown()).toBe(false)
    const { namespace, uid } = await bench.newTenant()
    const described = organization(namespace, { description: 'kept' })
    expect((await server.apply(described)).body.message).toContain('description')
    await bench.writesAtRest()
    const before = await held([namespace])

    await release.install()
    expect(await isKnown()).toBe(true)
    expect(await held([namespace])).toEqual(before)
    await bench.apply(described)
    const found = await bench.becomesReady(resources.organizations, namespace, 'acme')
    expect(found['spec']).toHaveProperty('description', 'kept')
    expect(found.metadata.uid).toBe(uid)
    await rm(folder, { recursive: true })
  })

  test('a release that leaves the definitions to somebody else takes none away', async () => {
    const { namespace } = await bench.newTenant()
    await bench.writesAtRest()
    const before = await held([namespace])
    await release.install(['crds.enabled=false'])
    expect(await held([namespace])).toEqual(before)
    await release.install()
    expect(await held([namespace])).toEqual(before)
    const tenant = await bench.get(resources.organizations, namespace, 'acme')
    expect(condition(tenant, 'Ready')?.status).toBe('True')
  })
})

/** The fields of a spec in a CustomResourceDefinition. */
function specOf(definition: KubeObject): Record<string, unknown> {
  const { versions } = definition['spec'] as {
    readonly versions: readonly [
      {
        readonly schema: {
          readonly openAPIV3Schema: {
            readonly properties: { readonly spec: { readonly properties: Record<string, unknown> } }
          }
        }
      },
    ]
  }
  return versions[0].schema.openAPIV3Schema.properties.spec.properties
}
