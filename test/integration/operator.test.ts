import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { hashToken, parseToken } from '../../common/token.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { OperatorBench, condition, database, organization, statusOf, token } from './operator-bench.ts'
import { eventually, soonMs } from './operator-harness.ts'

// The operator as a process with the chart's rights against a real API server, with the storage nodes' admin port
// stood in for: what users apply becomes what the contract says, in any order, and stays so.

const kubeconfig = process.env['KUBECONFIG']

describe.skipIf(kubeconfig === undefined)('the operator (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!)
  })

  afterAll(() => bench.close())

  describe('one file, applied in any order, works the first time', () => {
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]

    test('six orders, one end state', async () => {
      const tenants = await Promise.all(
        orders.map(async (order) => {
          const namespace = await bench.newNamespace()
          const objects = [organization(namespace), database(namespace), token(namespace)]
          for (const index of order) {
            await bench.apply(objects[index]!)
            await systemClock.sleep(150)
          }
          const found = await bench.becomesReady(resources.organizations, namespace, 'acme')
          await bench.becomesReady(resources.databases, namespace, 'metrics')
          await bench.becomesReady(resources.tokens, namespace, 'writer')
          return { namespace, uid: found.metadata.uid! }
        }),
      )
      // Ready comes before the last of what is written.
      await bench.writesAtRest()
      const ends = await Promise.all(tenants.map(({ namespace, uid }) => endState(namespace, uid)))
      expect(ends[0]!.children.length).toBeGreaterThan(8)
      for (const end of ends) expect(end).toEqual(ends[0])
    })

    /** What a tenant came to, with all that differs by nature masked. */
    async function endState(namespace: string, uid: string) {
      const id = idOfUid(uid)
      const string = await bench.tokenString(namespace)
      const document = bench.nodes.of(id)?.document
      expect(parseToken(string)).toEqual({ organizationId: id })
      expect(document?.tokens.map(({ hash }) => hash)).toEqual([hashToken(string)])
      const kinds = [
        resources.secrets,
        resources.services,
        resources.statefulSets,
        resources.networkPolicies,
        resources.resourceQuotas,
        resources.limitRanges,
        resources.roleBindings,
      ]
      const lists = await Promise.all(
        kinds.map(async (kind) => {
          const { body } = await bench.server.send('GET', pathOf(kind, { namespace: runtimeNamespace(id) }))
          return (body['items'] as readonly KubeObject[]).map(
            ({ metadata }) => `${kind.kind} ${metadata.name}`,
          )
        }),
      )
      const conditions = await Promise.all(
        (
          [
            [resources.organizations, 'acme'],
            [resources.databases, 'metrics'],
            [resources.tokens, 'writer'],
          ] as const
        ).map(async ([resource, name]) =>
          statusOf(await bench.get(resource, namespace, name)).conditions?.map(
            // Why nothing is proved here is said a moment later, and nobody waits for it.
            ({ type, status, reason, message }) =>
              `${type} ${status} ${reason} ${type === 'NetworkIsolated' ? '' : message}`,
          ),
        ),
      )
      return {
        children: lists.flat().toSorted(),
        conditions,
        databases: document?.databases.map(({ name, retentionPolicies }) => ({ name, retentionPolicies })),
        permissions: document?.tokens.map(({ permissions }) => permissions),
      }
    }
  })

  test('a reference that is not there yet is a waiting state, not an error', async () => {
    const namespace = await bench.newNamespace()
    await bench.apply(database(namespace))
    await bench.apply(token(namespace))
    for (const [resource, name] of [
      [resources.databases, 'metrics'],
      [resources.tokens, 'writer'],
    ] as const) {
      const waiting = await bench.hasReason(resource, namespace, name, 'OrganizationNotFound')
      expect(condition(waiting, 'Reconciling')?.status).toBe('True')
      expect(condition(waiting, 'Stalled')?.status).toBe('False')
      expect(waiting.metadata.finalizers).toBeUndefined()
    }
    await bench.apply(organization(namespace))
    await bench.becomesReady(resources.databases, namespace, 'metrics')
    await bench.becomesReady(resources.tokens, namespace, 'writer')
    const failures = (await bench.operator.log())
      .split('\n')
      .filter((line) => line.includes(`${namespace}/acme`) && line.includes('pass failed'))
    expect(failures).toEqual([])
  })

  describe('specs', () => {
    test('an edit is in force when Ready says so', async () => {
      const { namespace, organizationId } = await bench.newTenant()
      await bench.apply(database(namespace, { retention: '48h' }))
      await bench.becomesReady(resources.databases, namespace, 'metrics')
      const served = bench.nodes.of(organizationId)?.document?.databases[0]
      expect(served?.retentionPolicies[0]?.durationNs).toBe('172800000000000')
      await bench.apply(
        organization(namespace, { displayName: 'Acme & Co', access: { from: [{ cidr: '10.1.0.0/16' }] } }),
      )
      await bench.becomesReady(resources.organizations, namespace, 'acme')
      expect(bench.nodes.of(organizationId)?.document?.organization).toMatchObject({
        displayName: 'Acme & Co',
        directAccess: true,
      })
      const policy = { namespace: runtimeNamespace(organizationId), name: 'allow-direct' }
      expect(await bench.get(resources.networkPolicies, policy.namespace, policy.name)).not.toBeNull()
      await bench.apply(organization(namespace, { displayName: 'Acme' }))
      await bench.isGone(resources.networkPolicies, policy.namespace, policy.name, soonMs)
    })

    test('what cannot be acted on is named, leaves what runs, and going back heals it', async () => {
      const { namespace, organizationId, runtime } = await bench.newTenant()
      const before = await bench.get(resources.statefulSets, runtime, 'storage-node')
      await bench.apply(organization(namespace, { class: 'golden' }))
      const stalled = await bench.hasReason(resources.organizations, namespace, 'acme', 'ClassNotFound')
      expect(condition(stalled, 'Stalled')?.status).toBe('True')
      expect(condition(stalled, 'Ready')?.message).toContain('spec.class')
      const after = await bench.get(resources.statefulSets, runtime, 'storage-node')
      expect(after?.['spec']).toEqual(before?.['spec'])
      // A token is revoked all the same.
      await bench.remove(resources.tokens, namespace, 'writer')
      await eventually('no node accepts it', 2_000, async () => bench.hashesOn(organizationId).length === 0)
      await bench.apply(organization(namespace))
      await bench.becomesReady(resources.organizations, namespace, 'acme')
    })

    test('of two databases with one name the older is served', async () => {
      const { namespace, organizationId } = await bench.newTenant()
      await systemClock.sleep(1_100)
      await bench.apply(database(namespace, { databaseName: 'metrics' }, 'second'))
      await bench.hasReason(resources.databases, namespace, 'second', 'DatabaseNameTaken')
      expect(bench.nodes.of(organizationId)?.document?.databases).toHaveLength(1)
      await bench.remove(resources.databases, namespace, 'metrics')
      await bench.becomesReady(resources.databases, namespace, 'second')
    })

    test('what somebody else takes away or changes is put back', async () => {
      const { runtime } = await bench.newTenant()
      await bench.remove(resources.networkPolicies, runtime, 'default-deny')
      const policy = await eventually('the policy is back', soonMs, () =>
        bench.get(resources.networkPolicies, runtime, 'default-deny'),
      )
      expect(policy['spec']).toMatchObject({ policyTypes: ['Ingress', 'Egress'] })
      await bench.server.send('PATCH', pathOf(resources.namespaces, { name: runtime }), {
        body: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } },
        type: 'application/merge-patch+json',
      })
      await eventually('the namespace is restricted again', soonMs, async () => {
        const found = await bench.get(resources.namespaces, undefined, runtime)
        return found?.metadata.labels?.['pod-security.kubernetes.io/enforce'] === 'restricted'
      })
    })

    test('a policy of somebody else in a runtime namespace goes, also while the Organization is held', async () => {
      const { namespace, runtime } = await bench.newTenant()
      const opensAll: KubeObject = {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'opens-all', namespace: runtime },
        spec: { podSelector: {}, ingress: [{}], policyTypes: ['Ingress'] },
      }
      const goes = () => bench.isGone(resources.networkPolicies, runtime, 'opens-all', soonMs)
      await bench.apply(opensAll)
      await goes()
      await bench.apply(
        organization(namespace, { backup: { schedule: '0 3 * * *', destination: 'nightly' } }),
      )
      await bench.hasReason(resources.organizations, namespace, 'acme', 'NotYetSupported')
      await bench.apply(opensAll)
      await goes()
      await bench.remove(resources.networkPolicies, runtime, 'default-deny')
      await eventually('the policy is back', soonMs, () =>
        bench.get(resources.networkPolicies, runtime, 'default-deny'),
      )
    })

    test('a namespace that is there already is never taken over', async () => {
      const namespace = await bench.newNamespace()
      const paused = { annotations: { 'holdfast.dev/paused': 'true' } }
      const made = await bench.apply(organization(namespace, {}, paused))
      const name = runtimeNamespace(idOfUid(made.metadata.uid!))
      bench.namespaces.push(name)
      await bench.hasReason(resources.organizations, namespace, 'acme', 'Paused')
      expect(await bench.get(resources.namespaces, undefined, name)).toBeNull()
      const theirs = await bench.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
      await bench.server.send('PATCH', pathOf(resources.organizations, { namespace, name: 'acme' }), {
        body: { metadata: { annotations: { 'holdfast.dev/paused': null } } },
        type: 'application/merge-patch+json',
      })
      await bench.hasReason(resources.organizations, namespace, 'acme', 'NamespaceNotOurs')
      const found = await bench.get(resources.namespaces, undefined, name)
      expect(found?.metadata.annotations).toEqual(theirs.metadata.annotations)
      expect(await bench.get(resources.statefulSets, name, 'storage-node')).toBeNull()
      await bench.remove(resources.organizations, namespace, 'acme')
      await bench.isGone(resources.organizations, namespace, 'acme')
      expect((await bench.get(resources.namespaces, undefined, name))?.metadata.uid).toBe(theirs.metadata.uid)
    })
  })

  describe('a settled cluster', () => {
    test('has no writes besides the lease, idle, busy or with an operator that starts anew', async () => {
      await bench.newTenant()
      const before = await bench.writesAtRest()
      expect(before).toBeGreaterThan(10)
      await systemClock.sleep(20_000)
      expect(await bench.operator.writes()).toBe(before)
      expect(await bench.operator.stop()).toBe(0)
      await bench.operator.start()
      await systemClock.sleep(5_000)
      expect(await bench.operator.writes()).toBe(0)
    })

    test('is whole again after the operator was killed in the middle of its work', async () => {
      const namespace = await bench.newNamespace()
      for (const object of [organization(namespace), database(namespace), token(namespace)])
        await bench.apply(object)
      await eventually('the operator has begun', soonMs, () =>
        bench.get(resources.roleBindings, namespace, 'holdfast-operator'),
      )
      await bench.operator.stop('SIGKILL')
      await bench.operator.start()
      await bench.becomesReady(resources.organizations, namespace, 'acme')
      const ready = await bench.becomesReady(resources.tokens, namespace, 'writer')
      expect(statusOf(ready).tokens).toMatchObject([{ hash: hashToken(await bench.tokenString(namespace)) }])
    })
  })
})
