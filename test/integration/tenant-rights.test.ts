import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pathOf, resources, type Resource } from '../../operator/kube/resource.ts'
import { writeAccountKubeconfig } from './account.ts'
import { ApiServer } from './api-server.ts'
import { rehearse, send } from './calls.ts'
import { condition, database, OperatorBench, organization, statusOf, token } from './operator-bench.ts'
import { eventually, soonMs } from './operator-harness.ts'
import { tenantCases, type TenantScene } from './tenant-cases.ts'

// A tenant with real rights, administrator of its own namespace, reaches nothing of a neighbour's, of the operator's, nor
// what runs for itself: neither by the API server nor by way of the operator. Beside each attempt stands what is its own
// to do. Packets are tried in test/e2e/isolation.test.ts; Secrets of other owners in operator-tokens.test.ts, namespaces
// that are there already in operator.test.ts, what a new Organization inherits in operator-deletion.test.ts.

const kubeconfig = process.env['KUBECONFIG']

describe.skipIf(kubeconfig === undefined)('a tenant (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench
  let tenant: ApiServer
  let scene: TenantScene
  let homeId: string
  let neighbourId: string
  let folder: string

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!)
    folder = await mkdtemp(join(tmpdir(), 'holdfast-tenant-'))
    const [home, neighbour] = await Promise.all([bench.newTenant(), bench.newTenant()])
    bench.namespaces.push(home.runtime, neighbour.runtime)
    homeId = home.organizationId
    neighbourId = neighbour.organizationId
    const account = { namespace: home.namespace, name: 'developer' }
    await bench.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account })
    for (const role of ['admin', 'holdfast-tenant']) {
      await bench.apply({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: role, namespace: home.namespace },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'ServiceAccount', ...account }],
      })
    }
    const file = join(folder, 'kubeconfig')
    await writeAccountKubeconfig(bench.server, kubeconfig!, account, file)
    tenant = await ApiServer.open(file)
    scene = {
      home: home.namespace,
      runtime: home.runtime,
      neighbour: neighbour.namespace,
      system: bench.operator.namespace,
    }
    // Aggregated roles are put together by a controller, some time after the API server is there.
    await eventually('the rights are known', 30_000, async () => {
      const { status } = await tenant.send('GET', pathOf(resources.secrets, { namespace: scene.home }))
      return status === 200
    })
  })

  afterAll(async () => {
    await tenant.close()
    await rm(folder, { recursive: true, force: true })
    await bench.close()
  })

  test.each(tenantCases)('$pitfall: not $what', async ({ attempt, control, refusedBy }) => {
    expect((await rehearse(tenant, control(scene))).body.message, 'control').toBeUndefined()
    const { status, body } = await send(tenant, attempt(scene))
    expect(body.message).toMatch(
      refusedBy === 'rights'
        ? /[Uu]ser "system:serviceaccount:[^"]*:developer".* (cannot|is attempting to grant) /
        : /is invalid: spec\.|strict decoding error: unknown field "spec\./,
    )
    expect(status).toBe({ rights: 403, schema: body['reason'] === 'BadRequest' ? 400 : 422 }[refusedBy])
  })

  /** What the Token or Database says when it has settled down to not being Ready. */
  async function waits(resource: Resource, name: string, reason: string) {
    const found = await bench.hasReason(resource, scene.home, name, reason)
    return condition(found, 'Ready')!.message
  }
  const applied = async (object: Parameters<ApiServer['apply']>[0]) => {
    const answer = await tenant.apply(object)
    expect(answer.body.message).toBeUndefined()
  }
  const permits = (name: string) => ({ permissions: [{ database: name, access: ['read'] }] })

  describe('by way of the operator', () => {
    test('a Token for a neighbour’s database gets none, and is told what one for no database is told', async () => {
      await bench.apply(database(scene.neighbour, {}, 'payroll'))
      await bench.becomesReady(resources.databases, scene.neighbour, 'payroll')
      await applied(token(scene.home, permits('payroll'), 'thief'))
      await applied(token(scene.home, permits('nowhere'), 'fool'))
      await applied(token(scene.home, permits('metrics'), 'honest'))
      await bench.becomesReady(resources.tokens, scene.home, 'honest')
      const told = await waits(resources.tokens, 'thief', 'DatabaseNotFound')
      const same = await waits(resources.tokens, 'fool', 'DatabaseNotFound')
      expect(told.replaceAll('payroll', 'nowhere')).toBe(same)
      const hash = statusOf(await bench.get(resources.tokens, scene.home, 'thief')).tokens?.[0]?.hash
      expect(bench.hashesOn(neighbourId)).not.toContain(hash)
      const names = bench.nodes.of(homeId)?.document?.databases.map(({ name }) => name)
      expect(names).toEqual(['metrics'])
    })

    test('a neighbour’s Organization is not found, in the words that one has that is nowhere', async () => {
      await bench.apply(organization(scene.neighbour, {}, { name: 'bank' }))
      await bench.becomesReady(resources.organizations, scene.neighbour, 'bank')
      for (const name of ['bank', 'nowhere']) {
        await applied(token(scene.home, { organization: name }, `at-${name}`))
        await applied(database(scene.home, { organization: name }, `at-${name}`))
      }
      for (const resource of [resources.tokens, resources.databases]) {
        const told = await waits(resource, 'at-bank', 'OrganizationNotFound')
        const same = await waits(resource, 'at-nowhere', 'OrganizationNotFound')
        expect(told.replaceAll('bank', 'nowhere')).toBe(same)
      }
    })

    test('a status that comes with a spec is dropped, and no node accepts a hash from it', async () => {
      const path = pathOf(resources.tokens, { namespace: scene.home, name: 'writer' })
      const { body } = await tenant.send('GET', path)
      const forged = 'e'.repeat(64)
      const before = bench.hashesOn(homeId)
      const written = await tenant.send('PUT', path, {
        body: {
          ...body,
          spec: { ...(body['spec'] as object), description: 'mine' },
          status: { ...(body['status'] as object), tokens: [{ id: forged.slice(0, 16), hash: forged }] },
        },
      })
      expect(written.body).toMatchObject({ spec: { description: 'mine' }, status: body['status'] })
      await bench.becomesReady(resources.tokens, scene.home, 'writer')
      expect(before).not.toContain(forged)
      expect(bench.hashesOn(homeId)).toEqual(before)
    })

    test('a Token whose finalizer was taken off ends as any other', async () => {
      await applied(token(scene.home, {}, 'loose'))
      const ready = await bench.becomesReady(resources.tokens, scene.home, 'loose')
      const hash = statusOf(ready).tokens![0]!.hash
      expect(bench.hashesOn(homeId)).toContain(hash)
      const path = pathOf(resources.tokens, { namespace: scene.home, name: 'loose' })
      const paused = { finalizers: null, annotations: { 'holdfast.dev/paused': 'true' } }
      await tenant.send('PATCH', path, { body: { metadata: paused }, type: 'application/merge-patch+json' })
      expect((await tenant.send('DELETE', path)).status).toBe(200)
      await eventually('no node accepts it', soonMs, async () => !bench.hashesOn(homeId).includes(hash))
    })

    test('an Organization called like a namespace of the system runs in one of its own', async () => {
      await bench.apply(organization(scene.home, {}, { name: 'kube-system' }))
      const ready = await bench.becomesReady(resources.organizations, scene.home, 'kube-system')
      expect(statusOf(ready).runtimeNamespace).toMatch(/^holdfast-[0-9a-f]{16}$/)
      expect(await bench.get(resources.roleBindings, 'kube-system', 'holdfast-operator')).toBeNull()
      expect(await bench.get(resources.statefulSets, 'kube-system', 'storage-node')).toBeNull()
    })
  })

  describe('what runs for a tenant', () => {
    const kinds = [
      resources.secrets,
      resources.services,
      resources.statefulSets,
      resources.networkPolicies,
      resources.resourceQuotas,
      resources.limitRanges,
      resources.roleBindings,
    ]

    test('is owned by nothing in another namespace, which garbage collection would take for gone', async () => {
      const owned = await Promise.all(
        kinds.map(async (kind) => {
          const { body } = await bench.server.send('GET', pathOf(kind, { namespace: scene.runtime }))
          const items = body['items'] as readonly { metadata: { ownerReferences?: readonly unknown[] } }[]
          expect(items.length, kind.kind).toBeGreaterThan(0)
          return items.flatMap(({ metadata }) => metadata.ownerReferences ?? [])
        }),
      )
      expect(owned.flat()).toEqual([])
    })

    test('admits namespaces by the name that the API server gives them, and by no label', async () => {
      const from = [{ namespace: 'grafana', podLabels: { app: 'grafana' } }]
      await bench.apply(organization(scene.neighbour, { access: { from } }))
      const runtime = `holdfast-${neighbourId}`
      await eventually('the way is open', soonMs, () =>
        bench.get(resources.networkPolicies, runtime, 'allow-direct'),
      )
      const { body } = await bench.server.send(
        'GET',
        pathOf(resources.networkPolicies, { namespace: runtime }),
      )
      const selectors = [...JSON.stringify(body['items']).matchAll(/"namespaceSelector":(\{.*?\}+?)[,}]/g)]
      expect(selectors.length).toBeGreaterThan(2)
      for (const [, selector] of selectors)
        expect(selector).toMatch(/^\{"matchLabels":\{"kubernetes.io\/metadata.name":"[^"]+"\}/)
    })
  })
})
