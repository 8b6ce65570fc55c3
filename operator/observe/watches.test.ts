import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { AppError } from '../../common/errors.ts'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import { silentLogger } from '../../common/log.ts'
import { FakeClock, rest } from '../../test/support/fake-clock.ts'
import { MemoryKube } from '../../test/support/memory-kube.ts'
import type { KubeClient } from '../kube/client.ts'
import type { KubeObject } from '../kube/object.ts'
import { resources } from '../kube/resource.ts'
import { managedLabels } from '../naming/labels.ts'
import { Watches } from './watches.ts'

// What changes in a runtime namespace wakes the tenant that it belongs to, and no other: an Organization that was
// deleted and made again under its name has another one, also when the watch never saw the name without an object.

const organization: KubeObject = {
  apiVersion: 'holdfast.dev/v1alpha1',
  kind: 'Organization',
  metadata: { name: 'acme', namespace: 'team' },
}
const pod = (uid: string, name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: runtimeNamespace(idOfUid(uid)), labels: managedLabels },
})

const watchesOf = (
  client: KubeClient,
  more: { readonly clock?: FakeClock; readonly namespaces?: readonly string[] } = {},
): Watches =>
  new Watches({
    client,
    clock: new FakeClock(),
    log: silentLogger,
    registry: new Registry(),
    namespaces: [],
    ...more,
  })

test('what somebody edited while no operator looked goes before what only has to be compared again', async () => {
  const kube = new MemoryKube()
  const object = (kind: string, name: string, observedGeneration: number): KubeObject => ({
    ...organization,
    kind,
    metadata: { name, namespace: 'team', generation: 2 },
    spec: { organization: `of-${name}` },
    status: { observedGeneration },
  })
  await kube.create(object('Organization', 'settled', 2))
  await kube.create(object('Organization', 'edited', 1))
  await kube.create(object('Token', 'token', 1))
  await kube.create(object('Database', 'database', 2))
  const told: string[] = []
  const watches = watchesOf(kube)
  await watches.start((key, priority) => told.push(`${priority} ${key}`))
  expect(told.toSorted()).toEqual([
    'edit team/edited',
    'edit team/of-token',
    'resync team/of-database',
    'resync team/settled',
  ])
  told.length = 0
  await rest()
  await kube.create(object('Organization', 'new', 0))
  await rest()
  expect(told).toEqual(['edit team/new'])
  await watches.stop()
})

test('what may be a write of our own is compared again, and what cannot be is waited for', async () => {
  const kube = new MemoryKube()
  const owner = await kube.create(organization)
  const made = await kube.create({
    ...pod(owner.metadata.uid!, 'storage-node'),
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
  })
  const told: string[] = []
  const watches = watchesOf(kube)
  await watches.start((key, priority) => told.push(`${priority} ${key}`))
  told.length = 0
  const written = kube.replace({ ...made, spec: { replicas: 1 } })
  watches.caches.statefulSets.observe(await written)
  await rest()
  expect(told).toEqual(['resync team/acme'])
  told.length = 0
  await kube.replace({ ...(await written), spec: { replicas: 2 } })
  await rest()
  expect(told).toEqual(['edit team/acme'])
  await watches.stop()
})

test('a place that is left is offered to the oldest that wait, as routine', async () => {
  const kube = new MemoryKube()
  const made = (name: string, seconds: number, status: object = {}) =>
    kube.create({
      ...organization,
      metadata: { name, namespace: 'team', creationTimestamp: new Date(1_000 * seconds).toISOString() },
      status,
    })
  const first = await made('first', 0, { runtimeNamespace: 'holdfast-0123456789abcdef' })
  await made('served', 1, { runtimeNamespace: 'holdfast-fedcba9876543210' })
  for (let age = 2; age < 30; age += 1) await made(`waits-${age}`, 60 - age)
  const told: string[] = []
  const watches = watchesOf(kube)
  await watches.start((key, priority) => told.push(`${priority} ${key}`))
  await rest()
  told.length = 0
  await kube.delete(first)
  await rest()
  const oldest = [29, 28, 27, 26, 25, 24, 23, 22].map((age) => `resync team/waits-${age}`)
  expect(told).toEqual(['edit team/first', ...oldest])
  await watches.stop()
})

test.each([['by watch'], ['between two lists']])('deleted and made again, seen %s', async (how) => {
  const kube = new MemoryKube()
  const clock = new FakeClock()
  const first = await kube.create(organization)
  const keys: string[] = []
  const watches = watchesOf(kube, { clock })
  await watches.start((key) => keys.push(key))
  await rest()
  if (how === 'between two lists') {
    kube.world.lose = ({ type, object }) => type !== 'BOOKMARK' && object.kind === 'Organization'
  }
  await kube.delete(first)
  const second = await kube.create(organization)
  await rest()
  const untilListed = how === 'between two lists' ? 40 : 0
  for (let minutes = 0; minutes < untilListed; minutes += 1) {
    kube.bookmark(resources.organizations)
    await clock.advance(60_000)
  }
  const known = watches.caches.organizations.get('team', 'acme')
  expect(known?.metadata.uid).toBe(second.metadata.uid)

  keys.length = 0
  await kube.create(pod(first.metadata.uid!, 'of-the-old'))
  await rest()
  expect(keys).toEqual([])
  await kube.create(pod(second.metadata.uid!, 'of-the-new'))
  await rest()
  expect(keys).toEqual(['team/acme'])
  await watches.stop()
})

test('of two that name one id, what runs wakes the one that has it, and its namespace both', async () => {
  const kube = new MemoryKube()
  const organizationId = '0123456789abcdef'
  const made = async (name: string) => {
    const metadata = { name, namespace: 'team' }
    return kube.create({ ...organization, metadata, spec: { restoreFrom: { organizationId } } })
  }
  const [owner, other] = [await made('owner'), await made('other')]
  const keys: string[] = []
  const watches = watchesOf(kube)
  await watches.start((key) => keys.push(key))
  const woken = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
    keys.length = 0
    await act()
    await rest()
    return keys.toSorted()
  }
  const name = runtimeNamespace(organizationId)
  const annotations = { 'holdfast.dev/owner-uid': owner.metadata.uid! }
  const namespace = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: managedLabels, annotations },
  }
  expect(await woken(() => kube.create(namespace))).toEqual(['team/other', 'team/owner'])
  const runs = (podName: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: podName, namespace: name, labels: managedLabels },
  })
  expect(await woken(() => kube.create(runs('one')))).toEqual(['team/owner'])
  await kube.delete(other)
  expect(await woken(() => kube.create(runs('two')))).toContain('team/owner')
  await watches.stop()
})

test.each<readonly [string, readonly string[], Readonly<Record<string, string>>, readonly string[]]>([
  ['is looked for', [], {}, ['resync team/gone']],
  ['is looked for in a namespace on the list', ['team'], {}, ['resync team/gone']],
  ['is none of ours in a namespace that is not on the list', ['other'], {}, []],
  ['is known to be gone where data is retained', [], { 'holdfast.dev/retained-mac': 'mac' }, []],
])('an Organization that went while nobody looked %s', async (_how, namespaces, marks, wanted) => {
  const kube = new MemoryKube()
  const organizationId = '0123456789abcdef'
  await kube.create({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: runtimeNamespace(organizationId),
      labels: managedLabels,
      annotations: {
        'holdfast.dev/owner-namespace': 'team',
        'holdfast.dev/owner-name': 'gone',
        'holdfast.dev/owner-uid': 'uid',
        ...marks,
      },
    },
  })
  // Who waits for its data is not the one that it is of.
  const waits = { ...organization, metadata: { name: 'waits', namespace: 'other' } }
  await kube.create({ ...waits, spec: { restoreFrom: { organizationId } } })
  const told: string[] = []
  const watches = watchesOf(kube, { namespaces })
  await watches.start((key, priority) => told.push(`${priority} ${key}`))
  expect([...new Set(told)].filter((line) => !line.endsWith('other/waits'))).toEqual(wanted)
  await watches.stop()
})

test('a namespace that takes the operator’s rights away holds up nobody else, and is seen once all of it can be read', async () => {
  const kube = new MemoryKube()
  const clock = new FakeClock()
  const made = (kind: string, namespace: string, name: string, spec: object = {}) =>
    kube.create({ ...organization, kind, metadata: { name, namespace }, spec })
  await made('Organization', 'team', 'acme')
  await made('Organization', 'hostile', 'evil')
  await made('Token', 'hostile', 'writer', { organization: 'evil' })
  const refused = new Set(['list tokens', 'list databases'])
  const client: KubeClient = Object.create(kube, {
    with: { value: () => client },
    list: {
      value: (...[resource, options]: Parameters<KubeClient['list']>) => {
        if (options?.namespace === 'hostile' && refused.has(`list ${resource.plural}`))
          throw new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', 'no')
        return kube.list(resource, options)
      },
    },
  })
  const keys: string[] = []
  const watches = watchesOf(client, { clock, namespaces: ['hostile', 'team'] })
  const started = watches.start((key) => keys.push(key))
  await rest()
  expect(keys).toEqual(['team/acme'])
  expect(watches.missing).toEqual([])
  await started
  // Half of it is as nothing: the Organization without its Tokens would have them revoked.
  refused.delete('list databases')
  await clock.advance(120_000)
  expect(keys).toEqual(['team/acme'])
  refused.clear()
  await clock.advance(120_000)
  expect(keys).toEqual(['team/acme', 'hostile/evil'])
  await watches.stop()
})
