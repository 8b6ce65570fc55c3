import { canonicalJson } from '../../../common/state-document.ts'
import { runtimeNamespace } from '../../../common/ids.ts'
import type { KubeObject } from '../../../operator/kube/object.ts'
import { pathOf, resources, type Resource } from '../../../operator/kube/resource.ts'
import { condition, statusOf, type OperatorBench } from '../operator-bench.ts'
import { eventually } from '../operator-harness.ts'
import { goodSpecs } from './good-specs.ts'
import type { KindName } from './schema-fields.ts'

export const resourceOfKind: Readonly<Record<KindName, Resource>> = {
  Organization: resources.organizations,
  Database: resources.databases,
  Token: resources.tokens,
}
/** The object of each kind that edits are tried on. */
export const victimOf: Readonly<Record<KindName, string>> = {
  Organization: 'acme',
  Database: 'metrics',
  Token: 'writer',
}
/** The members beside it, which no edit of another object takes anything from. */
const bystanders = [
  ['Database', 'other'],
  ['Token', 'reader'],
] as const

const apiVersion = 'holdfast.dev/v1alpha1'
const readyLimitMs = 60_000

export const objectOf = (kind: KindName, namespace: string, name: string, spec: unknown): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace },
  ...(spec !== undefined && { spec }),
})

/** A tenant that edits are tried on, one at a time. */
export class Lane {
  readonly bench: OperatorBench
  readonly namespace: string
  organizationId = ''
  /** What the tenant comes to while all of its specs are well. */
  well = ''
  readonly #known = new Map<KindName, KubeObject>()

  private constructor(bench: OperatorBench, namespace: string) {
    this.bench = bench
    this.namespace = namespace
  }

  static async open(bench: OperatorBench): Promise<Lane> {
    const lane = new Lane(bench, await bench.newNamespace())
    const { namespace } = lane
    const database = { organization: 'acme', databaseName: 'other' }
    const reader = { organization: 'acme', permissions: [{ database: 'other', access: ['read'] }] }
    await bench.apply(objectOf('Organization', namespace, 'acme', goodSpecs.Organization))
    await bench.apply(objectOf('Database', namespace, 'other', database))
    await bench.apply(objectOf('Token', namespace, 'reader', reader))
    await bench.apply(objectOf('Database', namespace, 'metrics', goodSpecs.Database))
    await bench.apply(objectOf('Token', namespace, 'writer', goodSpecs.Token))
    await bench.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'foreign', namespace },
      stringData: { token: 'of somebody else' },
    })
    await lane.becomesWell()
    const found = await lane.get('Organization', 'acme')
    lane.organizationId = statusOf(found).organizationId ?? ''
    await eventually(`the volume of ${namespace} is bound`, readyLimitMs, () => lane.hasVolume())
    lane.well = await lane.state()
    return lane
  }

  get(kind: KindName, name: string): Promise<KubeObject | null> {
    return this.bench.get(resourceOfKind[kind], this.namespace, name)
  }

  /** As it was when it was looked at last. */
  async known(kind: KindName, name: string): Promise<KubeObject> {
    const object = this.#known.get(kind) ?? (await this.get(kind, name))
    if (!object) throw new Error(`there is no ${kind} ${name}`)
    this.#known.set(kind, object)
    return object
  }

  forget(kind: KindName): void {
    this.#known.delete(kind)
  }

  /** All five are ready by their newest specs, and nothing is on its way. */
  async becomesWell(): Promise<void> {
    const all = [...bystanders, ...(Object.entries(victimOf) as [KindName, string][])]
    for (const [kind, name] of all) {
      await eventually(`${kind} ${this.namespace}/${name} is well`, readyLimitMs, async () => {
        const object = await this.get(kind, name)
        const trouble = unsettled(object)
        if (trouble !== null) throw new Error(trouble)
        return true
      })
    }
  }

  /** An organization that serves does not wait for its claim to say so. */
  async hasVolume(): Promise<boolean> {
    const namespace = runtimeNamespace(this.organizationId)
    const { body } = await this.bench.server.send(
      'GET',
      pathOf(resources.persistentVolumeClaims, { namespace }),
    )
    const claims = body['items'] as readonly KubeObject[]
    return (
      claims.length > 0 && claims.every(({ spec }) => Boolean((spec as { volumeName?: string }).volumeName))
    )
  }

  /** The node's document, undefined while none runs. */
  get document() {
    return this.bench.nodes.of(this.organizationId)?.document ?? undefined
  }

  /** What the bystanders miss, null for nothing. */
  async robbed(): Promise<string | null> {
    for (const [kind, name] of bystanders) {
      const ready = condition(await this.get(kind, name), 'Ready')
      if (ready?.status !== 'True') return `${kind} ${name}: ${ready?.reason} ${ready?.message}`
    }
    const { document } = this
    if (!document) return 'no node serves'
    const reader = statusOf(await this.get('Token', 'reader')).tokens?.[0]?.hash
    if (!document.databases.some(({ name }) => name === 'other')) return 'the node has lost Database other'
    if (!document.tokens.some(({ hash }) => hash === reader)) return 'the node has lost Token reader'
    return null
  }

  /** Everything that exists for the tenant, without what differs by nature; of token strings only that there is one. */
  async state(): Promise<string> {
    const namespace = runtimeNamespace(this.organizationId)
    const kinds = [
      resources.resourceQuotas,
      resources.limitRanges,
      resources.networkPolicies,
      resources.serviceAccounts,
      resources.roleBindings,
      resources.statefulSets,
      resources.persistentVolumeClaims,
    ]
    const lists = await Promise.all(
      kinds.map(async (kind) => {
        const { body } = await this.bench.server.send('GET', pathOf(kind, { namespace }))
        const items = body['items'] as readonly KubeObject[]
        return items.map(({ metadata, ...object }) => [
          kind.kind,
          metadata.name,
          metadata.labels,
          object['spec'],
        ])
      }),
    )
    const { document } = this
    const tokens = document?.tokens.map(({ permissions, expiresAt }) =>
      canonicalJson([permissions, expiresAt]),
    )
    return canonicalJson([lists.flat(), { ...document, tokens: tokens?.toSorted() }])
  }
}

/** What keeps an object from being ready and at rest by its newest spec, null for nothing. */
export function unsettled(object: KubeObject | null): string | null {
  const { generation } = object?.metadata ?? {}
  const isSeen = statusOf(object).observedGeneration === generation
  const stands = (type: string) => condition(object, type)?.status
  const isWell =
    stands('Ready') === 'True' && stands('Reconciling') === 'False' && stands('Stalled') === 'False'
  return isSeen && isWell ? null : JSON.stringify(object?.['status'] ?? 'no status')
}
