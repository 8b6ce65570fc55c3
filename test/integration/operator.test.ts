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

const statusOf = (object: KubeObject | null): Status => object?.['status'] ?? {}
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
    const failures = (await operator.log())
      .split('\n')
      .filter((line) => line.includes(`${namespace}/acme`) && line.includes('pass failed'))
    expect(failures).toEqual([])
  })

  describe('tokens', () => {
    test('status holds the hash, the Secret the string, and nothing else knows it', async () => {
      const { namespace, organizationId } = await newTenant()
      const string = await tokenString(namespace)
      const status = statusOf(await get(resources.tokens, namespace, 'writer'))
      expect(status.tokens).toMatchObject([{ hash: hashToken(string) }])
      expect(hashesOn(organizationId)).toEqual([hashToken(string)])
      const { body } = await server.send('GET', pathOf(resources.events, { namespace }))
      const said = JSON.stringify([body, status]) + (await operator.log()) + (await operator.metrics())
      expect(said).not.toContain(string)
    })

    test('a Secret that is somebody else’s is never touched, and the Token says so', async () => {
      const namespace = await newNamespace()
      const theirs = { token: Buffer.from('theirs').toString('base64') }
      const made = await apply({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'writer', namespace },
        type: 'Opaque',
        data: theirs,
      })
      await apply(organization(namespace))
      await apply(token(namespace))
      const refused = await hasReason(resources.tokens, namespace, 'writer', 'SecretNotOurs')
      expect(condition(refused, 'Stalled')?.status).toBe('True')
      const found = await becomesReady(resources.organizations, namespace, 'acme')
      expect(hashesOn(idOfUid(found.metadata.uid!))).toEqual([])
      const secret = await get(resources.secrets, namespace, 'writer')
      expect(secret?.metadata.resourceVersion).toBe(made.metadata.resourceVersion)
      await remove(resources.tokens, namespace, 'writer')
      await isGone(resources.tokens, namespace, 'writer')
      expect((await get(resources.secrets, namespace, 'writer'))?.['data']).toEqual(theirs)
    })

    test('deleting one ends it on the nodes within 2 s, and its Secret goes', async () => {
      const { namespace, organizationId } = await newTenant()
      expect(hashesOn(organizationId)).toHaveLength(1)
      await remove(resources.tokens, namespace, 'writer')
      await eventually('no node accepts it', 2_000, async () => hashesOn(organizationId).length === 0)
      await isGone(resources.tokens, namespace, 'writer', 5_000)
      await isGone(resources.secrets, namespace, 'writer', 5_000)
    })

    test.each(['deleted', 'edited'])(
      'a Secret that was %s by hand is a new string, the old one ends',
      async (how) => {
        const { namespace, organizationId } = await newTenant()
        const before = await tokenString(namespace)
        if (how === 'deleted') await remove(resources.secrets, namespace, 'writer')
        else {
          await apply({
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { name: 'writer', namespace },
            data: { token: Buffer.from(before.replace(/......$/, 'AAAAAA')).toString('base64') },
          })
        }
        // Secrets are not watched: the operator looks at them again 10 s after its last look at the earliest.
        const after = await eventually('there is another string', 30_000, async () => {
          await touch(resources.tokens, namespace, 'writer')
          const string = await tokenString(namespace)
          return string !== before && parseToken(string) && string
        })
        await eventually('nodes accept the new string alone', 5_000, async () => {
          const hashes = hashesOn(organizationId)
          return hashes.length === 1 && hashes[0] === hashToken(after)
        })
        const ready = await becomesReady(resources.tokens, namespace, 'writer')
        expect(statusOf(ready).tokens).toMatchObject([{ hash: hashToken(after) }])
      },
      60_000,
    )

    test('one whose string was minted elsewhere has no Secret', async () => {
      const { namespace, organizationId } = await newTenant()
      const hash = 'a'.repeat(64)
      await apply(token(namespace, { hash }, 'foreign'))
      await becomesReady(resources.tokens, namespace, 'foreign')
      expect(hashesOn(organizationId)).toContain(hash)
      expect(await get(resources.secrets, namespace, 'foreign')).toBeNull()
      await apply(token(namespace, { hash }, 'twin'))
      await hasReason(resources.tokens, namespace, 'twin', 'TokenHashTaken')
    })

    test('a string that was given up is refused for ever, and keeps nothing else from being served', async () => {
      const { namespace, organizationId } = await newTenant()
      const hash = 'b'.repeat(64)
      await apply(token(namespace, { hash }, 'given-up'))
      await becomesReady(resources.tokens, namespace, 'given-up')
      await remove(resources.tokens, namespace, 'given-up')
      await isGone(resources.tokens, namespace, 'given-up', 5_000)
      await apply(token(namespace, { hash }, 'revived'))
      await hasReason(resources.tokens, namespace, 'revived', 'Revoked')
      await apply(token(namespace, {}, 'another'))
      await becomesReady(resources.tokens, namespace, 'another')
      expect(hashesOn(organizationId)).toHaveLength(2)
      expect(hashesOn(organizationId)).not.toContain(hash)
      await becomesReady(resources.organizations, namespace, 'acme')
    })

    test('one that expires leaves the nodes by itself', async () => {
      const { namespace, organizationId } = await newTenant()
      await apply(token(namespace, { expiresAfter: '4s' }, 'short'))
      await becomesReady(resources.tokens, namespace, 'short')
      expect(hashesOn(organizationId)).toHaveLength(2)
      const ended = await hasReason(resources.tokens, namespace, 'short', 'Expired')
      expect(condition(ended, 'Stalled')?.status).toBe('True')
      await eventually('the nodes know one token', 2_000, async () => hashesOn(organizationId).length === 1)
    })

    test('one for a database that is not there yet waits, and works for the others meanwhile', async () => {
      const { namespace, organizationId } = await newTenant()
      const permissions = [
        { database: 'metrics', access: ['read'] },
        { database: 'later', access: ['read'] },
      ]
      await apply(token(namespace, { permissions }, 'early'))
      await hasReason(resources.tokens, namespace, 'early', 'DatabaseNotFound')
      expect(hashesOn(organizationId)).toHaveLength(2)
      await apply(database(namespace, {}, 'later'))
      await becomesReady(resources.tokens, namespace, 'early')
    })
  })

  describe('specs', () => {
    test('an edit is in force when Ready says so', async () => {
      const { namespace, organizationId } = await newTenant()
      await apply(database(namespace, { retention: '48h' }))
      await becomesReady(resources.databases, namespace, 'metrics')
      const served = nodes.of(organizationId)?.document?.databases[0]
      expect(served?.retentionPolicies[0]?.durationNs).toBe('172800000000000')
      await apply(
        organization(namespace, { displayName: 'Acme & Co', access: { from: [{ cidr: '10.1.0.0/16' }] } }),
      )
      await becomesReady(resources.organizations, namespace, 'acme')
      expect(nodes.of(organizationId)?.document?.organization).toMatchObject({
        displayName: 'Acme & Co',
        directAccess: true,
      })
      const policy = { namespace: runtimeNamespace(organizationId), name: 'allow-direct' }
      expect(await get(resources.networkPolicies, policy.namespace, policy.name)).not.toBeNull()
      await apply(organization(namespace, { displayName: 'Acme' }))
      await isGone(resources.networkPolicies, policy.namespace, policy.name, 10_000)
    })

    test('what cannot be acted on is named, leaves what runs, and going back heals it', async () => {
      const { namespace, organizationId, runtime } = await newTenant()
      const before = await get(resources.statefulSets, runtime, 'storage-node')
      await apply(organization(namespace, { class: 'golden' }))
      const stalled = await hasReason(resources.organizations, namespace, 'acme', 'ClassNotFound')
      expect(condition(stalled, 'Stalled')?.status).toBe('True')
      expect(condition(stalled, 'Ready')?.message).toContain('spec.class')
      const after = await get(resources.statefulSets, runtime, 'storage-node')
      expect(after?.['spec']).toEqual(before?.['spec'])
      // A token is revoked all the same.
      await remove(resources.tokens, namespace, 'writer')
      await eventually('no node accepts it', 2_000, async () => hashesOn(organizationId).length === 0)
      await apply(organization(namespace))
      await becomesReady(resources.organizations, namespace, 'acme')
    })

    test('of two databases with one name the older is served', async () => {
      const { namespace, organizationId } = await newTenant()
      await systemClock.sleep(1_100)
      await apply(database(namespace, { databaseName: 'metrics' }, 'second'))
      await hasReason(resources.databases, namespace, 'second', 'DatabaseNameTaken')
      expect(nodes.of(organizationId)?.document?.databases).toHaveLength(1)
      await remove(resources.databases, namespace, 'metrics')
      await becomesReady(resources.databases, namespace, 'second')
    })

    test('what somebody else takes away or changes is put back', async () => {
      const { runtime } = await newTenant()
      await remove(resources.networkPolicies, runtime, 'default-deny')
      const policy = await eventually('the policy is back', 5_000, () =>
        get(resources.networkPolicies, runtime, 'default-deny'),
      )
      expect(policy['spec']).toMatchObject({ policyTypes: ['Ingress', 'Egress'] })
      await server.send('PATCH', pathOf(resources.namespaces, { name: runtime }), {
        body: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } },
        type: 'application/merge-patch+json',
      })
      await eventually('the namespace is restricted again', 5_000, async () => {
        const found = await get(resources.namespaces, undefined, runtime)
        return found?.metadata.labels?.['pod-security.kubernetes.io/enforce'] === 'restricted'
      })
    })

    test('a namespace that is there already is never taken over', async () => {
      const namespace = await newNamespace()
      const paused = { annotations: { 'holdfast.dev/paused': 'true' } }
      const made = await apply(organization(namespace, {}, paused))
      const name = runtimeNamespace(idOfUid(made.metadata.uid!))
      namespaces.push(name)
      await hasReason(resources.organizations, namespace, 'acme', 'Paused')
      expect(await get(resources.namespaces, undefined, name)).toBeNull()
      const theirs = await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
      await server.send('PATCH', pathOf(resources.organizations, { namespace, name: 'acme' }), {
        body: { metadata: { annotations: { 'holdfast.dev/paused': null } } },
        type: 'application/merge-patch+json',
      })
      await hasReason(resources.organizations, namespace, 'acme', 'NamespaceNotOurs')
      const found = await get(resources.namespaces, undefined, name)
      expect(found?.metadata.annotations).toEqual(theirs.metadata.annotations)
      expect(await get(resources.statefulSets, name, 'storage-node')).toBeNull()
      await remove(resources.organizations, namespace, 'acme')
      await isGone(resources.organizations, namespace, 'acme')
      expect((await get(resources.namespaces, undefined, name))?.metadata.uid).toBe(theirs.metadata.uid)
    })
  })

  describe('ends', () => {
    test('Retain takes access and pods away and keeps volumes, key and namespace', async () => {
      const { namespace, runtime } = await newTenant()
      const key = await get(resources.secrets, runtime, 'data-key')
      const claim = await get(resources.persistentVolumeClaims, runtime, 'data-storage-node-0')
      await remove(resources.organizations, namespace, 'acme')
      await isGone(resources.organizations, namespace, 'acme')
      namespaces.push(runtime)
      expect(await get(resources.statefulSets, runtime, 'storage-node')).toBeNull()
      expect(await get(resources.pods, runtime, 'storage-node-0')).toBeNull()
      expect(await get(resources.services, runtime, 'storage-node')).toBeNull()
      expect(await get(resources.secrets, runtime, 'storage-node-tls')).toBeNull()
      expect((await get(resources.secrets, runtime, 'data-key'))?.['data']).toEqual(key?.['data'])
      const kept = await get(resources.persistentVolumeClaims, runtime, 'data-storage-node-0')
      expect(kept?.metadata.uid).toBe(claim?.metadata.uid)
      const retained = await get(resources.namespaces, undefined, runtime)
      expect(retained?.metadata.annotations).toHaveProperty(['holdfast.dev/retained-since'])
      await hasReason(resources.databases, namespace, 'metrics', 'OrganizationNotFound')
      expect(await get(resources.roleBindings, namespace, 'holdfast-operator')).toBeNull()
    })

    test('Delete leaves nothing', async () => {
      const { namespace, runtime } = await newTenant({ deletionPolicy: 'Delete' })
      await remove(resources.organizations, namespace, 'acme')
      await isGone(resources.organizations, namespace, 'acme')
      expect(await get(resources.namespaces, undefined, runtime)).toBeNull()
    })

    test('a Database keeps its data or drops it, as its policy says', async () => {
      const { namespace, organizationId } = await newTenant()
      const dropped = await apply(database(namespace, { deletionPolicy: 'Delete' }, 'dropped'))
      await becomesReady(resources.databases, namespace, 'dropped')
      await remove(resources.databases, namespace, 'metrics')
      await remove(resources.databases, namespace, 'dropped')
      await isGone(resources.databases, namespace, 'metrics', 5_000)
      await isGone(resources.databases, namespace, 'dropped', 5_000)
      expect(nodes.of(organizationId)?.document?.databases).toEqual([])
      expect(nodes.of(organizationId)?.deleted).toEqual([idOfUid(dropped.metadata.uid!)])
    })

    test('every order of deleting ends, also all at once with the namespace', async () => {
      const orders: readonly (readonly [Resource, string])[] = [
        [resources.organizations, 'acme'],
        [resources.databases, 'metrics'],
        [resources.tokens, 'writer'],
      ]
      await Promise.all(
        permutations(orders).map(async (order, index) => {
          const { namespace, runtime } = await newTenant({ deletionPolicy: index % 2 ? 'Delete' : 'Retain' })
          if (index % 2 === 0) namespaces.push(runtime)
          for (const [resource, name] of order) await remove(resource, namespace, name)
          for (const [resource, name] of order) await isGone(resource, namespace, name)
        }),
      )
      const { namespace, runtime } = await newTenant()
      namespaces.push(runtime)
      await server.send('DELETE', pathOf(resources.namespaces, { name: namespace }))
      await isGone(resources.namespaces, undefined, namespace)
      expect(await get(resources.pods, runtime, 'storage-node-0')).toBeNull()
    })

    test('a new Organization under an old name inherits nothing', async () => {
      const { namespace, organizationId, runtime } = await newTenant()
      namespaces.push(runtime)
      const before = await tokenString(namespace)
      await remove(resources.organizations, namespace, 'acme')
      await isGone(resources.organizations, namespace, 'acme')
      const made = await apply(organization(namespace))
      await becomesReady(resources.organizations, namespace, 'acme')
      const id = idOfUid(made.metadata.uid!)
      expect(id).not.toBe(organizationId)
      await becomesReady(resources.tokens, namespace, 'writer')
      const after = await tokenString(namespace)
      expect(parseToken(after)).toEqual({ organizationId: id })
      expect(hashesOn(id)).toEqual([hashToken(after)])
      expect(after).not.toBe(before)
    })
  })

  describe('a settled cluster', () => {
    test('has no writes besides the lease, idle, busy or with an operator that starts anew', async () => {
      await newTenant()
      await systemClock.sleep(3_000)
      const before = await operator.writes()
      expect(before).toBeGreaterThan(10)
      await systemClock.sleep(20_000)
      expect(await operator.writes()).toBe(before)
      expect(await operator.stop()).toBe(0)
      await operator.start()
      await systemClock.sleep(5_000)
      expect(await operator.writes()).toBe(0)
    }, 90_000)

    test('is whole again after the operator was killed in the middle of its work', async () => {
      const namespace = await newNamespace()
      for (const object of [organization(namespace), database(namespace), token(namespace)])
        await apply(object)
      await eventually('the operator has begun', 5_000, () =>
        get(resources.roleBindings, namespace, 'holdfast-operator'),
      )
      await operator.stop('SIGKILL')
      await operator.start()
      await becomesReady(resources.organizations, namespace, 'acme', 40_000)
      const ready = await becomesReady(resources.tokens, namespace, 'writer', 40_000)
      expect(statusOf(ready).tokens).toMatchObject([{ hash: hashToken(await tokenString(namespace)) }])
    }, 90_000)
  })

  /** A change that means nothing, so that the operator looks. */
  async function touch(resource: Resource, namespace: string, name: string): Promise<void> {
    await server.send('PATCH', pathOf(resource, { namespace, name }), {
      body: { metadata: { annotations: { 'example.com/touched': String(performance.now()) } } },
      type: 'application/merge-patch+json',
    })
    await systemClock.sleep(500)
  }
})

function permutations<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  if (items.length <= 1) return [items]
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  )
}
