import { systemClock } from '../../common/clock.ts'
import type { AnyStateDocument } from '../../common/state-document-formats.ts'
import { resources, pathOf } from '../../operator/kube/resource.ts'
import { dataKeyField, secretNames } from '../../operator/naming/names.ts'
import type { AdminServer } from './admin-server.ts'
import type { ApiServer } from './api-server.ts'

interface Pod {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string }
  readonly spec: object
  readonly status?: { readonly podIP?: string }
}

/** What stands in for a storage node. */
export interface StandInNode {
  listen(host: string, port: number): Promise<unknown>
  close(): Promise<void>
  /** Other certificates, where it takes them up by being told. */
  renew?(pems: Pick<NodeSettings, 'certificatePem' | 'privateKeyPem' | 'authorityPem'>): void
  /** It serves a document. */
  readonly isReady: boolean
  /** The document in force, where it tells. */
  readonly document?: AnyStateDocument | null
}

/** What a storage node finds in its Secrets. */
export interface NodeSettings {
  readonly organizationId: string
  readonly installationId: string
  readonly certificatePem: string
  readonly privateKeyPem: string
  readonly authorityPem: string
  /** The content of the data key file. */
  readonly dataKeys: string
}

const pollMs = 150

/**
 * In the place of scheduler, kubelet and storage node, for tests of the control plane: the pods of the tenants are
 * never scheduled, and as soon as one is there and its Secrets are, an admin port is opened for it on an address of
 * its own and its status says so. It becomes ready as the real one does: once it has a document.
 */
export class StorageNodeStandIn<Node extends StandInNode = AdminServer> {
  readonly #server: ApiServer
  readonly #installationId: string
  readonly #stopping = new AbortController()
  readonly #make: (settings: NodeSettings) => Node
  readonly #nodes = new Map<string, Node>()
  #addresses = 0
  #running: Promise<void> = Promise.resolve()
  /** What went wrong on the way. */
  readonly failures: unknown[] = []
  /** While true, new pods stay as the API server made them. */
  holdBack = false
  /** While true, nodes take up what becomes of their certificates. */
  followsCertificates = false
  /** Pods that have this text anywhere in their spec stay so, too. */
  stuckMark: string | null = null

  constructor(server: ApiServer, installationId: string, make: (settings: NodeSettings) => Node) {
    this.#server = server
    this.#make = make
    this.#installationId = installationId
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    for (const node of this.#nodes.values()) await node.close()
  }

  /** The node of an organization. */
  of(organizationId: string): Node | undefined {
    for (const [key, node] of this.#nodes) {
      if (key.startsWith(`holdfast-${organizationId}/`)) return node
    }
    return undefined
  }

  /** Where the node of an organization listens, undefined while there is none. */
  hostOf(organizationId: string): string | undefined {
    for (const [key, host] of this.#addressOf) {
      if (key.startsWith(`holdfast-${organizationId}/`) && this.#nodes.has(key)) return host
    }
    return undefined
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      // An API server that is away is asked again.
      await this.#round().catch((error: unknown) => this.failures.push(error))
      await systemClock.sleep(pollMs, this.#stopping.signal).catch(() => undefined)
    }
  }

  async #round(): Promise<void> {
    const selector = encodeURIComponent('app.kubernetes.io/component=storage-node')
    const { body } = await this.#server.send('GET', `${pathOf(resources.pods, {})}?labelSelector=${selector}`)
    const pods = (body['items'] as readonly Pod[] | undefined) ?? []
    const keys = new Set(pods.map(keyOf))
    for (const [key, node] of this.#nodes) {
      if (keys.has(key)) continue
      this.#nodes.delete(key)
      await node.close()
    }
    for (const pod of pods) {
      const key = keyOf(pod)
      const node = this.#nodes.get(key)
      if (!node && !this.holdBack && !this.#isStuck(pod)) await this.#open(pod)
      if (node) await this.#report(pod, node)
      if (node && this.followsCertificates) await this.#renew(pod, node)
    }
  }

  readonly #shown = new Map<Node, string>()

  async #renew(pod: Pod, node: Node): Promise<void> {
    const pems = await this.#identityOf(pod)
    const text = JSON.stringify(pems)
    if (!pems || this.#shown.get(node) === text) return
    this.#shown.set(node, text)
    node.renew?.(pems)
  }

  async #identityOf({ metadata: { namespace } }: Pod) {
    const path = pathOf(resources.secrets, { namespace, name: secretNames.storageNodeTls })
    const secret = await this.#server.send('GET', path)
    if (secret.status !== 200) return null
    const data = secret.body['data'] as Readonly<Record<string, string>>
    const pem = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString('utf8')
    return {
      certificatePem: pem('tls.crt'),
      privateKeyPem: pem('tls.key'),
      authorityPem: pem('ca.crt'),
    }
  }

  #isStuck({ spec }: Pod): boolean {
    return this.stuckMark !== null && JSON.stringify(spec).includes(this.stuckMark)
  }

  readonly #ready = new Set<string>()

  async #open(pod: Pod): Promise<void> {
    const pems = await this.#identityOf(pod)
    const dataKeys = await this.#dataKeysOf(pod)
    if (!pems || dataKeys === null) return
    const node = this.#make({
      organizationId: pod.metadata.namespace.slice('holdfast-'.length),
      installationId: this.#installationId,
      ...pems,
      dataKeys,
    })
    this.#addresses += 1
    // Another run of these tests on the same machine has addresses of its own.
    const run = 1 + (process.pid % 254)
    const address = `127.${run}.${10 + Math.floor(this.#addresses / 250)}.${(this.#addresses % 250) + 1}`
    await node.listen(address, 8087)
    this.#nodes.set(keyOf(pod), node)
    this.#addressOf.set(keyOf(pod), address)
    await this.#setStatus(pod, address, false)
  }

  async #dataKeysOf({ metadata: { namespace } }: Pod): Promise<string | null> {
    const path = pathOf(resources.secrets, { namespace, name: secretNames.dataKey })
    const { status, body } = await this.#server.send('GET', path)
    if (status !== 200) return null
    const data = body['data'] as Readonly<Record<string, string>>
    return Buffer.from(data[dataKeyField] ?? '', 'base64').toString('utf8')
  }

  readonly #addressOf = new Map<string, string>()

  async #report(pod: Pod, node: Node): Promise<void> {
    const key = keyOf(pod)
    const { isReady } = node
    // A status that was not taken is said again in the next round.
    const isSaid = isReady ? this.#ready.has(key) : pod.status?.podIP !== undefined
    if (isSaid) return
    const isTaken = await this.#setStatus(pod, this.#addressOf.get(key) ?? '', isReady)
    if (isReady && isTaken) this.#ready.add(key)
  }

  /** @returns whether the API server has taken it */
  async #setStatus(pod: Pod, address: string, ready: boolean): Promise<boolean> {
    const status = ready ? 'True' : 'False'
    const since = new Date().toISOString()
    const answer = await this.#server.setStatus(resources.pods, pod.metadata, {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
        type,
        status: type === 'PodScheduled' || type === 'Initialized' ? 'True' : status,
        lastTransitionTime: since,
      })),
      containerStatuses: [
        {
          name: 'storage-node',
          image: 'stand-in',
          imageID: '',
          restartCount: 0,
          ready,
          state: { running: { startedAt: since } },
        },
      ],
    })
    return answer.status === 200
  }
}

const keyOf = ({ metadata }: Pod): string => `${metadata.namespace}/${metadata.name}/${metadata.uid}`
