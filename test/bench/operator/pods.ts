import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { systemClock } from '../../../common/clock.ts'
import { silentLogger } from '../../../common/log.ts'
import { Reflector } from '../../../operator/controller/reflector.ts'
import type { KubeClient } from '../../../operator/kube/client.ts'
import { openKubeClient } from '../../../operator/kube/http-client.ts'
import type { KubeObject } from '../../../operator/kube/object.ts'
import { pathOf, resources } from '../../../operator/kube/resource.ts'
import { secretNames, volumeClaim } from '../../../operator/naming/names.ts'
import { AdminServer } from '../../integration/admin-server.ts'
import { ApiServer } from '../../integration/api-server.ts'
import { run } from '../../../scripts/run.ts'

/** How many storage nodes were asked since this was asked for last, and when the last of them was for the first time. */
export interface Asked {
  readonly nodes: number
  /** Wall clock. */
  readonly lastMs: number
}

interface Played {
  readonly pod: KubeObject
  readonly address: string
  readonly node: AdminServer
  restarts: number
  isAsked: boolean
}

type Stand = 'starting' | 'ready' | 'crashed'

const adminPort = 8087
/** A pod that runs on no node is an error to whoever keeps endpoints, tried again and again. */
const nodeName = 'played'
/** For measurements alone (RFC 2544); an address of this machine's own loopback is refused as one of an endpoint. */
const addresses = '198.18.0.0/16'
const backOffMs = 10_000
const aliveMs = 1_000

/**
 * In the place of scheduler, kubelet, storage and storage nodes, for as many tenants as there are: told of pods by a watch, it
 * binds the claim and the pod and opens the admin port of each on an address of its own, with the identity that the operator gave the tenant, and says
 * so in the pod's status; ready is a pod whose node has a document. Addresses are routed to this machine itself meanwhile, which takes root.
 */
export class Pods {
  readonly #server: ApiServer
  readonly #client: KubeClient
  readonly #reflector: Reflector
  readonly #installationId: string
  readonly #played = new Map<string, Played>()
  readonly #looping: Promise<void>[] = []
  #mending = new AbortController()
  #addresses = 0
  #lastAskedMs = 0

  private constructor(
    server: ApiServer,
    client: KubeClient,
    installationId: string,
    fail: (error: unknown) => void,
  ) {
    this.#server = server
    this.#client = client
    this.#installationId = installationId
    this.#reflector = new Reflector({
      client,
      clock: systemClock,
      log: silentLogger,
      registry: new Registry(),
      resource: resources.pods,
      labelSelector: 'app.kubernetes.io/component=storage-node',
      transform: ({ spec: _dropped, ...pod }) => pod,
    })
    this.#reflector.onChange((before, after) => {
      const change = after ? (before ? undefined : this.#open(after)) : this.#close(before!)
      change?.catch(fail)
    })
  }

  /** @param fail called with what keeps a pod from being played */
  static async open(
    kubeconfig: string,
    installationId: string,
    fail: (error: unknown) => void,
  ): Promise<Pods> {
    const client = openKubeClient({ kubeconfig })
    const server = await ApiServer.open(kubeconfig)
    const machine = { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName } }
    await run('ip', ['route', 'replace', 'local', addresses, 'dev', 'lo'])
    const answer = await server.send('POST', '/api/v1/nodes', { body: machine })
    if (answer.status !== 201) throw new Error(`node ${nodeName}: ${answer.body.message}`)
    const pods = new Pods(server, client, installationId, fail)
    await pods.#reflector.start()
    return pods
  }

  async close(): Promise<void> {
    await this.mend()
    await this.#reflector.stop()
    for (const { node } of this.#played.values()) await node.close()
    await run('ip', ['route', 'delete', 'local', addresses, 'dev', 'lo'])
    await Promise.all([this.#client.close(), this.#server.close()])
  }

  /** Forgets who was asked. */
  mark(): void {
    for (const played of this.#played.values()) played.isAsked = false
  }

  asked(): Asked {
    const nodes = [...this.#played.values()].filter(({ isAsked }) => isAsked).length
    return { nodes, lastMs: this.#lastAskedMs }
  }

  /** Lets the first `count` pods start, end and wait, over and over. */
  crash(count: number): void {
    this.#mending = new AbortController()
    for (const played of [...this.#played.values()].slice(0, count))
      this.#looping.push(this.#crashLoop(played, this.#mending.signal))
  }

  /** They are ready again. */
  async mend(): Promise<void> {
    this.#mending.abort()
    await Promise.all(this.#looping.splice(0))
  }

  async #open(pod: KubeObject): Promise<void> {
    const { namespace = '' } = pod.metadata
    const at = { namespace, name: secretNames.storageNodeTls }
    const secret = await this.#server.send('GET', pathOf(resources.secrets, at))
    if (secret.status !== 200)
      throw new Error(`${namespace}: a pod without its Secrets: ${secret.body.message}`)
    const data = secret.body['data'] as Readonly<Record<string, string>>
    const pem = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString('utf8')
    const node = new AdminServer({
      organizationId: namespace.slice('holdfast-'.length),
      installationId: this.#installationId,
      certificatePem: pem('tls.crt'),
      privateKeyPem: pem('tls.key'),
      authorityPem: pem('ca.crt'),
    })
    const played: Played = { pod, address: this.#newAddress(), node, restarts: 0, isAsked: false }
    node.intercept = () => {
      if (!played.isAsked) this.#lastAskedMs = Date.now()
      played.isAsked = true
      return false
    }
    const isThere = this.#say(played, 'starting', async () => {
      await this.#bindClaim(namespace, pod.metadata.name)
      await this.#schedule(namespace, pod.metadata.name)
      await node.listen(played.address, adminPort)
    })
    this.#played.set(keyOf(pod), played)
    let isReady = false
    node.onDocument = () => {
      if (isReady) return
      isReady = true
      void isThere.then(() => this.#say(played, 'ready'))
    }
    await isThere
  }

  async #bindClaim(namespace: string, pod: string): Promise<void> {
    const name = `${volumeClaim}-${pod}`
    const bound = { phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } }
    const answer = await this.#server.setStatus(resources.persistentVolumeClaims, { namespace, name }, bound)
    if (answer.status !== 200) throw new Error(`${namespace}: status of its claim: ${answer.body.message}`)
  }

  async #schedule(namespace: string, name: string): Promise<void> {
    const target = { apiVersion: 'v1', kind: 'Node', name: nodeName }
    const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target }
    const path = pathOf(resources.pods, { namespace, name }, 'binding')
    const answer = await this.#server.send('POST', path, { body })
    if (answer.status !== 201) throw new Error(`${namespace}: binding of its pod: ${answer.body.message}`)
  }

  async #close(pod: KubeObject): Promise<void> {
    const played = this.#played.get(keyOf(pod))
    this.#played.delete(keyOf(pod))
    await played?.node.close()
  }

  async #crashLoop(played: Played, signal: AbortSignal): Promise<void> {
    const { node, address } = played
    while (!signal.aborted) {
      await node.close()
      played.restarts += 1
      await this.#say(played, 'crashed')
      await sleep(backOffMs, undefined, { signal }).catch(() => undefined)
      await this.#say(played, signal.aborted ? 'ready' : 'starting', () => node.listen(address, adminPort))
      await sleep(aliveMs, undefined, { signal }).catch(() => undefined)
    }
    await this.#say(played, 'ready')
  }

  #newAddress(): string {
    const count = this.#addresses++
    return `198.18.${Math.floor(count / 250)}.${(count % 250) + 1}`
  }

  async #say(
    { pod, address, restarts }: Played,
    stand: Stand,
    before: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<void> {
    await before()
    const at = { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name }
    const answer = await this.#server.setStatus(resources.pods, at, podStatus(address, stand, restarts))
    if (answer.status !== 200 && answer.status !== 404)
      throw new Error(`${at.namespace}: status of its pod: ${answer.body.message}`)
  }
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}/${metadata.uid}`

function podStatus(address: string, stand: Stand, restartCount: number): object {
  const since = new Date().toISOString()
  const ready = stand === 'ready' ? 'True' : 'False'
  const state =
    stand === 'crashed'
      ? { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s restarting failed container' } }
      : { running: { startedAt: since } }
  return {
    phase: 'Running',
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: type === 'PodScheduled' || type === 'Initialized' ? 'True' : ready,
      lastTransitionTime: since,
    })),
    containerStatuses: [
      {
        name: 'storage-node',
        image: 'played',
        imageID: '',
        restartCount,
        ready: stand === 'ready',
        state,
        ...(restartCount > 0 && {
          lastState: {
            terminated: { exitCode: 1, reason: 'Error', message: 'played to fail', finishedAt: since },
          },
        }),
      },
    ],
  }
}
