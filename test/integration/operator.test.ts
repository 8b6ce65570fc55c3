import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { hashToken, parseToken } from '../../common/token.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources, type Resource } from '../../operator/kube/resource.ts'
import { ApiServer } from './api-server.ts'
import { eventually, OperatorHarness, read } from './operator-harness.ts'
import { StorageNodeStandIn } from './storage-node-stand-in.ts'

// The operator as a process with the chart's rights against a real API server, with the storage nodes' admin port
// stood in for: what users apply becomes what the contract says, in any order, and ends as it says.

const kubeconfig = process.env['KUBECONFIG']
const apiVersion = 'holdfast.dev/v1alpha1'

interface Status {
  readonly observedGeneration?: number
  readonly conditions?: readonly {
    readonly type: string
    readonly status: string
    readonly reason: string
    readonly message: string
  }[]
  readonly organizationId?: string
  readonly tokens?: readonly { readonly id: string; readonly hash: string }[]
  readonly stateDigest?: string
  readonly runtimeNamespace?: string
}

const organization = (namespace: string, spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion,
  kind: 'Organization',
  metadata: { name: 'acme', namespace, ...metadata },
  spec: { storage: { size: '1Gi' }, ...spec },
})
const database = (namespace: string, spec: object = {}, name = 'metrics'): KubeObject => ({
  apiVersion,
  kind: 'Database',
  metadata: { name, namespace },
  spec: { organization: 'acme', ...spec },
})
const token = (namespace: string, spec: object = {}, name = 'writer'): KubeObject => ({
  apiVersion,
  kind: 'Token',
  metadata: { name, namespace },
  spec: {
    organization: 'acme',
    permissions: [{ database: '*', access: ['read', 'write'] }],
    ...spec,
  },
})

const statusOf = (object: KubeObject | null): Status => (object?.['status'] ?? {}) as Status
const condition = (object: KubeObject | null, type: string) =>
  statusOf(object).conditions?.find((found) => found.type === type)
const isReady = (object: KubeObject | null): boolean =>
  condition(object, 'Ready')?.status === 'True' &&
  statusOf(object).observedGeneration === object?.metadata.generation

describe.skipIf(kubeconfig === undefined)('the operator (KUBECONFIG names the cluster)', () => {
  let server: ApiServer
  let operator: OperatorHarness
  let nodes: StorageNodeStandIn
  let counter = 0
  const namespaces: string[] = []

  beforeAll(async () => {
    server = await ApiServer.open(kubeconfig!)
    operator = await OperatorHarness.open(server, kubeconfig!)
    nodes = new StorageNodeStandIn(server, operator.installationId)
    await operator.start()
    nodes.start()
  })

  afterAll(async () => {
    for (const name of namespaces) await server.send('DELETE', pathOf(resources.namespaces, { name }))
    await eventually('every tenant namespace is gone', 60_000, async () => {
      const left = await Promise.all(namespaces.map((name) => get(resources.namespaces, undefined, name)))
      return left.every((namespace) => namespace === null)
    })
    await operator.close()
    await nodes.stop()
    await server.close()
  })

  const get = (resource: Resource, namespace: string | undefined, name: string) =>
    read(server, resource, namespace, name)

  async function newNamespace(): Promise<string> {
    counter += 1
    const name = `tenant-${process.pid}-${counter}`
    namespaces.push(name)
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    return name
  }

  async function apply(object: KubeObject): Promise<KubeObject> {
    const answer = await server.apply(object)
    if (answer.status >= 300) throw new Error(`${object.kind}: ${answer.body.message}`)
    return answer.body as unknown as KubeObject
  }

  async function remove(resource: Resource, namespace: string, name: string): Promise<void> {
    const answer = await server.send('DELETE', pathOf(resource, { namespace, name }))
    expect(answer.status).toBeLessThan(300)
  }

  async function becomesReady(resource: Resource, namespace: string, name: string, timeoutMs = 20_000) {
    return eventually(`${resource.kind} ${namespace}/${name} is ready`, timeoutMs, async () => {
      const object = await get(resource, namespace, name)
      if (!isReady(object)) throw new Error(JSON.stringify(object?.['status']))
      return object!
    })
  }

  async function hasReason(resource: Resource, namespace: string, name: string, reason: string) {
    return eventually(`${resource.kind} ${namespace}/${name} says ${reason}`, 15_000, async () => {
      const object = await get(resource, namespace, name)
      if (condition(object, 'Ready')?.reason !== reason) throw new Error(JSON.stringify(object?.['status']))
      return object!
    })
  }

  async function isGone(resource: Resource, namespace: string | undefined, name: string, timeoutMs = 60_000) {
    await eventually(`${resource.kind} ${name} is gone`, timeoutMs, async () => {
      const object = await get(resource, namespace, name)
      if (object) throw new Error(JSON.stringify([object.metadata, object['status']]))
      return true
    })
  }

  /** A tenant with one database and one token, ready. */
  async function newTenant(spec: object = {}) {
    const namespace = await newNamespace()
    for (const object of [organization(namespace, spec), database(namespace), token(namespace)])
      await apply(object)
    const found = await becomesReady(resources.organizations, namespace, 'acme')
    await becomesReady(resources.databases, namespace, 'metrics')
    await becomesReady(resources.tokens, namespace, 'writer')
    const organizationId = idOfUid(found.metadata.uid!)
    return { namespace, organizationId, runtime: runtimeNamespace(organizationId), uid: found.metadata.uid! }
  }

  async function tokenString(namespace: string, name = 'writer'): Promise<string> {
    const secret = await get(resources.secrets, namespace, name)
    const data = (secret?.['data'] ?? {}) as Readonly<Record<string, string>>
    return Buffer.from(data['token'] ?? '', 'base64').toString('utf8')
  }

  const hashesOn = (organizationId: string): readonly string[] =>
    (nodes.of(organizationId)?.document?.tokens ?? []).map(({ hash }) => hash)

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
      const ends = await Promise.all(
        orders.map(async (order) => {
          const namespace = await newNamespace()
          const objects = [organization(namespace), database(namespace), token(namespace)]
          for (const index of order) {
            await apply(objects[index]!)
            await systemClock.sleep(150)
          }
          const found = await becomesReady(resources.organizations, namespace, 'acme', 40_000)
          await becomesReady(resources.databases, namespace, 'metrics', 40_000)
          await becomesReady(resources.tokens, namespace, 'writer', 40_000)
          return endState(namespace, found.metadata.uid!)
        }),
      )
      expect(ends[0]!.children.length).toBeGreaterThan(8)
      for (const end of ends) expect(end).toEqual(ends[0])
    })

    /** What a tenant came to, with all that differs by nature masked. */
    async function endState(namespace: string, uid: string) {
      const id = idOfUid(uid)
      const string = await tokenString(namespace)
      const document = nodes.of(id)?.document
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
          const { body } = await server.send('GET', pathOf(kind, { namespace: runtimeNamespace(id) }))
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
          statusOf(await get(resource, namespace, name)).conditions?.map(
            ({ type, status, reason, message }) => `${type} ${status} ${reason} ${message}`,
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
    const namespace = await newNamespace()
    await apply(database(namespace))
    await apply(token(namespace))
    for (const [resource, name] of [
      [resources.databases, 'metrics'],
      [resources.tokens, 'writer'],
    ] as const) {
      const waiting = await hasReason(resource, namespace, name, 'OrganizationNotFound')
      expect(condition(waiting, 'Reconciling')?.status).toBe('True')
      expect(condition(waiting, 'Stalled')?.status).toBe('False')
      expect(waiting.metadata.finalizers).toBeUndefined()
    }
    await apply(organization(namespace))
    await becomesReady(resources.databases, namespace, 'metrics')
    await becomesReady(resources.tokens, namespace, 'writer')
    expect(await operator.log()).not.toContain(`"item":"${namespace}/acme","pass":0,"err"`)
  })
})
