import type { Condition } from '../api/conditions.ts'
import type {
  EncryptionStatus,
  HibernationStatus,
  IsolationProof,
  Organization,
  OrganizationStatus,
  StorageStatus,
  UpgradeStatus,
} from '../api/organization.ts'
import { integrityStatement, type Integrity } from './integrity.ts'
import { isolationStatement, type Finding } from './isolation.ts'
import { conditionsOf, pausedConditions, statementsOf, type Standing, type Statement } from './standing.ts'

/** What a pass found out about an organization. */
export interface OrganizationFacts {
  /** null of one that has not taken over the data that it names. */
  readonly organizationId: string | null
  /** null until it is made. */
  readonly runtimeNamespace: string | null
  /** Version of the storage node that served last, null until there is one. */
  readonly version: string | null
  /** The change of the pods that is under way or has failed, null for none. */
  readonly upgrade: UpgradeStatus | null
  /** null until there are volumes. */
  readonly storage: StorageStatus | null
  /** The digest that every storage node confirmed last, null while there is none. */
  readonly stateDigest: string | null
  /** null when nobody was asked. */
  readonly integrity: Integrity | null
  /** null for nothing new. */
  readonly encryption: EncryptionStatus | null
  /** null of one that is awake. */
  readonly hibernation: HibernationStatus | null
  /** null where nobody looked. */
  readonly isolation: Finding | null
  /** The answer to whoever asked for a proof, null for nobody. */
  readonly isolationProof: IsolationProof | null
  readonly standing: Standing
}

/** Said of every organization as long as nothing checks it: unknown is the honest word. */
const unchecked: readonly Statement[] = [
  { type: 'BackedUp', status: 'Unknown', reason: 'BackupNotConfigured', message: 'spec.backup is not set' },
]

export function organizationStatus(
  organization: Organization,
  facts: OrganizationFacts,
  now: Date,
): OrganizationStatus {
  const { generation } = organization.metadata
  const previous = organization.status?.conditions ?? []
  const encryption = facts.encryption ?? organization.status?.encryption
  const integrity = integrityStatement(facts.integrity, previous)
  const isolation = isolationStatement(facts.isolation, previous)
  const statements = [...statementsOf(facts.standing), integrity, isolation, ...unchecked]
  return {
    observedGeneration: generation,
    conditions: [...conditionsOf(statements, previous, generation, now)],
    ...(facts.organizationId === null ? {} : { organizationId: facts.organizationId }),
    ...(facts.runtimeNamespace === null ? {} : { runtimeNamespace: facts.runtimeNamespace }),
    ...(facts.version === null ? {} : { version: facts.version }),
    ...(facts.storage === null ? {} : { storage: facts.storage }),
    ...(facts.stateDigest === null ? {} : { stateDigest: facts.stateDigest }),
    ...(facts.hibernation === null ? {} : { hibernation: facts.hibernation }),
    ...(encryption === undefined ? {} : { encryption }),
    ...(facts.upgrade === null ? {} : { upgrade: facts.upgrade }),
    ...(facts.isolationProof === null ? {} : { isolationProof: facts.isolationProof }),
  }
}

/** The status of a paused object of any kind: all that was said stays, and that it is paused is said. */
export function pausedStatus<Status extends { conditions: Condition[] }>(
  status: Status | undefined,
  now: Date,
): Status | { conditions: Condition[] } {
  const conditions = [...pausedConditions(status?.conditions ?? [], now)]
  return status ? { ...status, conditions } : { conditions }
}
