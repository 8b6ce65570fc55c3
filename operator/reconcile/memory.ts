import type { Database } from '../api/database.ts'
import type { Organization } from '../api/organization.ts'

/** A revocation must be in force within 2 s, and a node that has just started must not wait for its document. */
const quickRetryMs = 300
const quickRetries = 40
const slowRetryMs = 5_000
const rememberedLimit = 100_000

/**
 * What a process remembers between passes to do less or to keep what runs running. Nothing is lost with it: all of it
 * can be found again.
 */
export class PassMemory {
  readonly #lastGood = new Map<string, Organization | Database>()
  readonly #looks = new Map<string, number>()
  readonly #retries = new Map<string, number>()
  readonly #revoked = new Map<string, true>()

  /** The newest form of an object that could be acted on, by uid. */
  keepGood(object: Organization | Database): void {
    bounded(this.#lastGood).set(object.metadata.uid, object)
  }

  /** @returns the object as it last could be acted on, or as it is if this process never saw it so */
  lastGood<Kind extends Organization | Database>(object: Kind): Kind {
    const found = this.#lastGood.get(object.metadata.uid)
    return found?.kind === object.kind ? (found as Kind) : object
  }

  /** When a Token's Secret was last read, monotonic milliseconds. */
  lookedAtMs(tokenUid: string): number | undefined {
    return this.#looks.get(tokenUid)
  }

  looked(tokenUid: string, atMs: number): void {
    bounded(this.#looks).set(tokenUid, atMs)
  }

  /** A node has said that it never accepts this token again. */
  revoke(tokenId: string): void {
    bounded(this.#revoked).set(tokenId, true)
  }

  isRevoked(tokenId: string): boolean {
    return this.#revoked.has(tokenId)
  }

  forget(uid: string): void {
    this.#lastGood.delete(uid)
    this.#looks.delete(uid)
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

/** Forgets the oldest entry of a full map. */
function bounded<Value>(map: Map<string, Value>): Map<string, Value> {
  const [oldest] = map.keys()
  if (map.size >= rememberedLimit && oldest !== undefined) map.delete(oldest)
  return map
}
