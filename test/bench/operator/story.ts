import { setTimeout as sleep } from 'node:timers/promises'
import { idOfUid, runtimeNamespace } from '../../../common/ids.ts'
import type { KubeObject } from '../../../operator/kube/object.ts'
import { pathOf, resources } from '../../../operator/kube/resource.ts'
import type { ApiServer } from '../../integration/api-server.ts'
import type { OperatorHarness } from '../../integration/operator-harness.ts'
import { countRequests, type AuditLog, type AuditedRequest, type RequestCounts } from './audit.ts'
import type { Observer } from './observer.ts'
import type { PodsPlayer } from './pods-player.ts'
import { vitalsOf, type Vitals } from './vitals.ts'

/** How many organizations, and what each of them has. */
export interface Size {
  readonly organizations: number
  readonly databases: number
  readonly tokens: number
}

/** All that a story needs of the world. */
export interface Stage {
  readonly server: ApiServer
  readonly operator: OperatorHarness
  readonly audit: AuditLog
  readonly pods: PodsPlayer
  readonly observer: Observer
  readonly size: Size
  readonly say: (line: string) => void
}

/** An organization with its members, as they were sent in. */
interface Tenant {
  readonly namespace: string
  readonly name: string
  readonly runtime: string
  readonly sentMs: number
  /** Of the organization, then of its databases and tokens. */
  readonly uids: readonly string[]
}

export interface Created {
  readonly tenants: readonly Tenant[]
  readonly sentInMs: number
  /** Of each, from when its Organization was sent. */
  readonly childMs: readonly number[]
  /** From the first that was sent until every StatefulSet was there. */
  readonly allChildrenMs: number
  /** null where nothing more was waited for. */
  readonly ready: Ready | null
  readonly vitals: Vitals
}

/** What came after the StatefulSets. */
export interface Ready {
  /** Of each organization, from when it was sent. */
  readonly organizationMs: readonly number[]
  /** Until its Databases and Tokens were Ready, too. */
  readonly wholeMs: readonly number[]
  /** From the first that was sent until all was Ready. */
  readonly allMs: number
  /** From the first that was sent until the operator had nothing to write any more. */
  readonly requests: RequestCounts
}

export const senders = 16
const perNamespace = 10
const quietMs = 5_000
const limitMs = 1_200_000

const apiVersion = 'holdfast.dev/v1alpha1'

/**
 * Creates everything as fast as the API server takes it.
 * @param isWhole whether to wait until all is Ready and the operator has nothing to write any more, or for StatefulSets alone
 */
export async function create(stage: Stage, isWhole: boolean): Promise<Created> {
  const { server, size, observer, operator, say } = stage
  for (let index = 0; index * perNamespace < size.organizations; index += 1)
    await sent(server, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespaceOf(index * perNamespace) },
    })
  await untilQuiet(stage)
  await vitalsOf(operator)
  const startMs = performance.now()
  const tenants: Tenant[] = []
  let next = 0
  const send = async (): Promise<void> => {
    for (let index = next++; index < size.organizations; index = next++)
      tenants.push(await sendTenant(server, index, size))
  }
  await Promise.all(Array.from({ length: senders }, send))
  const sentInMs = performance.now() - startMs
  say(`${size.organizations} organizations sent in ${Math.round(sentInMs)} ms`)
  await until(say, () => [observer.childMs.size, size.organizations, 'StatefulSets'])
  const ready = isWhole ? await untilReady(stage, tenants, startMs) : null
  const childMs = tenants.map(({ runtime }) => observer.childMs.get(runtime) ?? Number.NaN)
  return {
    tenants,
    sentInMs,
    childMs: childMs.map((atMs, index) => atMs - tenants[index]!.sentMs),
    allChildrenMs: Math.max(...childMs) - startMs,
    ready,
    vitals: await vitalsOf(operator),
  }
}

async function untilReady(stage: Stage, tenants: readonly Tenant[], startMs: number): Promise<Ready> {
  const { observer, audit, say } = stage
  const uids = tenants.flatMap((tenant) => tenant.uids)
  await until(say, () => [
    uids.filter((uid) => observer.readyMs.has(uid)).length,
    uids.length,
    'objects Ready',
  ])
  const requests = [...(await untilQuiet(stage))]
  const readyOf = (uid: string) => observer.readyMs.get(uid) ?? Number.NaN
  const wholeOf = (tenant: Tenant) => Math.max(...tenant.uids.map(readyOf))
  return {
    organizationMs: tenants.map((tenant) => readyOf(tenant.uids[0]!) - tenant.sentMs),
    wholeMs: tenants.map((tenant) => wholeOf(tenant) - tenant.sentMs),
    allMs: Math.max(...tenants.map(wholeOf)) - startMs,
    requests: countRequests([...requests, ...(await audit.next())]),
  }
}

async function sendTenant(server: ApiServer, index: number, size: Size): Promise<Tenant> {
  const namespace = namespaceOf(index)
  const name = `org-${index}`
  const member = (kind: string, number: number, spec: object): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name: `${name}-${kind.toLowerCase()}-${number}`, namespace },
    spec: { organization: name, ...spec },
  })
  const numbers = (count: number) => Array.from({ length: count }, (_none, number) => number)
  const sentMs = performance.now()
  const organization = await sent(server, {
    apiVersion,
    kind: 'Organization',
    metadata: { name, namespace },
    spec: { storage: { size: '1Gi' } },
  })
  const uids = [organization]
  for (const number of numbers(size.databases)) uids.push(await sent(server, member('Database', number, {})))
  const permissions = [{ database: '*', access: ['read', 'write'] }]
  for (const number of numbers(size.tokens))
    uids.push(await sent(server, member('Token', number, { permissions })))
  return { namespace, name, runtime: runtimeNamespace(idOfUid(organization)), sentMs, uids }
}

const namespaceOf = (index: number): string => `tenants-${Math.floor(index / perNamespace)}`

/** @returns the uid */
async function sent(server: ApiServer, object: KubeObject): Promise<string> {
  const answer = await server.create(object)
  if (answer.status !== 201) throw new Error(`${object.kind} ${object.metadata.name}: ${answer.body.message}`)
  return (answer.body['metadata'] as { readonly uid: string }).uid
}

/** Waits until the operator has written nothing for some seconds. @returns all that it asked for until then */
export async function untilQuiet({ audit }: Stage): Promise<readonly AuditedRequest[]> {
  const all: AuditedRequest[] = []
  let since = performance.now()
  const startMs = since
  while (performance.now() - since < quietMs) {
    if (performance.now() - startMs > limitMs) throw new Error('the operator goes on writing')
    await sleep(500)
    const more = await audit.next()
    if (countRequests(more).writes > 0) since = performance.now()
    all.push(...more)
  }
  return all
}

async function until(say: Stage['say'], progress: () => readonly [number, number, string]): Promise<void> {
  const startMs = performance.now()
  for (let round = 1; ; round += 1) {
    const [done, all, what] = progress()
    if (done === all) return
    if (performance.now() - startMs > limitMs) throw new Error(`${done} of ${all} ${what}`)
    if (round % 100 === 0) say(`${done} of ${all} ${what}`)
    await sleep(100)
  }
}

/** Changes what an organization's spec says of direct access. @returns until its NetworkPolicy was seen to say so, in ms */
export async function edit({ server, observer }: Stage, tenant: Tenant): Promise<number> {
  const { namespace, name, runtime } = tenant
  edits += 1
  const cidr = `10.${(edits >> 16) & 255}.${(edits >> 8) & 255}.${edits & 255}/32`
  const opened = observer.untilOpened(runtime, cidr)
  const startMs = performance.now()
  const answer = await server.send('PATCH', pathOf(resources.organizations, { namespace, name }), {
    body: { spec: { access: { from: [{ cidr }] } } },
    type: 'application/merge-patch+json',
  })
  if (answer.status !== 200) throw new Error(`${namespace}/${name}: ${answer.body.message}`)
  const late = sleep(120_000, null, { ref: false }).then(() => {
    throw new Error(`${namespace}/${name}: its NetworkPolicy was not changed within two minutes`)
  })
  return (await Promise.race([opened, late])) - startMs
}

/** Makes every edit one with a range of its own. */
let edits = 0
