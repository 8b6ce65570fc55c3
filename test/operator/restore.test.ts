import { beforeAll, describe, expect, test } from 'vitest'
import { dataKeyId } from '../../common/data-key.ts'
import { runtimeNamespace } from '../../common/ids.ts'
import type { Condition } from '../../operator/api/conditions.ts'
import type { OrganizationStatus } from '../../operator/api/organization.ts'
import type { TokenStatus } from '../../operator/api/token.ts'
import { storedDataKeys } from '../../operator/desired/secrets.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources, type Resource } from '../../operator/kube/resource.ts'
import { networkPolicies, secretNames } from '../../operator/naming/names.ts'
import { platform } from '../support/tenant-world.ts'
import type { Cluster } from './cluster.ts'
import { Line } from './faulty-client.ts'
import { OperatorProcess } from './operator-process.ts'
import { createObject, editObject, removeObject, team } from './objects.ts'
import { restoredTenant, retainedTenant, settledTenant, withOperator, type Retained } from './scenarios.ts'

// Promise: the data of a deleted Organization comes back whole to whom it belongs, once; to everybody else there is one
// answer, the same as for data that never was. What was revoked before stays so.

const { organizations, tokens, databases, pods, namespaces, persistentVolumeClaims, secrets } = resources

let settled: Cluster
let retained: Retained
let runtime: string
beforeAll(async () => {
  settled = await settledTenant('Retain')
  retained = await retainedTenant(settled)
  runtime = runtimeNamespace(retained.restoreFrom.organizationId)
})

const statusOf = (cluster: Cluster, name = 'acme', within = team): OrganizationStatus =>
  cluster.get(organizations, name, within)!['status'] as OrganizationStatus
function said(cluster: Cluster, resource: Resource, name: string, within = team): Condition {
  const status = cluster.get(resource, name, within)?.['status'] as { readonly conditions: Condition[] }
  return status.conditions.find(({ type }) => type === 'Ready')!
}
const dataKeyOf = (cluster: Cluster): readonly string[] =>
  storedDataKeys(cluster.get(secrets, secretNames.dataKey, runtime)!).keys.map(dataKeyId)
const volumeOf = (cluster: Cluster) => cluster.get(persistentVolumeClaims, 'data-storage-node-0', runtime)
const accepted = ({ nodes }: Cluster): readonly string[] =>
  nodes.document?.tokens.map(({ hash }) => hash) ?? []
const databasesOf = ({ nodes }: Cluster) => nodes.document?.databases.map(({ id, name }) => ({ id, name }))

async function newNamespace(cluster: Cluster, name: string): Promise<string> {
  const made = await cluster.kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  return made.metadata.uid!
}

function createIn(cluster: Cluster, namespace: string, name: string, spec: object): Promise<KubeObject> {
  const metadata = { name, namespace, generation: 1 }
  return cluster.kube.create({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Organization',
    metadata,
    spec,
  })
}

async function annotate(cluster: Cluster, name: string, annotations: Record<string, string>): Promise<void> {
  await cluster.kube.patchMetadata(cluster.get(namespaces, name)!, { annotations })
}

describe('a restored organization', () => {
  test('has its id, its volume, its data key and its databases again, and not its tokens', async () => {
    const before = databasesOf(settled)!
    const dead = accepted(settled)
    expect([before.length, dead.length]).toEqual([1, 1])
    const cluster = await restoredTenant(retained, 'Retain')
    expect(statusOf(cluster)).toMatchObject({ ...retained.restoreFrom, runtimeNamespace: runtime })
    for (const [resource, name] of [
      [organizations, 'acme'],
      [databases, 'metrics'],
      [tokens, 'writer'],
    ] as const)
      expect(said(cluster, resource, name)).toMatchObject({ status: 'True' })
    expect(volumeOf(cluster)?.metadata.uid).toBe(volumeOf(settled)?.metadata.uid)
    expect(dataKeyOf(cluster)).toEqual(dataKeyOf(settled))
    expect(databasesOf(cluster)).toEqual(before)
    expect(cluster.get(databases, 'metrics', team)?.['status']).toMatchObject({ databaseId: before[0]!.id })
    const alive = (cluster.get(tokens, 'writer', team)!['status'] as TokenStatus).tokens
    expect(accepted(cluster)).toEqual(alive.map(({ hash }) => hash))
    expect(accepted(cluster)).not.toContain(dead[0])
    // For ever: not even by the document that was in force before.
    const node = { organizationId: '', podUid: '', host: '' }
    await expect(cluster.nodes.pushState(node, settled.nodes.document!)).rejects.toThrow('revoked')
  })

  test('is reached by no client before its node refuses what was revoked', async () => {
    const dead = accepted(settled)[0]!
    const cluster = retained.cluster.fork()
    const operator = new OperatorProcess(cluster, new Line(cluster, () => null))
    operator.start()
    await createObject(cluster, 'Organization', 'acme', { restoreFrom: retained.restoreFrom })
    const seen = new Set<string>()
    const look = () => {
      const isThere = cluster.get(pods, 'storage-node-0', runtime) !== undefined
      const isOpen = cluster.get(resources.networkPolicies, networkPolicies.gateway, runtime) !== undefined
      if (isThere)
        seen.add(`${isOpen ? 'open' : 'closed'}, ${accepted(cluster).includes(dead) ? 'old' : 'new'}`)
    }
    // Whatever anybody is told of, in the moment in which it is.
    cluster.kube.world.deliver = (event) => (look(), [event])
    for (let second = 0; second < 20; second += 1) {
      await cluster.tick()
      look()
      await cluster.clock.advance(1_000)
      look()
    }
    await operator.end()
    expect(seen).not.toContain('open, old')
    expect([...seen]).toEqual(expect.arrayContaining(['closed, old', 'open, new']))
  })

  test('goes on with the version that served last, not with what is the default now', async () => {
    const newer = settled.fork()
    await withOperator(newer, () => editObject(newer, organizations, 'acme', { version: '0.2.0' }))
    expect(statusOf(newer).version).toBe('0.2.0')
    const cluster = await restoredTenant(await retainedTenant(newer), 'Retain')
    expect(platform.storageNode.defaultVersion).toBe('0.1.0')
    expect(statusOf(cluster).version).toBe('0.2.0')
  })

  test('that asks for a larger volume grows the one that there is', async () => {
    const cluster = retained.cluster.fork()
    const spec = { restoreFrom: retained.restoreFrom, storage: { size: '20Gi', replicas: 1 } }
    await withOperator(cluster, () => createObject(cluster, 'Organization', 'acme', spec))
    expect(volumeOf(cluster)?.['status']).toMatchObject({ capacity: { storage: '20Gi' } })
    expect(statusOf(cluster).storage).toEqual({ size: '20Gi', replicas: 1 })
    expect(volumeOf(cluster)?.metadata.uid).toBe(volumeOf(settled)?.metadata.uid)
  })

  test('is restored again after it was deleted again', async () => {
    const once = await restoredTenant(retained, 'Retain')
    const again = await retainedTenantOf(once)
    const cluster = await restoredTenant(again, 'Retain')
    expect(said(cluster, organizations, 'acme').status).toBe('True')
    expect(databasesOf(cluster)).toEqual(databasesOf(settled))
    expect(dataKeyOf(cluster)).toEqual(dataKeyOf(settled))
    expect(volumeOf(cluster)?.metadata.uid).toBe(volumeOf(settled)?.metadata.uid)
    const dead = [...accepted(settled), ...accepted(once)]
    expect(accepted(cluster)).toHaveLength(1)
    for (const hash of dead) expect(accepted(cluster)).not.toContain(hash)
  })

  async function retainedTenantOf(cluster: Cluster): Promise<Retained> {
    const { cluster: left } = await retainedTenant(cluster)
    return { cluster: left, restoreFrom: retained.restoreFrom }
  }

  test('and deleted with Delete leaves nothing, and nothing to restore', async () => {
    const cluster = await restoredTenant(retained, 'Delete')
    await withOperator(cluster, () => removeObject(cluster, organizations, 'acme', team))
    const left = [...cluster.kube.world.objects.values()].filter(
      ({ metadata }) => (metadata.namespace ?? metadata.name) === runtime,
    )
    expect(left).toEqual([])
    await withOperator(cluster, () =>
      createObject(cluster, 'Organization', 'acme', { restoreFrom: retained.restoreFrom }),
    )
    expect(said(cluster, organizations, 'acme').reason).toBe('RestoreRefused')
    expect(cluster.get(namespaces, runtime)).toBeUndefined()
  })
})

interface Attempt {
  readonly what: string
  readonly from: () => Cluster
  readonly organizationId?: string
  readonly prepare?: (cluster: Cluster) => Promise<unknown>
}

describe('everybody else gets one answer', () => {
  const elsewhere = 'beta-team'
  const transferTo = (value: string) => (cluster: Cluster) =>
    annotate(cluster, runtime, { 'holdfast.dev/transfer-to': value })
  const left = () => retained.cluster
  const attempts: readonly Attempt[] = [
    { what: 'an id that never was one', from: left, organizationId: 'f'.repeat(16) },
    { what: 'data of another namespace', from: left },
    { what: 'data of an Organization that is there', from: () => settled },
    {
      what: 'a transfer of data of an Organization that is there',
      from: () => settled,
      prepare: (cluster) => transferTo(`${elsewhere}/${uidOf(cluster)}`)(cluster),
    },
    { what: 'a transfer to the name alone', from: left, prepare: transferTo(elsewhere) },
    {
      what: 'a transfer to another namespace of that name',
      from: left,
      prepare: transferTo(`${elsewhere}/00000000-0000-0000-0000-000000000000`),
    },
    {
      what: 'a record of its end that was written by somebody else',
      from: left,
      prepare: (cluster) =>
        annotate(cluster, runtime, { 'holdfast.dev/retained-namespace-uid': uidOf(cluster) }),
    },
    {
      what: 'an owner record that was written by somebody else',
      from: left,
      prepare: (cluster) => annotate(cluster, runtime, { 'holdfast.dev/owner-namespace': elsewhere }),
    },
    {
      what: 'a namespace that is being deleted',
      from: left,
      prepare: async (cluster) => {
        await transferTo(`${elsewhere}/${uidOf(cluster)}`)(cluster)
        await cluster.kube.delete(cluster.get(namespaces, runtime)!)
      },
    },
    {
      what: 'a namespace that somebody else made',
      from: left,
      organizationId: 'e'.repeat(16),
      prepare: (cluster) => newNamespace(cluster, runtimeNamespace('e'.repeat(16))),
    },
  ]
  const uidOf = (cluster: Cluster): string => cluster.get(namespaces, elsewhere)!.metadata.uid!

  /** All that an attempt shows and costs, without what it asked for. */
  async function play({ from, organizationId, prepare }: Attempt) {
    const cluster = from().fork()
    await newNamespace(cluster, elsewhere)
    await prepare?.(cluster)
    const id = organizationId ?? retained.restoreFrom.organizationId
    const line = new Line(cluster, () => null)
    const operator = new OperatorProcess(cluster, line)
    operator.start()
    await cluster.clock.advance(1_000)
    const before = untouched(cluster)
    const startMs = cluster.clock.monotonicMs()
    await createIn(cluster, elsewhere, 'thief', { restoreFrom: { organizationId: id } })
    await cluster.clock.advance(5_000)
    const took = cluster.clock.monotonicMs() - startMs
    expect(untouched(cluster)).toEqual(before)
    await operator.end()
    const { metadata, ...thief } = cluster.get(organizations, 'thief', elsewhere)!
    const mask = (text: string) =>
      text.replaceAll(id, '<id>').replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    const asked = line.calls
      .map(({ verb, what }) => `${verb} ${what}`)
      .filter((call) => call.includes(elsewhere) || call.includes(id))
    return {
      took,
      status: mask(JSON.stringify(thief['status'])),
      finalizers: metadata.finalizers,
      // What else is done in a namespace that is there is the business of whom it belongs to.
      asked: asked.map(mask).filter((call) => /^get namespaces|thief|beta-team/.test(call)),
    }
  }

  const untouched = (cluster: Cluster): readonly KubeObject[] =>
    [...cluster.kube.world.objects.values()].filter(({ metadata }) => metadata.namespace !== elsewhere)

  test('in the same words, by the same requests, and nothing is touched', async () => {
    const [first, ...others] = await Promise.all(
      attempts.map(async (attempt) => ({ what: attempt.what, ...(await play(attempt)) })),
    )
    expect(first!.status).toContain('RestoreRefused')
    expect(first!.status).not.toContain('<id>')
    expect(first!.asked).toEqual([
      'status organizations beta-team/thief',
      'metadata organizations beta-team/thief',
      'get namespaces /<id>'.replace('/<id>', '/holdfast-<id>'),
      'get namespaces /beta-team',
      'status organizations beta-team/thief',
    ])
    for (const { what, ...other } of others) {
      const { what: _first, ...same } = first!
      // The word of the platform was given here, so that who lives is asked for too: that tells nobody else anything.
      expect({ what, ...other }).toEqual({ what, ...same })
    }
  })

  test('also the same namespace made anew under its name', async () => {
    const cluster = retained.cluster.fork()
    await cluster.kube.delete(cluster.get(namespaces, team)!)
    await cluster.tick()
    await newNamespace(cluster, team)
    await withOperator(cluster, () =>
      createObject(cluster, 'Organization', 'acme', { restoreFrom: retained.restoreFrom }),
    )
    expect(said(cluster, organizations, 'acme').reason).toBe('RestoreRefused')
  })

  test('until the platform transfers it, which it does once', async () => {
    const cluster = retained.cluster.fork()
    await newNamespace(cluster, elsewhere)
    await withOperator(cluster, async () => {
      await createIn(cluster, elsewhere, 'heir', { restoreFrom: retained.restoreFrom })
      await cluster.clock.advance(3_000)
      expect(said(cluster, organizations, 'heir', elsewhere).reason).toBe('RestoreRefused')
      await transferTo(`${elsewhere}/${uidOf(cluster)}`)(cluster)
    })
    expect(said(cluster, organizations, 'heir', elsewhere).status).toBe('True')
    expect(dataKeyOf(cluster)).toEqual(dataKeyOf(settled))
    const { annotations } = cluster.get(namespaces, runtime)!.metadata
    expect(annotations).not.toHaveProperty(['holdfast.dev/transfer-to'])
    expect(annotations).not.toHaveProperty(['holdfast.dev/retained-since'])
    expect(annotations).toMatchObject({ 'holdfast.dev/owner-namespace': elsewhere })
    // What it was taken from does not get it back by itself.
    await withOperator(cluster, async () => {
      await removeObject(cluster, organizations, 'heir', elsewhere)
      await createObject(cluster, 'Organization', 'acme', { restoreFrom: retained.restoreFrom })
    })
    expect(cluster.get(organizations, 'heir', elsewhere)).toBeUndefined()
    expect(said(cluster, organizations, 'acme').reason).toBe('RestoreRefused')
  })

  test('also what was let go without an operator, by the word of the platform alone', async () => {
    const cluster = settled.fork()
    const live = cluster.get(organizations, 'acme', team)!
    await cluster.kube.patchMetadata(live, { finalizers: [] })
    await removeObject(cluster, organizations, 'acme', team)
    await newNamespace(cluster, elsewhere)
    const spec = { restoreFrom: retained.restoreFrom }
    await withOperator(cluster, async () => {
      await createObject(cluster, 'Organization', 'acme', spec)
      await createIn(cluster, elsewhere, 'heir', spec)
    })
    expect(said(cluster, organizations, 'acme').reason).toBe('RestoreRefused')
    expect(said(cluster, organizations, 'heir', elsewhere).reason).toBe('RestoreRefused')
    await withOperator(cluster, () => transferTo(`${elsewhere}/${uidOf(cluster)}`)(cluster))
    expect(said(cluster, organizations, 'heir', elsewhere).status).toBe('True')
    expect(said(cluster, organizations, 'acme').reason).toBe('RestoreRefused')
  })
})

describe('two that name one id', () => {
  test.each([
    ['at once', 0],
    ['one after the other', 10_000],
  ])('%s: one has it, the other is refused and in nobody’s way', async (_how, apartMs) => {
    const cluster = retained.cluster.fork()
    const spec = { restoreFrom: retained.restoreFrom }
    await withOperator(cluster, async () => {
      await createObject(cluster, 'Organization', 'one', spec)
      await cluster.clock.advance(apartMs)
      await createObject(cluster, 'Organization', 'two', spec)
    })
    await expectOneOwner(cluster)
  })

  test('also where the operator ends after any of its writes', async () => {
    for (let at = 0; ; at += 1) {
      const cluster = retained.cluster.fork()
      let seen = -1
      const line = new Line(cluster, (call) => (call.isWrite && (seen += 1) === at ? 'crash' : null))
      const first = new OperatorProcess(cluster, line)
      first.start()
      const spec = { restoreFrom: retained.restoreFrom }
      await createObject(cluster, 'Organization', 'one', spec)
      await createObject(cluster, 'Organization', 'two', spec)
      for (let second = 0; second < 30 && !line.isDead; second += 1) {
        await cluster.tick()
        await cluster.clock.advance(1_000)
      }
      const hasCrashed = line.isDead
      await first.end()
      if (!hasCrashed) {
        expect(at).toBeGreaterThan(15)
        return
      }
      await withOperator(cluster, async () => undefined)
      await expectOneOwner(cluster)
    }
  })

  async function expectOneOwner(cluster: Cluster): Promise<void> {
    const reasons = ['one', 'two'].map((name) => said(cluster, organizations, name).reason)
    expect(reasons.toSorted()).toEqual(['Ready', 'RestoreRefused'])
    const [owner, other] = reasons[0] === 'Ready' ? ['one', 'two'] : ['two', 'one']
    expect(statusOf(cluster, owner)).toMatchObject(retained.restoreFrom)
    expect(statusOf(cluster, other)).not.toHaveProperty('organizationId')
    expect(statusOf(cluster, other)).not.toHaveProperty('runtimeNamespace')
    const before = cluster.get(namespaces, runtime)
    // What goes of the one that has nothing is none of the other's.
    await withOperator(cluster, async () => {
      await editObject(cluster, organizations, other, { deletionPolicy: 'Delete' })
      await removeObject(cluster, organizations, other, team)
      await cluster.clock.advance(3_000)
      await cluster.kube.delete(cluster.get(pods, 'storage-node-0', runtime)!)
    })
    expect(cluster.get(organizations, other, team)).toBeUndefined()
    expect(cluster.get(namespaces, runtime)).toEqual(before)
    expect(cluster.get(pods, 'storage-node-0', runtime)).toBeDefined()
    expect(said(cluster, organizations, owner).status).toBe('True')
  }
})
