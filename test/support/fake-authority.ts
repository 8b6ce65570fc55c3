import type { Clock } from '../../common/clock.ts'
import type { Identity, KeptIdentity } from '../../operator/authority/secrets.ts'
import type { TenantContext } from '../../operator/reconcile/pass.ts'

const issuedPattern = /^certificate of ([0-9]+)$/

/** An authority without keys: its certificates say when they were made, and last as long as it says now. */
export class FakeAuthority implements TenantContextAuthority {
  readonly operatorKey = Buffer.alloc(32, 7)
  trustedPem = 'authority'
  lifeMs = Number.POSITIVE_INFINITY
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async keepNodeIdentity(found: Partial<Identity>): Promise<KeptIdentity> {
    const nowMs = this.#clock.nowMs()
    const issued = issuedPattern.exec(found.certificatePem ?? '')?.[1]
    const dueMs = (atMs: number): number => atMs + (this.lifeMs * 2) / 3
    const isKept = issued !== undefined && found.privateKeyPem === 'key' && nowMs < dueMs(Number(issued))
    const atMs = isKept ? Number(issued) : nowMs
    const authorityPem = this.trustedPem
    const identity = { certificatePem: `certificate of ${atMs}`, privateKeyPem: 'key', authorityPem }
    const change = isKept ? (found.authorityPem === authorityPem ? null : 'trust') : 'time'
    return { identity, change, dueMs: dueMs(atMs) }
  }
}

type TenantContextAuthority = TenantContext['authority']
