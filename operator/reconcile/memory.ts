import { withRoom } from '../../common/bounded-map.ts'
import type { Standing } from '../status/standing.ts'
import type { StoredForms } from './last-good.ts'

/** A revocation must be in force within 2 s, and a node that has just started must not wait for its document. */
const quickRetryMs = 300
const quickRetries = 40
const slowRetryMs = 5_000
const rememberedLimit = 100_000
const pendingLimit = 10_000

export interface SecretLook {
  /** Monotonic milliseconds. */
  readonly atMs: number
  /** What the look found to be in the way, null for nothing. */
  readonly hold: Standing | null
  /** It came to nothing: its turn is at once, after all others. */
  readonly isFailed?: true
}

/** A token string that its Secret does not hold yet. */
export interface PendingString {
  readonly tokenString: string
  readonly hash: string
  /** RFC 3339, whole seconds. */
  readonly createdAt: string
}

/** What the last look at the Secrets that storage nodes mount has found. */
export interface RuntimeLook {
  /** Monotonic milliseconds. */
  readonly atMs: number
  /** The clock on the wall at that time, and when the nodes' certificate is to be renewed by it. */
  readonly wallMs: number
  readonly dueMs: number
  /** Authorities that the nodes trust. */
  readonly trustedPem: string
  /** null where another process has looked, and it is not known. */
  readonly dataKeyIds: readonly string[] | null
}

/**
 * What a process remembers between passes to do less or to keep what runs running. Nothing is lost with it: all of it
 * can be found again.
 */
export class PassMemory {
  readonly #goodForms = new Map<string, StoredForms>()
  readonly #failed = new Map<string, true>()
  readonly #looks = new Map<string, SecretLook>()
  readonly #runtimeLooks = new Map<string, RuntimeLook>()
  readonly #retries = new Map<string, number>()
  readonly #revoked = new Map<string, true>()
  readonly #placed = new Map<string, true>()
  /** Monotonic milliseconds, by organization id. */
  readonly #usesLooks = new Map<string, number>()
  readonly #pending = new Map<string, PendingString>()

  /** What is stored of an organization, undefined if this process has not read it yet. */
  goodForms(organizationId: string): StoredForms | undefined {
    return this.#goodForms.get(organizationId)
  }

  keepGoodForms(organizationId: string, stored: StoredForms): void {
    bounded(this.#goodForms).set(organizationId, stored)
  }

  forgetGoodForms(organizationId: string): void {
    this.#goodForms.delete(organizationId)
  }

  runtimeLook(organizationId: string): RuntimeLook | undefined {
    return this.#runtimeLooks.get(organizationId)
  }

  lookedAtRuntime(organizationId: string, look: RuntimeLook): void {
    bounded(this.#runtimeLooks).set(organizationId, look)
  }

  /** The data keys that are stored, as they are known since that look. */
  sawDataKeys(organizationId: string, dataKeyIds: readonly string[]): void {
    const look = this.#runtimeLooks.get(organizationId)
    if (look) this.#runtimeLooks.set(organizationId, { ...look, dataKeyIds })
  }

  /** The last look at a Secret, by the uid of its Token. */
  look(of: string): SecretLook | undefined {
    return this.#looks.get(of)
  }

  looked(of: string, look: SecretLook): void {
    bounded(this.#looks).set(of, look)
  }

  /** The API server failed a tenant. @returns whether it had failed it the time before too */
  failedAgain(key: string): boolean {
    const isAgain = this.#failed.has(key)
    bounded(this.#failed).set(key, true)
    return isAgain
  }

  /** The API server did all that was asked for a tenant. */
  worked(key: string): void {
    this.#failed.delete(key)
  }

  /** A node has said that it never accepts this token again. */
  revoke(organizationId: string, tokenId: string): void {
    bounded(this.#revoked).set(`${organizationId} ${tokenId}`, true)
  }

  isRevoked(organizationId: string, tokenId: string): boolean {
    return this.#revoked.has(`${organizationId} ${tokenId}`)
  }

  /** An Organization may be made, though nothing of it is there yet. */
  givePlace(uid: string): void {
    bounded(this.#placed).set(uid, true)
  }

  hasPlace(uid: string): boolean {
    return this.#placed.has(uid)
  }

  /** @returns whether the last look at the uses of tokens, or the first question for one, is that long ago */
  isUsesLookDue(organizationId: string, nowMs: number, everyMs: number): boolean {
    const lookedMs = this.#usesLooks.get(organizationId)
    const isDue = lookedMs !== undefined && nowMs - lookedMs >= everyMs
    if (isDue || lookedMs === undefined) bounded(this.#usesLooks).set(organizationId, nowMs)
    return isDue
  }

  /** The string that waits for every node to accept it, by the uid of its Token. Lost with the process: another is made. */
  pending(of: string): PendingString | undefined {
    return this.#pending.get(of)
  }

  keepPending(of: string, pending: PendingString): void {
    withRoom(this.#pending, pendingLimit).set(of, pending)
  }

  forgetPending(of: string): void {
    this.#pending.delete(of)
  }

  forget(uid: string): void {
    this.#looks.delete(uid)
    this.#pending.delete(uid)
    this.#placed.delete(uid)
  }

  /** How long to wait before a tenant's nodes or rights are tried again. */
  nextRetryMs(key: string): number {
    const count = (this.#retries.get(key) ?? 0) + 1
    bounded(this.#retries).set(key, count)
    return count <= quickRetries ? quickRetryMs : slowRetryMs
  }

  /** Whether quick retries have gone on for so long that it is no start-up matter any more. */
  isStuck(key: string): boolean {
    return (this.#retries.get(key) ?? 0) > quickRetries
  }

  succeeded(key: string): void {
    this.#retries.delete(key)
  }
}

function bounded<Value>(map: Map<string, Value>): Map<string, Value> {
  return withRoom(map, rememberedLimit)
}
