import { AppError } from '../../common/errors.ts'
import type { DatabaseState, RetentionPolicyState, StateDocument } from '../../common/state-document.ts'
import type { RetentionPolicyOptions } from '../query/influxql/context.ts'

const hourNs = 3_600_000_000_000n
const dayNs = 24n * hourNs
const defaultPolicyName = 'autogen'

/** What InfluxDB 1.8 chooses for a policy that does not say. */
export function defaultShardDurationNs(durationNs: bigint): bigint {
  if (durationNs === 0n || durationNs >= 180n * dayNs) return 7n * dayNs
  return durationNs >= 2n * dayNs ? dayNs : hourNs
}

function policyOf(name: string, options: RetentionPolicyOptions): RetentionPolicyState {
  const durationNs = options.durationNs ?? 0n
  if (durationNs !== 0n && durationNs < hourNs) {
    throw invalid('ERR_RETENTION_TOO_SHORT', 'retention policy duration must be at least 1h0m0s')
  }
  const asked = options.shardDurationNs ?? 0n
  const shardDurationNs = asked === 0n ? defaultShardDurationNs(durationNs) : asked < hourNs ? hourNs : asked
  if (durationNs !== 0n && durationNs < shardDurationNs) {
    throw invalid(
      'ERR_RETENTION_BELOW_SHARD',
      'retention policy duration must be greater than the shard duration',
    )
  }
  return { name, durationNs: String(durationNs), shardDurationNs: String(shardDurationNs) }
}

const invalid = (code: `ERR_${string}`, message: string) => new AppError('invalid', code, message)

const samePolicy = (a: RetentionPolicyState, b: RetentionPolicyState): boolean =>
  a.name === b.name && a.durationNs === b.durationNs && a.shardDurationNs === b.shardDurationNs

/** Names that InfluxDB 1.8 takes, and no longer than Holdfast takes anywhere. */
function requireName(name: string): void {
  const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name)
  if (unprintable || name.length > 64 || ['', '.', '..'].includes(name) || /[/\\]/.test(name)) {
    throw invalid('ERR_NAME', 'invalid name')
  }
}

/** A copy of the document where `change` has been applied to one database. */
function changeDatabase(
  document: StateDocument,
  name: string,
  change: (database: DatabaseState) => DatabaseState,
): StateDocument {
  if (!document.databases.some((database) => database.name === name)) {
    throw new AppError('not-found', 'ERR_DATABASE_NOT_FOUND', `database not found: ${name}`)
  }
  return {
    ...document,
    databases: document.databases.map((database) => (database.name === name ? change(database) : database)),
  }
}

type PolicyCommand = { readonly name: string; readonly isDefault: boolean } & RetentionPolicyOptions

/** CREATE DATABASE. @returns null when all is as asked already */
export function withDatabase(
  document: StateDocument,
  name: string,
  policy: ({ readonly name: string | null } & RetentionPolicyOptions) | null,
  id: string,
): StateDocument | null {
  const existing = document.databases.find((database) => database.name === name)
  if (existing && policy === null) return null
  requireName(name)
  const wanted = policyOf(
    policy?.name ?? defaultPolicyName,
    policy ?? { durationNs: null, shardDurationNs: null, replication: null },
  )
  requireName(wanted.name)
  if (existing) {
    const same = existing.retentionPolicies.some((there) => samePolicy(there, wanted))
    if (same && existing.defaultRetentionPolicy === wanted.name) return null
    throw new AppError(
      'conflict',
      'ERR_RETENTION_CONFLICT',
      'retention policy conflicts with an existing policy',
    )
  }
  if (document.databases.length >= document.limits.databases) {
    throw new AppError(
      'conflict',
      'ERR_TOO_MANY_DATABASES',
      `limit of ${document.limits.databases} databases`,
    )
  }
  const created: DatabaseState = {
    id,
    name,
    retentionPolicies: [wanted],
    defaultRetentionPolicy: wanted.name,
    limits: { series: null, fieldsPerMeasurement: 10_000 },
  }
  return { ...document, databases: [...document.databases, created] }
}

/** CREATE RETENTION POLICY. */
export function withPolicy(document: StateDocument, database: string, command: PolicyCommand): StateDocument {
  return changeDatabase(document, database, (current) => {
    requireName(command.name)
    const wanted = policyOf(command.name, command)
    const there = current.retentionPolicies.find(({ name }) => name === command.name)
    if (there && !samePolicy(there, wanted)) {
      throw new AppError('conflict', 'ERR_RETENTION_EXISTS', 'retention policy already exists')
    }
    if (there && command.isDefault && current.defaultRetentionPolicy !== command.name) {
      throw new AppError(
        'conflict',
        'ERR_RETENTION_CONFLICT',
        'retention policy conflicts with an existing policy',
      )
    }
    return {
      ...current,
      retentionPolicies: there ? current.retentionPolicies : [...current.retentionPolicies, wanted],
      defaultRetentionPolicy: command.isDefault ? command.name : current.defaultRetentionPolicy,
    }
  })
}

/** ALTER RETENTION POLICY: what the command does not say stays. */
export function withChangedPolicy(
  document: StateDocument,
  database: string,
  command: PolicyCommand,
): StateDocument {
  return changeDatabase(document, database, (current) => {
    const there = current.retentionPolicies.find(({ name }) => name === command.name)
    if (!there) {
      throw new AppError(
        'not-found',
        'ERR_RETENTION_NOT_FOUND',
        `retention policy not found: ${command.name}`,
      )
    }
    const wanted = policyOf(command.name, {
      durationNs: command.durationNs ?? BigInt(there.durationNs),
      shardDurationNs: command.shardDurationNs ?? BigInt(there.shardDurationNs),
      replication: command.replication,
    })
    return {
      ...current,
      retentionPolicies: current.retentionPolicies.map((policy) => (policy === there ? wanted : policy)),
      defaultRetentionPolicy: command.isDefault ? command.name : current.defaultRetentionPolicy,
    }
  })
}

/** DROP RETENTION POLICY. @returns null when there is no such policy */
export function withoutPolicy(
  document: StateDocument,
  database: string,
  policy: string,
): StateDocument | null {
  const current = document.databases.find(({ name }) => name === database)
  if (!current?.retentionPolicies.some(({ name }) => name === policy)) return null
  if (current.retentionPolicies.length === 1) {
    throw new AppError(
      'conflict',
      'ERR_RETENTION_LAST',
      `retention policy "${policy}" is the only one of database "${database}"`,
    )
  }
  return changeDatabase(document, database, () => ({
    ...current,
    retentionPolicies: current.retentionPolicies.filter(({ name }) => name !== policy),
  }))
}
