import { createHash } from 'node:crypto'
import { AppError } from '../../common/errors.ts'
import { storedDataKeys } from '../../operator/desired/secrets.ts'
import type { KubeObject, OwnerReference } from '../../operator/kube/object.ts'
import { resourceOf, resources, type Resource } from '../../operator/kube/resource.ts'
import { storageNodeLabels } from '../../operator/naming/labels.ts'
import { roleBinding, secretNames, storageNode, volumeClaim } from '../../operator/naming/names.ts'
import { wholeSeconds } from '../../operator/status/standing.ts'
import { FakeAuthority } from '../support/fake-authority.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { firstGeneration, MemoryKube } from '../support/memory-kube.ts'
import {
  imageOfSet,
  isReady,
  newSetStatus,
  podOfSet,
  revisionOfPod,
  revisionOfSet,
  runningStatus,
  stuckStatus,
} from '../support/stateful-pods.ts'
import type { Platform } from '../../operator/api/platform.ts'
import { FakeNodes, platform } from '../support/tenant-world.ts'

const bookmarkMs = 60_000

/**
 * A cluster in memory: the API server with what it admits (namespaces that exist and are not going, Secrets by bound
 * rights), StatefulSet controller, kubelet, garbage collector, namespace controller, and one storage node.
 */
export class Cluster {
  readonly kube: MemoryKube
  readonly nodes: FakeNodes
  readonly clock = new FakeClock()
  readonly authority = new FakeAuthority(this.clock)
  /** What becomes of a claim that asks for more. */
  growth: 'works' | 'refused' | 'infeasible' = 'works'
  /** Packets get through everywhere. */
  isOpen = false
  hasProbe = true
  /** What the operator that runs is told of the platform. */
  platform: Platform = platform
  /** Images that no machine can pull. */
  readonly brokenImages = new Set<string>()
  /** Id of the token with which somebody asks for the organization, over and over until it is awake. */
  wantedBy: string | null = null
  /** How the operator that runs is asked. */
  ask: (key: string) => void = () => undefined
  readonly #generations: Map<string, number>
  #bookmarkedMs = 0

  private constructor(kube: MemoryKube, nodes: FakeNodes, generations: Map<string, number>) {
    this.kube = kube
    this.nodes = nodes
    this.#generations = generations
    const { world } = kube
    world.now = () => wholeSeconds(new Date(this.clock.nowMs()))
    world.prepare = (object) => this.#prepare(object)
    world.admit = (verb, object) => this.#admit(verb, object)
  }

  static create(): Cluster {
    return new Cluster(new MemoryKube(), new FakeNodes(), new Map())
  }

  /** The same cluster, to go another way from here. Nothing that follows the old one knows of it. */
  fork(): Cluster {
    const kube = new MemoryKube()
    kube.world.version = this.kube.world.version
    kube.world.compactedVersion = this.kube.world.version
    for (const [key, object] of this.kube.world.objects) kube.world.objects.set(key, object)
    const copy = new Cluster(kube, this.nodes.fork(), new Map(this.#generations))
    for (const image of this.brokenImages) copy.brokenImages.add(image)
    copy.wantedBy = this.wantedBy
    copy.platform = this.platform
    copy.clock.jump(this.clock.monotonicMs() - copy.clock.monotonicMs())
    return copy
  }

  get(resource: Resource, name: string, within?: string): KubeObject | undefined {
    const { group, plural, namespaced } = resource
    return this.kube.world.objects.get(`${group}/${plural}/${namespaced ? (within ?? '') : ''}/${name}`)
  }

  all(resource: Resource): readonly KubeObject[] {
    return [...this.kube.world.objects.values()].filter((object) => resourceOf(object) === resource)
  }

  /** One round of everybody but the operator. */
  async tick(): Promise<void> {
    await this.#runPods()
    if (this.wantedBy !== null && !this.all(resources.pods).some(isReady)) this.#askForAll()
    await this.#resizeVolumes()
    await this.#collectGarbage()
    await this.#emptyNamespaces()
    for (const { metadata } of this.all(resources.pods)) {
      const secret = this.get(resources.secrets, secretNames.dataKey, metadata.namespace)
      if (secret) this.nodes.mountedKeys = storedDataKeys(secret).keys
      if (this.nodes.dataKeys.length === 0) this.nodes.dataKeys = this.nodes.mountedKeys.slice(0, 1)
    }
    if (this.clock.monotonicMs() - this.#bookmarkedMs < bookmarkMs) return
    this.#bookmarkedMs = this.clock.monotonicMs()
    for (const resource of Object.values(resources)) this.kube.bookmark(resource)
  }

  #askForAll(): void {
    for (const { metadata } of this.all(resources.organizations))
      this.ask(`${metadata.namespace}/${metadata.name}`)
  }

  async #runPods(): Promise<void> {
    for (const set of this.all(resources.statefulSets)) {
      const within = set.metadata.namespace!
      const live = () => this.get(resources.pods, `${storageNode}-0`, within)
      const pod = live()
      if (set.metadata.deletionTimestamp !== undefined) {
        await this.#letGo(set, pod)
        continue
      }
      if (replicasOf(set) === 0) {
        if (pod) await this.kube.delete(pod)
      } else if (!pod) {
        if (!this.#isGoing(within)) await this.#makePod(set, within)
      } else if (pod.metadata.ownerReferences?.length === 0) {
        await this.kube.replace({ ...pod, metadata: { ...pod.metadata, ownerReferences: [ownerOf(set)] } })
      } else if (revisionOfPod(pod) !== revisionOfSet(set)) {
        // As some controllers do, it leaves a pod alone that is not ready.
        if (isReady(pod)) await this.kube.delete(pod)
      } else if (!isReady(pod) && this.nodes.document && !this.brokenImages.has(imageOfSet(set))) {
        await this.kube.patchStatus(pod, runningStatus(true))
      }
      const next = newSetStatus(set, live())
      const metadata = { name: storageNode, namespace: within }
      if (next) await this.kube.patchStatus({ ...set, metadata }, next)
    }
  }

  /** The garbage collector, where what was owned is to stay. */
  async #letGo(set: KubeObject, pod: KubeObject | undefined): Promise<void> {
    if (pod) await this.kube.replace({ ...pod, metadata: { ...pod.metadata, ownerReferences: [] } })
    const finalizers = set.metadata.finalizers?.filter((name) => name !== 'orphan') ?? []
    await this.kube.patchMetadata(set, { finalizers })
  }

  /** The storage takes a claim's new size, then the kubelet the volume's. */
  async #resizeVolumes(): Promise<void> {
    for (const claim of this.all(resources.persistentVolumeClaims)) {
      const { spec, status } = claim as unknown as Claim
      const { storage } = spec.resources.requests
      if (status.capacity.storage === storage) continue
      if (this.growth === 'infeasible') {
        const conditions = [{ type: 'ControllerResizeError', status: 'True', message: 'the pool is full' }]
        const allocatedResourceStatuses = { storage: 'ControllerResizeInfeasible' }
        await this.kube.patchStatus(claim, { ...status, conditions, allocatedResourceStatuses })
        continue
      }
      const pending = [{ type: 'FileSystemResizePending', status: 'True' }]
      const isPending = status.conditions !== undefined
      await this.kube.patchStatus(
        claim,
        isPending ? { phase: 'Bound', capacity: { storage } } : { ...status, conditions: pending },
      )
    }
  }

  async #makePod(set: KubeObject, within: string): Promise<void> {
    const claim = `${volumeClaim}-${storageNode}-0`
    if (!this.get(resources.persistentVolumeClaims, claim, within)) {
      this.nodes.wipe()
      await this.kube.create(claimOf(claim, within, templateSize(set)))
    }
    this.nodes.idleMs = 0
    const isBroken = this.brokenImages.has(imageOfSet(set))
    const pod = podOfSet(set, isBroken ? stuckStatus : runningStatus(false))
    await this.kube.create({ ...pod, metadata: { ...pod.metadata, ownerReferences: [ownerOf(set)] } })
  }

  async #collectGarbage(): Promise<void> {
    const uids = new Set([...this.kube.world.objects.values()].map(({ metadata }) => metadata.uid))
    for (const object of this.kube.world.objects.values()) {
      const [owner] = object.metadata.ownerReferences ?? []
      if (owner && !uids.has(owner.uid)) await this.kube.delete(object)
    }
  }

  async #emptyNamespaces(): Promise<void> {
    for (const namespace of this.all(resources.namespaces)) {
      const { name } = namespace.metadata
      if (namespace.metadata.deletionTimestamp === undefined) continue
      const inside = [...this.kube.world.objects.values()].filter(
        (object) => object.metadata.namespace === name,
      )
      for (const object of inside) {
        if (object.metadata.deletionTimestamp === undefined) await this.kube.delete(object)
      }
      if (inside.length === 0) await this.kube.patchMetadata(namespace, { finalizers: [] })
    }
  }

  #isGoing(namespace: string): boolean {
    return this.get(resources.namespaces, namespace)?.metadata.deletionTimestamp !== undefined
  }

  /** The same names make the same uids, so that two ways can be compared. A namespace stays until it is empty. */
  #prepare(object: KubeObject): KubeObject {
    const { kind, metadata } = object
    const key = `${kind}/${metadata.namespace ?? ''}/${metadata.name}`
    const generation = (this.#generations.get(key) ?? 0) + 1
    this.#generations.set(key, generation)
    const hex = createHash('sha256').update(`${key}/${generation}`).digest('hex')
    const uid = [0, 8, 12, 16, 20].map((at, index) => hex.slice(at, [8, 12, 16, 20, 32][index])).join('-')
    const finalizers = kind === 'Namespace' ? { finalizers: ['kubernetes'] } : {}
    return {
      ...object,
      metadata: {
        ...metadata,
        uid,
        creationTimestamp: this.kube.world.now(),
        ...finalizers,
        ...firstGeneration(object),
      },
    }
  }

  #admit(verb: 'create' | 'update' | 'delete', object: KubeObject): void {
    const { namespace } = object.metadata
    if (verb === 'update' && object.kind === 'PersistentVolumeClaim' && this.growth === 'refused')
      throw new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', 'the storage class must support resize')
    if (verb !== 'create' || !resourceOf(object).namespaced || namespace === undefined) return
    const found = this.get(resources.namespaces, namespace)
    if (!found) throw new AppError('not-found', 'ERR_KUBE_NOT_FOUND', `namespace ${namespace} not found`)
    if (found.metadata.deletionTimestamp !== undefined)
      throw new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', `namespace ${namespace} is being terminated`)
  }

  /** @throws AppError forbidden, where the operator has no right to Secrets */
  requireSecretsRight(namespace: string): void {
    if (this.get(resources.roleBindings, roleBinding, namespace)) return
    throw new AppError('forbidden', 'ERR_KUBE_FORBIDDEN', `secrets are forbidden in namespace ${namespace}`)
  }
}

interface Claim {
  readonly spec: { readonly resources: { readonly requests: { readonly storage: string } } }
  readonly status: { readonly capacity: { readonly storage: string }; readonly conditions?: unknown }
}

const claimOf = (name: string, namespace: string, size: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace, labels: storageNodeLabels(namespace.slice('holdfast-'.length)) },
  spec: { storageClassName: 'fast', resources: { requests: { storage: size } } },
  status: { phase: 'Bound', capacity: { storage: size } },
})

const replicasOf = (set: KubeObject): number => (set['spec'] as { readonly replicas: number }).replicas

function templateSize(set: KubeObject): string {
  const { volumeClaimTemplates } = set['spec'] as { readonly volumeClaimTemplates: readonly [Claim] }
  return volumeClaimTemplates[0].spec.resources.requests.storage
}

const ownerOf = ({ apiVersion, kind, metadata }: KubeObject): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid!,
})
