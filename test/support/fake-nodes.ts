import type { FileDamage, NodeTrouble } from '../../common/admin-api.ts'
import type { Attempt, Outcome } from '../../common/attempts.ts'
import { dataKeyId } from '../../common/data-key.ts'
import { AppError } from '../../common/errors.ts'
import type { AnyStateDocument } from '../../common/state-document-formats.ts'
import { stateDigest } from '../../common/state-document.ts'
import { keyLockOf } from '../../operator/desired/customer-key.ts'
import { storedDataKeys } from '../../operator/desired/secrets.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import type { NodeAddress, Nodes } from '../../operator/node-client/node-client.ts'

/** What pods find of a Secret with data keys: nothing, where they were taken away. */
export const mountedKeys = (secret: KubeObject): readonly Uint8Array[] =>
  keyLockOf(secret) ? [] : storedDataKeys(secret).keys

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
  /** Of a locked node, ids of the keys that it needs; null of one that is not locked. */
  lockedFor: readonly string[] | null = null
  readonly dropped: string[] = []
  /** Id of a database that fails to go. */
  cannotDrop: string | null = null
  readonly refusals: string[] = []
  readonly #revoked = new Set<string>()
  /** What was in force when it was locked. */
  #kept: AnyStateDocument | null = null

  /** As it is now, to go another way. */
  fork(): FakeNodes {
    const copy = new FakeNodes()
    copy.document = this.document
    copy.dataKeys = this.dataKeys
    copy.mountedKeys = this.mountedKeys
    copy.lockedFor = this.lockedFor
    copy.#kept = this.#kept
    copy.idleMs = this.idleMs
    copy.dropped.push(...this.dropped)
    for (const id of this.#revoked) copy.#revoked.add(id)
    return copy
  }

  /** Its volume is gone. */
  wipe(): void {
    this.document = null
    this.dataKeys = []
    this.lockedFor = null
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
      ...(this.lockedFor && { lockedFor: this.lockedFor }),
    }
  }

  async pushState(node: NodeAddress, document: AnyStateDocument) {
    this.#answer()
    if (!this.formatVersions.includes(document.formatVersion))
      throw new AppError('invalid', 'ERR_NODE_REFUSED', `format ${document.formatVersion} is not known`)
    this.#requireKey()
    const ids = new Set(document.tokens.map(({ id }) => id))
    const revived = [...ids].find((id) => this.#revoked.has(id))
    if (revived !== undefined) {
      this.refusals.push(revived)
      throw new AppError('invalid', 'ERR_NODE_REFUSED', `${revived} is revoked`)
    }
    for (const { id } of (this.document ?? this.#kept)?.tokens ?? []) if (!ids.has(id)) this.#revoked.add(id)
    this.document = document
    const state = await this.getState(node)
    this.changed(`node document ${state.digest}`)
    return { outcome: 'accepted' as const, state }
  }

  async getDataKey() {
    this.#answer()
    this.#requireKey()
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
    if (this.lockedFor) {
      if (mounted.length === 0) throw new AppError('unavailable', 'ERR_NODE_ANSWER', 'there is no key')
      const missing = this.lockedFor.find((id) => !there.includes(id))
      if (missing !== undefined)
        throw new AppError('conflict', 'ERR_NODE_DATA_KEY', `${missing} is still needed`)
      this.lockedFor = null
      this.changed('node unlocked')
      return { keyId: there[0]!, olderKeyIds: [] }
    }
    const isNew = this.dataKeys.length > 1 || there[0] !== dataKeyId(this.dataKeys[0]!)
    this.dataKeys = mounted.slice(0, 1)
    const state = await this.getDataKey()
    if (isNew) this.changed(`node data-key ${state.keyId}`)
    return state
  }

  /** What it had in force is kept, and serves nobody any more. */
  async lockDataKey() {
    this.#answer()
    if (this.lockedFor) return
    this.lockedFor = this.dataKeys.map(dataKeyId)
    this.#kept = this.document
    this.document = null
    this.changed('node locked')
  }

  #requireKey(): void {
    if (this.lockedFor) throw new AppError('unavailable', 'ERR_NODE_ANSWER', 'node answered with 503')
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
