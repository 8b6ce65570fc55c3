import type { EncryptionStatus, HibernationStatus, Organization, StorageStatus } from '../api/organization.ts'
import type { Rollout } from '../desired/rollout.ts'
import type { PodReport, Runtime } from '../observe/runtime.ts'
import type { Integrity } from '../status/integrity.ts'
import type { IsolationReport } from '../status/isolation.ts'
import type { Standing } from '../status/standing.ts'
import type { DatabaseDecisions } from './databases.ts'
import type { TokenDecision } from './tokens.ts'

/** What a pass has found and decided, for the statuses at its end. */
export interface Settled {
  readonly organization: Organization
  readonly organizationId: string
  /** Why the organization's spec is not in force, null if it is. */
  readonly hold: Standing | null
  readonly runtime: Runtime
  readonly reports: readonly PodReport[]
  readonly digest: string
  readonly databases: DatabaseDecisions
  readonly tokens: readonly TokenDecision[]
  /** When token strings were last used, RFC 3339, by id; only what was heard just now. */
  readonly tokenUses: ReadonlyMap<string, string>
  readonly standing: Standing
  readonly integrity: Integrity
  /** null where nothing runs. */
  readonly isolation: IsolationReport | null
  /** null for nothing new. */
  readonly encryption: EncryptionStatus | null
  /** The growth of the volumes that is under way, null for none. */
  readonly growth: NonNullable<StorageStatus['growth']> | null
  /** The change of the pods as it is recorded after this pass, null for none. */
  readonly rollout: Rollout | null
  /** null of an organization that is awake. */
  readonly hibernation: HibernationStatus | null
  /** No pod runs, as it should be. */
  readonly isHibernated: boolean
  /** Clients are served by the document: a node may have confirmed it that is not ready yet. */
  readonly isServed: boolean
}
