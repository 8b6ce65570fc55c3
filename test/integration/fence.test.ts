import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { ApiServer } from './api-server.ts'
import { apply, create, rehearse, send } from './calls.ts'
import {
  type FenceCase,
  type Scene,
  binding,
  labelled,
  mark,
  namespace as namespaceOf,
  tenantRole,
} from './fence-calls.ts'
import { objectCases } from './fence-object-cases.ts'
import { rightsCases } from './fence-rights-cases.ts'
import { OperatorBench } from './operator-bench.ts'
import { eventually } from './operator-harness.ts'

// Somebody with a token of the operator's own account reads no Secret but of the tenants' namespaces and its own, and
// touches no namespace but those that it made: by the chart's rights and its admission policies, on a real API server
// where the operator is at work. Beside each attempt the like of it that its work needs is allowed.

const kubeconfig = process.env['KUBECONFIG']
const fenceCases = [...rightsCases, ...objectCases]
const newName = () => `holdfast-${randomBytes(8).toString('hex')}`
const rbac = '/apis/rbac.authorization.k8s.io/v1'

describe.skipIf(kubeconfig === undefined)(
  'a stolen token of the operator (KUBECONFIG names the cluster)',
  () => {
    let bench: OperatorBench
    let account: ApiServer
    let scene: Scene
    const adminBinding = `fence-test-${process.pid}`

    beforeAll(async () => {
      bench = await OperatorBench.open(kubeconfig!)
      account = await ApiServer.open(bench.operator.kubeconfig)
      const { namespace: tenant, runtime } = await bench.newTenant()
      const foreign = await bench.newNamespace()
      const [unmarked, damaged] = [newName(), newName()]
      bench.namespaces.push(unmarked, damaged, runtime)
      await bench.apply(namespaceOf(unmarked, { labels: labelled }))
      await bench.apply(namespaceOf(damaged, { labels: labelled, annotations: mark }))
      for (const namespace of [tenant, foreign])
        await bench.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'theirs', namespace } })
      await bench.apply({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'theirs', namespace: tenant },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
        subjects: [],
      })
      const own = bench.operator.namespace
      await bench.apply(binding(damaged, own, 'view'))
      scene = {
        own,
        tenant,
        runtime,
        foreign,
        unmarked,
        damaged,
        tokenSecret: (await bench.get(resources.secrets, tenant, 'writer'))!,
        ownSecret: (await bench.get(resources.secrets, own, 'holdfast-ca'))!,
      }
    })

    afterAll(async () => {
      await bench.server.send('DELETE', `${rbac}/clusterrolebindings/${adminBinding}`)
      await account.close()
      await bench.close()
    })

    async function tryOut({ attempt, control }: FenceCase): Promise<string> {
      const allowed = await rehearse(account, control(scene))
      expect(allowed.body.message, 'control').toBeUndefined()
      const { status, body } = await send(account, attempt(scene))
      const message = body.message ?? ''
      const policy = /ValidatingAdmissionPolicy '([^']*)'/.exec(message)?.[1]
      if (policy === scene.own) return `fence ${status}`
      if (policy === `${scene.own}-tenants`) return `tenants ${status}`
      // What may not be bound is told in other words than what may not be done at all.
      const hasNoRight = /^(.* is forbidden: )?[Uu]ser "([^"]*)".* (cannot|is attempting to grant) /s.exec(
        message,
      )
      return hasNoRight?.[2] === `system:serviceaccount:${scene.own}:holdfast-operator`
        ? `rights ${status}`
        : `${status} ${message}`
    }

    const statusOf = { fence: 403, rights: 403, tenants: 422 } as const

    test.each(fenceCases)('cannot $what', async (fenceCase) => {
      expect(await tryOut(fenceCase)).toBe(`${fenceCase.refusedBy} ${statusOf[fenceCase.refusedBy]}`)
    })

    describe('where somebody has made the account an administrator of the cluster', () => {
      beforeAll(async () => {
        const made = await bench.server.send('POST', `${rbac}/clusterrolebindings`, {
          body: {
            metadata: { name: adminBinding },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
            subjects: [{ kind: 'ServiceAccount', name: 'holdfast-operator', namespace: scene.own }],
          },
        })
        if (made.status !== 201) throw new Error(made.body.message)
        await eventually('the right is known', 20_000, async () => {
          const { status } = await account.send(
            'GET',
            pathOf(resources.secrets, { namespace: scene.foreign }),
          )
          return status === 200
        })
      })

      test.each(fenceCases.filter(({ isRightsAlone }) => !isRightsAlone))(
        'it still cannot $what',
        async (fenceCase) => {
          const refusedBy = fenceCase.refusedBy === 'tenants' ? 'tenants' : 'fence'
          expect(await tryOut(fenceCase)).toBe(`${refusedBy} ${statusOf[refusedBy]}`)
        },
      )
    })

    test('nobody makes a binding of its name and another role in a tenant’s namespace', async () => {
      const { tenant, own } = scene
      const allowed = await rehearse(bench.server, apply(binding(tenant, own, tenantRole)))
      expect(allowed.body.message, 'control').toBeUndefined()
      const { status, body } = await rehearse(bench.server, create(binding(tenant, own, 'view')))
      expect(body.message).toContain(`ValidatingAdmissionPolicy '${own}-tenants'`)
      expect(status).toBe(403)
    })

    test('a binding that somebody has emptied and labelled as another’s is put right', async () => {
      const { tenant, own } = scene
      const emptied = binding(tenant, own, tenantRole, {
        metadata: { name: 'holdfast-operator', namespace: tenant, labels: labelled },
        subjects: [],
      })
      await bench.apply(emptied)
      await eventually('the operator has its right again', 20_000, async () => {
        const found = await bench.get(resources.roleBindings, tenant, 'holdfast-operator')
        return (found?.['subjects'] as readonly unknown[] | undefined)?.length === 1
      })
    })

    test('nothing of what was tried has left a trace', async () => {
      for (const name of ['evil', 'holdfast-feedfacefeedface'])
        expect(await bench.get(resources.namespaces, undefined, name)).toBeNull()
      expect(await bench.get(resources.roleBindings, scene.foreign, 'holdfast-operator')).toBeNull()
      expect(await bench.get(resources.secrets, scene.tenant, 'theirs')).not.toBeNull()
      const organization = await bench.get(resources.organizations, scene.tenant, 'acme')
      expect(organization).toMatchObject({ spec: { deletionPolicy: 'Retain' } })
    })
  },
)
