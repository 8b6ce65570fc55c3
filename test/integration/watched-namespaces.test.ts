import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { ApiServer } from './api-server.ts'
import { OperatorBench, database, organization, statusOf, token } from './operator-bench.ts'

// operator.watchNamespaces: the operator serves the tenants of the namespaces in the list with rights in these alone, and
// neither touches nor can touch what users write anywhere else.

const kubeconfig = process.env['KUBECONFIG']
const watched = ['a', 'b'].map((letter) => `watched-${process.pid}-${letter}`)
const elsewhere = `elsewhere-${process.pid}`
const kinds = [resources.organizations, resources.databases, resources.tokens]

describe.skipIf(kubeconfig === undefined)('a list of namespaces (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench
  /** With the operator's own rights. */
  let account: ApiServer

  beforeAll(async () => {
    const server = await ApiServer.open(kubeconfig!)
    for (const name of [...watched, elsewhere])
      await server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    await server.close()
    bench = await OperatorBench.open(kubeconfig!, { watchNamespaces: watched })
    bench.namespaces.push(...watched, elsewhere)
    account = await ApiServer.open(bench.operator.kubeconfig)
  })

  afterAll(async () => {
    await account.close()
    await bench.close()
  })

  test('tenants of every namespace in it are served, and others left as they are', async () => {
    const objects = [organization(elsewhere), database(elsewhere), token(elsewhere)]
    for (const object of objects) await bench.apply(object)
    for (const namespace of watched) {
      const { organizationId } = await bench.newTenantIn(namespace)
      expect(bench.hashesOn(organizationId)).toHaveLength(1)
    }
    await bench.writesAtRest()
    for (const [resource, name] of [
      [resources.organizations, 'acme'],
      [resources.databases, 'metrics'],
      [resources.tokens, 'writer'],
    ] as const) {
      const found = await bench.get(resource, elsewhere, name)
      expect(found?.metadata.finalizers).toBeUndefined()
      expect(statusOf(found)).toEqual({ observedGeneration: -1 })
    }
    expect(await bench.get(resources.roleBindings, elsewhere, 'holdfast-operator')).toBeNull()
    const { body } = await bench.server.send('GET', pathOf(resources.events, { namespace: elsewhere }))
    expect(body['items']).toEqual([])
  })

  test('the account reads and writes what users write in these namespaces, and nowhere else', async () => {
    const tried = async (namespace: string | undefined) => {
      const answers = await Promise.all(
        kinds.flatMap((kind) => [
          account.send('GET', pathOf(kind, namespace === undefined ? {} : { namespace })),
          account.send(
            'PATCH',
            `${pathOf(kind, { namespace: namespace ?? elsewhere, name: 'none' })}?dryRun=All`,
            {
              body: { metadata: { finalizers: [] } },
              type: 'application/merge-patch+json',
            },
          ),
        ]),
      )
      return new Set(answers.map(({ status }) => status))
    }
    // A name that there is not: allowed, and not found.
    for (const namespace of watched) expect(await tried(namespace)).toEqual(new Set([200, 404]))
    expect(await tried(elsewhere)).toEqual(new Set([403]))
    expect(await tried(undefined)).toEqual(new Set([403]))
    const event = (namespace: string) =>
      account.send('POST', `${pathOf(resources.events, { namespace })}?dryRun=All`, {
        body: { metadata: { name: 'e' }, involvedObject: { namespace }, reason: 'Tried' },
      })
    expect((await event(watched[0]!)).status).toBe(201)
    expect((await event(elsewhere)).status).toBe(403)
  })

  test('a tenant goes on after the operator was started anew, and goes when it is deleted', async () => {
    const namespace = watched[0]!
    const { runtime } = await bench.newTenantIn(namespace, { deletionPolicy: 'Delete' })
    // Ready comes before the last of what is written; what is missing then the next process would write.
    await bench.writesAtRest()
    expect(await bench.operator.stop()).toBe(0)
    await bench.operator.start()
    await systemClock.sleep(3_000)
    expect(await bench.operator.writes()).toBe(0)
    await bench.remove(resources.organizations, namespace, 'acme')
    await bench.isGone(resources.organizations, namespace, 'acme')
    expect(await bench.get(resources.namespaces, undefined, runtime)).toBeNull()
  })
})
