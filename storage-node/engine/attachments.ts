import { AppError } from '../../common/errors.ts'
import type { DatabaseState, RetentionPolicyState } from '../../common/state-document.ts'
import type { WriteLimits } from './record.ts'

export interface EngineLimits {
  /** Series of the whole organization. */
  readonly series: number
}

/** For points of a policy that no state document in force describes any more. */
const defaultShardDurationNs = 7n * 24n * 3_600_000_000_000n

/** What the state document in force says of databases: which are served, under what policies and limits. */
export class Attachments {
  readonly #databases: ReadonlyMap<string, DatabaseState>
  readonly #limits: EngineLimits | null

  constructor(databases: readonly DatabaseState[], limits: EngineLimits | null) {
    this.#databases = new Map(databases.map((database) => [database.id, database]))
    this.#limits = limits
  }

  /**
   * @param name null for the database's default policy
   * @throws AppError not-found: ERR_DATABASE_NOT_FOUND, ERR_RETENTION_POLICY_NOT_FOUND
   */
  policy(databaseId: string, name: string | null): RetentionPolicyState {
    const state = this.#state(databaseId)
    const wanted = name ?? state.defaultRetentionPolicy
    const policy = state.retentionPolicies.find((each) => each.name === wanted)
    if (policy) return policy
    throw new AppError('not-found', 'ERR_RETENTION_POLICY_NOT_FOUND', `retention policy not found: ${wanted}`)
  }

  /** @throws AppError not-found, ERR_DATABASE_NOT_FOUND */
  limits(databaseId: string): WriteLimits {
    const { series, fieldsPerMeasurement } = this.#state(databaseId).limits
    return {
      databaseSeries: series,
      organizationSeries: this.#limits?.series ?? null,
      fieldsPerMeasurement,
    }
  }

  shardDurationNs(databaseId: string, policyName: string): bigint {
    const durationNs = BigInt(this.#find(databaseId, policyName)?.shardDurationNs ?? 0)
    return durationNs > 0n ? durationNs : defaultShardDurationNs
  }

  /** Points before this have expired; null where they never do, or where nobody says. */
  expiryNs(databaseId: string, policyName: string, nowNs: bigint): bigint | null {
    const policy = this.#find(databaseId, policyName)
    return policy ? cutoffNs(policy, nowNs) : null
  }

  #state(databaseId: string): DatabaseState {
    const state = this.#databases.get(databaseId)
    if (state) return state
    throw new AppError('not-found', 'ERR_DATABASE_NOT_FOUND', `database not found: "${databaseId}"`)
  }

  #find(databaseId: string, policyName: string): RetentionPolicyState | undefined {
    return this.#databases.get(databaseId)?.retentionPolicies.find(({ name }) => name === policyName)
  }
}

/** Points before this are beyond the policy; null where points stay for ever. */
export function cutoffNs(policy: RetentionPolicyState, nowNs: bigint): bigint | null {
  const durationNs = BigInt(policy.durationNs)
  return durationNs === 0n ? null : nowNs - durationNs
}
