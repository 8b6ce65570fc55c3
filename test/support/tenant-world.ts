import type { FileDamage, NodeTrouble } from '../../common/admin-api.ts'
import type { Attempt, Outcome } from '../../common/attempts.ts'
import { dataKeyId } from '../../common/data-key.ts'
import { AppError } from '../../common/errors.ts'
import { silentLogger } from '../../common/log.ts'
import type { AnyStateDocument } from '../../common/state-document-formats.ts'
import { stateDigest } from '../../common/state-document.ts'
import type { IsolationProof } from '../../operator/api/organization.ts'
import { platformSchema, type Platform } from '../../operator/api/platform.ts'
import type { Result } from '../../operator/controller/controller.ts'
import type { Store } from '../../operator/controller/store.ts'
import { storedDataKeys } from '../../operator/desired/secrets.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources, type Resource } from '../../operator/kube/resource.ts'
import { secretNames } from '../../operator/naming/names.ts'
import type { NodeAddress, Nodes } from '../../operator/node-client/node-client.ts'
import type { Subject } from '../../operator/isolation/prover.ts'
import { PassMemory } from '../../operator/reconcile/memory.ts'
import type { TenantCaches, TenantContext } from '../../operator/reconcile/pass.ts'
import { reconcileTenant } from '../../operator/reconcile/tenant.ts'
import { FakeAuthority } from './fake-authority.ts'
import type { Finding } from '../../operator/status/isolation.ts'
import { FakeClock } from './fake-clock.ts'
import { MemoryKube } from './memory-kube.ts'
import {
  imageOfSet,
  isReady,
  newSetStatus,
  podOfSet,
  revisionOfPod,
  revisionOfSet,
  runningStatus,
  stuckStatus,
} from './stateful-pods.ts'

export const namespace = 'acme-team'
export const platform = platformSchema.parse({
  operatorNamespace: 'holdfast-system',
  installationId: 'a'.repeat(16),
  storageNode: {
    images: { '0.1.0': 'example/node', '0.2.0': 'example/node-2', '0.3.0': 'example/node-3' },
    defaultVersion: '0.1.0',
  },
  classes: {
    standard: {},
    small: { resources: { limits: { memory: '256Mi' } } },
    old: { versions: ['0.1.0'] },
  },
  gateway: { url: 'https://gateway.example:8086', host: 'gateway.example', port: 8086 },
})

/** One storage node: the document in force, and what it never takes back. */
export class FakeNodes implements Nodes {
  document: AnyStateDocument | null = null
  damage: readonly FileDamage[] = []
  troubles: readonly NodeTrouble[] = []
  isUnreachable = false
  /** For how long it has served nobody; null for a node that does not say. */
  idleMs: number | null = 0
  formatVersions: readonly number[] = [1, 2]
  /** What its volume needs: the key that seals first. */
  dataKeys: readonly Uint8Array[] = []
  /** The key file as the kubelet shows it. */
  mountedKeys: readonly Uint8Array[] = []
  readonly dropped: string[] = []
  /** Id of a database that fails to go. */
  cannotDrop: string | null = null
  readonly refusals: string[] = []
  readonly #revoked = new Set<string>()

  /** As it is now, to go another way. */
  fork(): FakeNodes {
    const copy = new FakeNodes()
    copy.document = this.document
    copy.dataKeys = this.dataKeys
    copy.mountedKeys = this.mountedKeys
    copy.idleMs = this.idleMs
    copy.dropped.push(...this.dropped)
    for (const id of this.#revoked) copy.#revoked.add(id)
    return copy
  }

  /** Its volume is gone. */
  wipe(): void {
    this.document = null
    this.dataKeys = []
    this.#revoked.clear()
  }
  isCut: () => boolean = () => false
  /** What becomes of what it tries to reach. */
  outcomeOf: (attempt: Attempt) => Outcome = () => 'silent'
  async attempts(_node: NodeAddress, attempts: readonly Attempt[]) {
    this.#answer()
    return { control: 'connected' as const, outcomes: attempts.map((attempt) => this.outcomeOf(attempt)) }
  }

  /** When token strings were last used, RFC 3339, by id. */
  readonly uses = new Map<string, string>()
  async tokenUses() {
    this.#answer()
    return { uses: [...this.uses].map(([id, lastUsedAt]) => ({ id, lastUsedAt })) }
  }

  /** Called when a request has changed something on the node. */
  changed: (call: string) => void = () => undefined

  async getState({ organizationId }: NodeAddress) {
    if (this.isUnreachable || this.isCut())
      throw new AppError('unavailable', 'ERR_NODE_UNREACHABLE', 'killed')
    return {
      organizationId,
      digest: this.document ? stateDigest(this.document) : '',
      formatVersions: this.formatVersions,
      version: '0.1.0',
      databasesWithData: [],
      damage: this.damage,
      troubles: this.troubles,
      ...(this.idleMs !== null && { idleMs: this.idleMs }),
    }
  }

  async pushState(node: NodeAddress, document: AnyStateDocument) {
    this.#answer()
    if (!this.formatVersions.includes(document.formatVersion))
      throw new AppError('invalid', 'ERR_NODE_REFUSED', `format ${document.formatVersion} is not known`)
    const ids = new Set(document.tokens.map(({ id }) => id))
    const revived = [...ids].find((id) => this.#revoked.has(id))
    if (revived !== undefined) {
      this.refusals.push(revived)
      throw new AppError('invalid', 'ERR_NODE_REFUSED', `${revived} is revoked`)
    }
    for (const { id } of this.document?.tokens ?? []) if (!ids.has(id)) this.#revoked.add(id)
    this.document = document
    const state = await this.getState(node)
    this.changed(`node document ${state.digest}`)
    return { outcome: 'accepted' as const, state }
  }

  async getDataKey() {
    this.#answer()
    const [keyId, ...olderKeyIds] = this.dataKeys.map(dataKeyId)
    if (keyId === undefined) throw new AppError('internal', 'ERR_TEST', 'the node runs without a key')
    return { keyId, olderKeyIds }
  }

  /** Seals all anew by the first key of the file, if the file still holds those that are needed. */
  async useDataKey() {
    this.#answer()
    const mounted = this.mountedKeys
    const there = mounted.map(dataKeyId)
    for (const id of this.dataKeys.map(dataKeyId)) {
      if (!there.includes(id)) throw new AppError('conflict', 'ERR_NODE_DATA_KEY', `${id} is still needed`)
    }
    const isNew = this.dataKeys.length > 1 || there[0] !== dataKeyId(this.dataKeys[0]!)
    this.dataKeys = mounted.slice(0, 1)
    const state = await this.getDataKey()
    if (isNew) this.changed(`node data-key ${state.keyId}`)
    return state
  }

  #answer(): void {
    if (this.isUnreachable || this.isCut())
      throw new AppError('unavailable', 'ERR_NODE_UNREACHABLE', 'killed')
  }

  async deleteDatabase(_node: NodeAddress, databaseId: string) {
    this.#answer()
    if (databaseId === this.cannotDrop)
      throw new AppError('unavailable', 'ERR_NODE_ANSWER', 'the disk is full')
    this.dropped.push(databaseId)
    this.changed(`node drop ${databaseId}`)
  }
}

/** A cluster in memory, with as much of its own controllers as a tenant's life needs. */
export class TenantWorld {
  readonly kube = new MemoryKube()
  readonly nodes = new FakeNodes()
  readonly clock = new FakeClock()
  readonly authority = new FakeAuthority(this.clock)
  /** What is known of its closed paths. */
  isolation: Finding = { state: 'isolated' }
  proof: IsolationProof | null = null
  /** Images that no machine can pull. */
  readonly brokenImages = new Set<string>()
  /** What becomes of new pods besides. */
  pods: 'ready' | 'starting' | 'stuck' = 'ready'
  /** The operator's own, which its installation may change. */
  platform: Platform = platform
  writes = 0
  readonly operatorWrites: string[] = []
  readonly events: string[] = []
  /** What passes asked of the isolation, and what they let it forget. */
  readonly subjects: Subject[] = []
  readonly forgotten: string[] = []
  /** The process dies with this write. */
  killAfter = Number.POSITIVE_INFINITY
  killed = false
  /** How long each request of the operator takes, as its own limit of requests a second makes it. */
  requestMs = 0
  /** Objects that the watches have not told of yet. */
  hidden: (object: KubeObject) => boolean = () => false
  /** What users do while a pass runs: called at each request of it. */
  meanwhile: () => void = () => undefined
  #byOperator = false
  #memory = new PassMemory()

  constructor() {
    this.nodes.isCut = () => this.killed
    this.kube.world.intercept = (call) => {
      if (!this.#byOperator) return
      this.clock.jump(this.requestMs)
      this.#byOperator = false
      this.meanwhile()
      this.#byOperator = true
      if (this.killed) throw new AppError('unavailable', 'ERR_KUBE_FENCED', 'killed')
      if (!/^(get|list) /.test(call)) this.#wrote(call)
    }
    this.nodes.changed = (call) => this.#wrote(call)
  }

  /** This write arrives; nothing that the process wanted to do after it happens any more. */
  #wrote(call: string): void {
    this.writes += 1
    this.operatorWrites.push(call)
    this.killed = this.writes === this.killAfter
  }

  get(resource: Resource, name: string, within: string | undefined = namespace): KubeObject | undefined {
    const { group, plural, namespaced } = resource
    return this.kube.world.objects.get(`${group}/${plural}/${namespaced ? (within ?? '') : ''}/${name}`)
  }

  all(resource: Resource): readonly KubeObject[] {
    const prefix = `${resource.group}/${resource.plural}/`
    const found: KubeObject[] = []
    for (const [key, object] of this.kube.world.objects) if (key.startsWith(prefix)) found.push(object)
    return found
  }

  create(kind: string, name: string, spec: object): Promise<KubeObject> {
    const creationTimestamp = new Date(this.clock.nowMs()).toISOString()
    const metadata = { name, namespace, generation: 1, creationTimestamp }
    return this.kube.create({ apiVersion: 'holdfast.dev/v1alpha1', kind, metadata, spec })
  }

  async remove(resource: Resource, name: string): Promise<void> {
    await this.kube.delete(this.get(resource, name)!)
  }

  /** A user's edit of a spec. */
  async edit(resource: Resource, name: string, spec: object): Promise<void> {
    const live = this.get(resource, name)!
    const generation = (live.metadata.generation ?? 0) + 1
    const merged = { ...(live['spec'] as object), ...spec }
    await this.kube.apply({ ...live, metadata: { ...live.metadata, generation }, spec: merged })
  }

  /** Passes, and what the cluster does between them, until nothing changes any more. */
  async settle(): Promise<void> {
    for (let round = 0, quiet = 0; round < 60; round += 1) {
      const before = this.kube.world.version
      // Secrets are looked at again only after a while.
      this.clock.jump(11_000)
      await this.pass()
      await this.cluster()
      // A process that has just begun looks at Secrets in its second round.
      quiet = this.kube.world.version === before && !this.killed ? quiet + 1 : 0
      if (quiet === 2) return
      if (this.killed) this.restart()
    }
    throw new Error('it never settles')
  }

  /** Another process takes over, which knows nothing but what the cluster does. */
  restart(): void {
    this.killed = false
    this.killAfter = Number.POSITIVE_INFINITY
    this.#memory = new PassMemory()
  }

  async pass(organization = 'acme'): Promise<Result> {
    this.#byOperator = true
    try {
      const key = `${namespace}/${organization}`
      return await reconcileTenant(this.#context())(key, silentLogger, new AbortController().signal)
    } catch (error) {
      if (!this.killed) throw error
      return {}
    } finally {
      this.#byOperator = false
    }
  }

  #context(): TenantContext {
    const all = (resource: Resource) => this.all(resource)
    const store = (resource: Resource): Store => ({
      get size() {
        return all(resource).length
      },
      get: (within, name) => {
        const found = this.get(resource, name, within)
        return found && !this.hidden(found) ? found : undefined
      },
      list: (within) =>
        this.all(resource).filter(
          (object) => (within === undefined || object.metadata.namespace === within) && !this.hidden(object),
        ),
      observe: () => undefined,
      writing: () => () => undefined,
    })
    const caches = Object.fromEntries(
      Object.entries(resources).map(([name, resource]) => [name, store(resource)]),
    ) as unknown as TenantCaches
    return {
      client: this.kube,
      caches,
      nodes: this.nodes,
      isolation: {
        report: (subject) => {
          this.subjects.push(subject)
          return { finding: this.isolation, proof: this.proof }
        },
        forget: (organizationId) => this.forgotten.push(organizationId),
      },
      platform: this.platform,
      authority: this.authority,
      events: {
        record: (_object, type, reason, message) => this.events.push(`${type} ${reason} ${message}`),
      },
      memory: this.#memory,
      wakes: { wantedBy: () => null },
      clock: this.clock,
      random: () => 0.5,
      metrics: {
        tenantIs: () => undefined,
        tenantGone: () => undefined,
        pushFailed: () => undefined,
        rolloutEnded: () => undefined,
      },
    }
  }

  /** The kubelet shows a changed Secret to a pod that runs after the next pass, and to a new one at once. */
  #mountKeys(): void {
    for (const { metadata } of this.all(resources.pods)) {
      const secret = this.get(resources.secrets, secretNames.dataKey, metadata.namespace)
      if (secret) this.nodes.mountedKeys = storedDataKeys(secret).keys
      if (this.nodes.dataKeys.length === 0) this.nodes.dataKeys = this.nodes.mountedKeys.slice(0, 1)
    }
  }

  /** StatefulSet controller with kubelet, garbage collector and namespace controller. */
  async cluster(): Promise<void> {
    for (const set of this.all(resources.statefulSets)) {
      const live = () => this.get(resources.pods, 'storage-node-0', set.metadata.namespace)
      const pod = live()
      // As some controllers do, it leaves a pod alone that is not ready.
      if (pod && isReady(pod) && revisionOfPod(pod) !== revisionOfSet(set)) await this.kube.delete(pod)
      const isStuck = this.pods === 'stuck' || this.brokenImages.has(imageOfSet(set))
      const status = isStuck ? stuckStatus : runningStatus(this.pods === 'ready')
      if (!live()) await this.kube.create(podOfSet(set, status))
      const next = newSetStatus(set, live())
      if (next) await this.kube.patchStatus({ ...set, metadata: refOf(set) }, next)
    }
    const gone: KubeObject[] = this.all(resources.pods).filter(
      ({ metadata }) => !this.get(resources.statefulSets, 'storage-node', metadata.namespace),
    )
    for (const secret of this.all(resources.secrets)) {
      const [owner] = secret.metadata.ownerReferences ?? []
      if (owner && !this.all(resources.tokens).some(({ metadata }) => metadata.uid === owner.uid))
        gone.push(secret)
    }
    for (const object of this.kube.world.objects.values()) {
      const within = object.metadata.namespace ?? ''
      if (within.startsWith('holdfast-') && !this.get(resources.namespaces, within)) gone.push(object)
    }
    for (const object of gone) await this.kube.delete(object)
    this.#mountKeys()
  }
}

const refOf = ({ metadata: { name, namespace } }: KubeObject) => ({ name, namespace: namespace! })
