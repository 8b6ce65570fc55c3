import { systemClock } from '../../common/clock.ts'
import { idOfUid, runtimeNamespace } from '../../common/ids.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { pathOf, resources, type Resource } from '../../operator/kube/resource.ts'
import { AdminServer } from './admin-server.ts'
import { ApiServer } from './api-server.ts'
import { eventually, OperatorHarness, read, type OperatorOptions } from './operator-harness.ts'
import { StorageNodeStandIn, type NodeSettings, type StandInNode } from './storage-node-stand-in.ts'

const apiVersion = 'holdfast.dev/v1alpha1'

export interface Status {
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
  readonly isolationProof?: { readonly request: string; readonly paths: readonly object[] }
}

export const organization = (namespace: string, spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion,
  kind: 'Organization',
  metadata: { name: 'acme', namespace, ...metadata },
  spec: { storage: { size: '1Gi' }, ...spec },
})
export const database = (namespace: string, spec: object = {}, name = 'metrics'): KubeObject => ({
  apiVersion,
  kind: 'Database',
  metadata: { name, namespace },
  spec: { organization: 'acme', ...spec },
})
export const token = (namespace: string, spec: object = {}, name = 'writer'): KubeObject => ({
  apiVersion,
  kind: 'Token',
  metadata: { name, namespace },
  spec: {
    organization: 'acme',
    permissions: [{ database: '*', access: ['read', 'write'] }],
    ...spec,
  },
})

export const statusOf = (object: KubeObject | null): Status => object?.['status'] ?? {}
export const condition = (object: KubeObject | null, type: string) =>
  statusOf(object).conditions?.find((found) => found.type === type)
const isReady = (object: KubeObject | null): boolean =>
  condition(object, 'Ready')?.status === 'True' &&
  statusOf(object).observedGeneration === object?.metadata.generation

/** An operator, stand-ins for its storage nodes, and what users do with both. */
export class OperatorBench<Node extends StandInNode = AdminServer> {
  readonly server: ApiServer
  readonly operator: OperatorHarness
  readonly nodes: StorageNodeStandIn<Node>
  /** Deleted at the end. */
  readonly namespaces: string[] = []
  #counter = 0

  private constructor(server: ApiServer, operator: OperatorHarness, make: (settings: NodeSettings) => Node) {
    this.server = server
    this.operator = operator
    this.nodes = new StorageNodeStandIn(server, operator.installationId, make)
  }

  static open(kubeconfig: string, options: OperatorOptions = {}): Promise<OperatorBench> {
    return OperatorBench.openWith(kubeconfig, (settings) => new AdminServer(settings), options)
  }

  /** @param make what stands in for storage nodes */
  static async openWith<Node extends StandInNode>(
    kubeconfig: string,
    make: (settings: NodeSettings) => Node,
    options: OperatorOptions = {},
  ): Promise<OperatorBench<Node>> {
    const server = await ApiServer.open(kubeconfig)
    const operator = await OperatorHarness.open(server, kubeconfig, options)
    const bench = new OperatorBench(server, operator, make)
    await bench.operator.start()
    bench.nodes.start()
    return bench
  }

  async close(): Promise<void> {
    // What waits for an operator, before its namespaces, which would get to it some seconds later.
    const kinds = [resources.tokens, resources.databases, resources.organizations]
    for (const namespace of this.namespaces)
      for (const kind of kinds) await this.server.send('DELETE', pathOf(kind, { namespace }))
    await eventually('nothing is left that waits for an operator', 120_000, async () => {
      const lists = await Promise.all(kinds.map((kind) => this.server.send('GET', pathOf(kind, {}))))
      const left = lists.flatMap(({ body }) => body['items'] as readonly KubeObject[])
      return left.every(({ metadata }) => !this.namespaces.includes(metadata.namespace ?? ''))
    })
    for (const name of this.namespaces)
      await this.server.send('DELETE', pathOf(resources.namespaces, { name }))
    await this.operator.close()
    await this.nodes.stop()
    await this.server.close()
  }

  /** One object as it is, null if there is none. */
  get(resource: Resource, namespace: string | undefined, name: string): Promise<KubeObject | null> {
    return read(this.server, resource, namespace, name)
  }

  async newNamespace(): Promise<string> {
    this.#counter += 1
    const name = `tenant-${process.pid}-${this.#counter}`
    this.namespaces.push(name)
    await this.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    return name
  }

  async apply(object: KubeObject): Promise<KubeObject> {
    const answer = await this.server.apply(object)
    if (answer.status >= 300) throw new Error(`${object.kind}: ${answer.body.message}`)
    return answer.body as unknown as KubeObject
  }

  async remove(resource: Resource, namespace: string, name: string): Promise<void> {
    const answer = await this.server.send('DELETE', pathOf(resource, { namespace, name }))
    if (answer.status >= 300) throw new Error(`${resource.kind} ${name}: ${answer.body.message}`)
  }

  async becomesReady(resource: Resource, namespace: string, name: string, timeoutMs = 40_000) {
    return eventually(`${resource.kind} ${namespace}/${name} is ready`, timeoutMs, async () => {
      const object = await this.get(resource, namespace, name)
      if (!isReady(object)) throw new Error(JSON.stringify(object?.['status']))
      return object!
    })
  }

  async hasReason(resource: Resource, namespace: string, name: string, reason: string, timeoutMs = 40_000) {
    return eventually(`${resource.kind} ${namespace}/${name} says ${reason}`, timeoutMs, async () => {
      const object = await this.get(resource, namespace, name)
      if (condition(object, 'Ready')?.reason !== reason) throw new Error(JSON.stringify(object?.['status']))
      return object!
    })
  }

  async isGone(resource: Resource, namespace: string | undefined, name: string, timeoutMs = 120_000) {
    await eventually(`${resource.kind} ${name} is gone`, timeoutMs, async () => {
      const object = await this.get(resource, namespace, name)
      if (object) throw new Error(JSON.stringify([object.metadata, object['status']]))
      return true
    })
  }

  /** A tenant with one database and one token, ready. */
  async newTenant(spec: object = {}) {
    return this.newTenantIn(await this.newNamespace(), spec)
  }

  async newTenantIn(namespace: string, spec: object = {}) {
    for (const object of [organization(namespace, spec), database(namespace), token(namespace)])
      await this.apply(object)
    const found = await this.becomesReady(resources.organizations, namespace, 'acme')
    await this.becomesReady(resources.databases, namespace, 'metrics')
    await this.becomesReady(resources.tokens, namespace, 'writer')
    const organizationId = idOfUid(found.metadata.uid!)
    return { namespace, organizationId, runtime: runtimeNamespace(organizationId), uid: found.metadata.uid! }
  }

  async tokenString(namespace: string, name = 'writer'): Promise<string> {
    const secret = await this.get(resources.secrets, namespace, name)
    const data = (secret?.['data'] ?? {}) as Readonly<Record<string, string>>
    return Buffer.from(data['token'] ?? '', 'base64').toString('utf8')
  }

  /** Hashes of the tokens that the organization's node accepts. */
  hashesOn(organizationId: string): readonly string[] {
    return (this.nodes.of(organizationId)?.document?.tokens ?? []).map(({ hash }) => hash)
  }

  /** How many writes the operator has made when it has made none for three seconds. */
  async writesAtRest(): Promise<number> {
    return eventually('the operator is at rest', 60_000, async () => {
      const before = await this.operator.writes()
      await systemClock.sleep(3_000)
      return (await this.operator.writes()) === before && before
    })
  }

  /** A change that means nothing, so that the operator looks. */
  async touch(resource: Resource, namespace: string, name: string): Promise<void> {
    await this.server.send('PATCH', pathOf(resource, { namespace, name }), {
      body: { metadata: { annotations: { 'example.com/touched': String(performance.now()) } } },
      type: 'application/merge-patch+json',
    })
    await systemClock.sleep(500)
  }
}
