import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/log.ts'
import type { Platform } from '../api/platform.ts'
import type { Store } from '../controller/store.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventType } from '../kube/events.ts'
import type { KubeObject } from '../kube/object.ts'
import type { Isolation } from '../isolation/prover.ts'
import type { Nodes } from '../node-client/node-client.ts'
import type { Caches } from '../observe/observe.ts'
import type { Identity, KeptIdentity } from '../authority/secrets.ts'
import type { PassMemory } from './memory.ts'

/** Caches that passes read; those beyond `Caches` hold children that are compared with what is desired. */
export interface TenantCaches extends Caches {
  readonly roleBindings: Store
  readonly resourceQuotas: Store
  readonly limitRanges: Store
  readonly networkPolicies: Store
  readonly serviceAccounts: Store
  readonly services: Store
  readonly podDisruptionBudgets: Store
}

export interface Events {
  record(object: KubeObject, type: EventType, reason: string, message: string): void
}

/** What every pass uses. */
export interface TenantContext {
  /** Fenced: refuses to write when this process is not the leader. */
  readonly client: KubeClient
  readonly caches: TenantCaches
  readonly nodes: Nodes
  readonly isolation: Isolation
  readonly platform: Platform
  readonly authority: {
    readonly operatorKey: Uint8Array
    readonly trustedPem: string
    keepNodeIdentity(
      found: Partial<Identity>,
      organizationId: string,
      dnsNames: readonly string[],
    ): Promise<KeptIdentity>
  }
  readonly events: Events
  readonly memory: PassMemory
  readonly wakes: {
    /** Id of the token with which an organization is wanted awake just now, null if it is not. */
    wantedBy(organizationId: string): string | null
  }
  readonly clock: Clock
  readonly random: () => number
  readonly metrics: {
    tenantIs(key: string, state: 'ready' | 'reconciling' | 'stalled' | 'deleting'): void
    tenantGone(key: string): void
    pushFailed(): void
    rolloutEnded(outcome: 'done' | 'rolled-back'): void
  }
}

/** One pass over one tenant. */
export interface Pass extends TenantContext {
  /** Text of the tenant's key. */
  readonly key: string
  readonly now: Date
  readonly log: Logger
  readonly signal: AbortSignal
}
