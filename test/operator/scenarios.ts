import { idOfUid } from '../../common/ids.ts'
import { resources } from '../../operator/kube/resource.ts'
import { annotationKeys } from '../../operator/naming/labels.ts'
import { rolloutLimitMs } from '../../operator/status/upgrade.ts'
import { platform } from '../support/tenant-world.ts'
import { Cluster } from './cluster.ts'
import { Line } from './faulty-client.ts'
import { annotateObject, createObject, editObject, removeObject, team } from './objects.ts'
import { OperatorProcess } from './operator-process.ts'

/** What a user does, from a cluster that has come to rest. */
export interface Scenario {
  readonly name: (typeof scenarioNames)[number]
  readonly from: Cluster
  readonly act: (cluster: Cluster) => Promise<void>
  /** How long an operator does nothing on the way, and again after each new start: none by default. */
  readonly waitsMs?: number
}

const twoHoursMs = 7_200_000

const specs = {
  Organization: (deletionPolicy: string, more: object) => ({ deletionPolicy, ...more }),
  Database: () => ({ organization: 'acme', retention: '720h', deletionPolicy: 'Delete' }),
  Token: () => ({ organization: 'acme', permissions: [{ database: 'metrics', access: ['read', 'write'] }] }),
}

async function createAll(cluster: Cluster, deletionPolicy: string, more: object = {}): Promise<void> {
  await createObject(cluster, 'Token', 'writer', specs.Token())
  await createObject(cluster, 'Database', 'metrics', specs.Database())
  await createObject(cluster, 'Organization', 'acme', specs.Organization(deletionPolicy, more))
}

async function empty(): Promise<Cluster> {
  const cluster = Cluster.create()
  await cluster.kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: team } })
  return cluster
}

/** A tenant that has been ready for two hours, and no operator. */
export async function settledTenant(deletionPolicy: 'Retain' | 'Delete'): Promise<Cluster> {
  const cluster = await empty()
  await withOperator(cluster, () => createAll(cluster, deletionPolicy))
  cluster.clock.jump(twoHoursMs)
  return cluster
}

/** What a deleted tenant has left: none of its objects, and its data. */
export interface Retained {
  readonly cluster: Cluster
  /** What takes the data over. */
  readonly restoreFrom: { readonly organizationId: string }
}

/** A tenant that has been deleted with its data retained, Database and Token with it, and no operator. */
export async function retainedTenant(settled?: Cluster): Promise<Retained> {
  const cluster = settled?.fork() ?? (await settledTenant('Retain'))
  const { metadata } = cluster.get(resources.organizations, 'acme', team)!
  await withOperator(cluster, () => removeAll(cluster))
  return { cluster, restoreFrom: { organizationId: idOfUid(metadata.uid!) } }
}

async function removeAll(cluster: Cluster): Promise<void> {
  await removeObject(cluster, resources.organizations, 'acme', team)
  await removeObject(cluster, resources.databases, 'metrics', team)
  await removeObject(cluster, resources.tokens, 'writer', team)
}

/** The same, restored by new objects of the same names. */
export async function restoredTenant(
  { cluster: retained, restoreFrom }: Retained,
  deletionPolicy: 'Retain' | 'Delete',
): Promise<Cluster> {
  const cluster = retained.fork()
  await withOperator(cluster, () => createAll(cluster, deletionPolicy, { restoreFrom }))
  return cluster
}

/** The same, asleep, with an operator that has just ended. */
export async function hibernatedTenant(): Promise<Cluster> {
  const cluster = await settledTenant('Retain')
  await withOperator(cluster, () =>
    editObject(cluster, resources.organizations, 'acme', { hibernation: 'Now' }),
  )
  return cluster
}

/** The same, whose Organization somebody has torn out, without its finalizer, and its Token deleted, while no operator ran. */
export async function orphanedTenant(settled: Cluster): Promise<Cluster> {
  const cluster = settled.fork()
  const live = cluster.get(resources.organizations, 'acme', team)!
  await cluster.kube.delete(await cluster.kube.patchMetadata(live, { finalizers: [] }))
  await removeObject(cluster, resources.tokens, 'writer', team)
  return cluster
}

/** The same, which is to hibernate when it is idle and is in use, with an operator that has just ended. */
export async function usedTenant(): Promise<Cluster> {
  const cluster = await settledTenant('Retain')
  await withOperator(cluster, () =>
    editObject(cluster, resources.organizations, 'acme', { hibernation: 'WhenIdle', idleAfter: '30m' }),
  )
  return cluster
}

/** The same, asleep since nobody was served. */
export async function idleTenant(used: Cluster): Promise<Cluster> {
  const cluster = used.fork()
  await withOperator(cluster, async () => beIdle(cluster))
  return cluster
}

/** Nobody has been served for an hour. */
export function beIdle(cluster: Cluster): void {
  cluster.nodes.idleMs = 3_600_000
}

/** The same, whose last pod has gone after an operator that had not said so before it ended. */
export async function stoppedTenant(): Promise<Cluster> {
  const cluster = await settledTenant('Retain')
  const operator = new OperatorProcess(cluster, new Line(cluster, () => null))
  operator.start()
  await editObject(cluster, resources.organizations, 'acme', { hibernation: 'Now' })
  await cluster.clock.advance(1_000)
  await operator.end()
  while (cluster.all(resources.pods).length > 0) await cluster.tick()
  return cluster
}

/** The same, with an operator that has ended while it replaced the StatefulSet of a volume that has grown. */
export async function tenantWithoutSet(): Promise<Cluster> {
  const cluster = await settledTenant('Retain')
  const operator = new OperatorProcess(cluster, new Line(cluster, () => null))
  operator.start()
  await editObject(cluster, resources.organizations, 'acme', { storage: { size: '20Gi', replicas: 1 } })
  while (cluster.all(resources.statefulSets).length > 0) {
    await cluster.clock.advance(1_000)
    await cluster.tick()
  }
  await operator.end()
  return cluster
}

/** What becomes of a cluster in half a minute with an operator. */
export async function withOperator(cluster: Cluster, act: () => Promise<unknown>): Promise<void> {
  const operator = new OperatorProcess(cluster, new Line(cluster, () => null))
  operator.start()
  await act()
  for (let second = 0; second < 30; second += 1) {
    await cluster.tick()
    await cluster.clock.advance(1_000)
  }
  await operator.end()
}

/** A tenant whose new version cannot be pulled, half a minute after it was asked for, and no operator. */
async function stuckTenant(settled: Cluster): Promise<Cluster> {
  const cluster = settled.fork()
  cluster.brokenImages.add(platform.storageNode.images['0.2.0']!)
  await withOperator(cluster, () =>
    editObject(cluster, resources.organizations, 'acme', { version: '0.2.0' }),
  )
  return cluster
}

/** The same shortly before its time is over. */
function lateTenant(stuck: Cluster): Cluster {
  const cluster = stuck.fork()
  cluster.clock.jump(rolloutLimitMs(platform) - 35_000)
  return cluster
}

/** Somebody with a valid token waits for an answer. */
export function askFor(cluster: Cluster): void {
  cluster.wantedBy = 'abcdefabcdefabcd'
}

export async function revokeAndWake(cluster: Cluster): Promise<void> {
  await removeObject(cluster, resources.tokens, 'writer', team)
  await editObject(cluster, resources.organizations, 'acme', { hibernation: 'Never' })
}

/** The same where there is place for one organization, and another one waits for it. */
async function fullTenant(settled: Cluster): Promise<Cluster> {
  const cluster = settled.fork()
  cluster.platform = { ...platform, tenantLimits: { ...platform.tenantLimits, organizations: 1 } }
  await withOperator(cluster, () => createObject(cluster, 'Organization', 'next', {}))
  return cluster
}

export const scenarioNames = [
  'create',
  'limits of the organization',
  'retention of the database',
  'new string for a deleted Secret',
  'rotate a token',
  'data key rotation',
  'certificate renewal',
  'upgrade',
  'upgrade that is taken back',
  'another version beside a stuck pod',
  'back beside a stuck pod',
  'delete beside a stuck pod',
  'delete token',
  'delete database',
  'grow the volume',
  'hibernate',
  'hibernate when idle',
  'revoke while it is idle, and ask for it',
  'revoke while it hibernates, and wake',
  'revoke and wake before it is said to sleep',
  'delete while it grows',
  'delete while it hibernates',
  'revoke what a torn out organization has left',
  'delete organization, Retain',
  'delete organization, Delete',
  'restore',
  'restore what is only now deleted',
  'delete what was restored, Delete',
  'take the place of another',
] as const

export async function scenarios(): Promise<readonly Scenario[]> {
  const [fresh, settled, mortal, asleep, stopped, between, used] = await Promise.all([
    empty(),
    settledTenant('Retain'),
    settledTenant('Delete'),
    hibernatedTenant(),
    stoppedTenant(),
    tenantWithoutSet(),
    usedTenant(),
  ])
  const idle = await idleTenant(used)
  const stuck = await stuckTenant(settled)
  const retained = await retainedTenant(settled)
  const { restoreFrom } = retained
  const awaited = settled.fork()
  await withOperator(awaited, () => createObject(awaited, 'Organization', 'again', { restoreFrom }))
  // Before there is an operator: one that has not heard of it might say first that all sleep.
  await revokeAndWake(stopped)
  const { organizations, databases, tokens, secrets } = resources
  const version = (name: string) => (cluster: Cluster) =>
    editObject(cluster, organizations, 'acme', { version: name })
  return [
    { name: 'create', from: fresh, act: (cluster) => createAll(cluster, 'Retain') },
    {
      name: 'limits of the organization',
      from: settled,
      act: (cluster) => editObject(cluster, organizations, 'acme', { limits: { series: 5_000 } }),
    },
    {
      name: 'retention of the database',
      from: settled,
      act: (cluster) => editObject(cluster, databases, 'metrics', { retention: '48h' }),
    },
    {
      name: 'new string for a deleted Secret',
      from: settled,
      act: (cluster) => removeObject(cluster, secrets, 'writer', team),
    },
    {
      name: 'rotate a token',
      from: settled,
      act: (cluster) =>
        annotateObject(cluster, tokens, 'writer', {
          [annotationKeys.rotate]: new Date(cluster.clock.nowMs()).toISOString(),
        }),
    },
    {
      name: 'data key rotation',
      from: settled,
      act: (cluster) => editObject(cluster, organizations, 'acme', { encryption: { rotateEvery: '1h' } }),
    },
    {
      name: 'certificate renewal',
      from: settled,
      act: async ({ authority }) => {
        // Due, and a second authority is to be trusted.
        authority.lifeMs = 1.5 * twoHoursMs
        authority.trustedPem = 'authority and the next one'
      },
    },
    { name: 'upgrade', from: settled, act: version('0.2.0') },
    {
      name: 'upgrade that is taken back',
      from: lateTenant(stuck),
      act: async () => undefined,
      waitsMs: 30_000,
    },
    { name: 'another version beside a stuck pod', from: stuck, act: version('0.3.0') },
    { name: 'back beside a stuck pod', from: stuck, act: version('0.1.0') },
    {
      name: 'delete beside a stuck pod',
      from: stuck,
      act: (cluster) => removeObject(cluster, organizations, 'acme', team),
    },
    { name: 'delete token', from: settled, act: (cluster) => removeObject(cluster, tokens, 'writer', team) },
    {
      name: 'delete database',
      from: settled,
      act: (cluster) => removeObject(cluster, databases, 'metrics', team),
    },
    {
      name: 'grow the volume',
      from: settled,
      act: (cluster) =>
        editObject(cluster, organizations, 'acme', { storage: { size: '20Gi', replicas: 1 } }),
    },
    {
      name: 'hibernate',
      from: settled,
      act: (cluster) => editObject(cluster, organizations, 'acme', { hibernation: 'Now' }),
    },
    { name: 'hibernate when idle', from: used, act: async (cluster) => beIdle(cluster) },
    {
      name: 'revoke while it is idle, and ask for it',
      from: idle,
      act: async (cluster) => {
        await removeObject(cluster, tokens, 'writer', team)
        askFor(cluster)
      },
    },
    { name: 'revoke while it hibernates, and wake', from: asleep, act: revokeAndWake },
    { name: 'revoke and wake before it is said to sleep', from: stopped, act: async () => undefined },
    {
      name: 'delete while it grows',
      from: between,
      act: (cluster) => removeObject(cluster, organizations, 'acme', team),
    },
    {
      name: 'delete while it hibernates',
      from: asleep,
      act: (cluster) => removeObject(cluster, organizations, 'acme', team),
    },
    {
      name: 'revoke what a torn out organization has left',
      from: await orphanedTenant(settled),
      act: async () => undefined,
    },
    {
      name: 'delete organization, Retain',
      from: settled,
      act: (cluster) => removeObject(cluster, organizations, 'acme', team),
    },
    {
      name: 'delete organization, Delete',
      from: mortal,
      act: (cluster) => removeObject(cluster, organizations, 'acme', team),
    },
    {
      name: 'restore',
      from: retained.cluster,
      act: (cluster) => createAll(cluster, 'Retain', { restoreFrom }),
    },
    {
      name: 'restore what is only now deleted',
      from: awaited,
      act: (cluster) => removeObject(cluster, organizations, 'acme', team),
    },
    {
      name: 'delete what was restored, Delete',
      from: await restoredTenant(retained, 'Delete'),
      act: (cluster) => removeObject(cluster, organizations, 'acme', team),
    },
    {
      name: 'take the place of another',
      from: await fullTenant(mortal),
      act: (cluster) => removeObject(cluster, organizations, 'acme', team),
    },
  ]
}
