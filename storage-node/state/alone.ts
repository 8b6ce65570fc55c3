import { randomBytes } from 'node:crypto'
import { AppError } from '../../common/errors.ts'
import { tokenId } from '../../common/ids.ts'
import {
  stateFormatVersion,
  type DatabaseState,
  type RetentionPolicyState,
  type StateDocument,
  type TokenState,
} from '../../common/state-document.ts'
import { hashToken } from '../../common/token.ts'
import type { CatalogCommands, RetentionPolicyOptions } from '../query/influxql/context.ts'
import type { StateStore } from './state-store.ts'

const hourNs = 3_600_000_000_000n
const dayNs = 24n * hourNs
const defaultPolicyName = 'autogen'

export const newId = (): string => randomBytes(8).toString('hex')

/** The first document of a node that runs alone. */
export function firstDocument(organizationId: string): StateDocument {
  return {
    formatVersion: stateFormatVersion,
    organization: { id: organizationId, name: 'holdfast', displayName: 'Holdfast', directAccess: true },
    databases: [],
    tokens: [],
    limits: {
      databases: 1_000,
      series: 10_000_000,
      writeBytesPerSecond: null,
      concurrentQueries: 20,
      queryTimeoutNs: '60000000000',
    },
  }
}

/** The entry for a token that may do everything. */
export function adminTokenState(token: string): TokenState {
  const hash = hashToken(token)
  return {
    id: tokenId(hash),
    hash,
    permissions: [{ database: '*', access: ['read', 'write'] }, { manage: ['databases', 'tokens', 'users'] }],
    expiresAt: null,
  }
}

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

/** What a dropped database leaves behind, and how to be rid of it. */
export interface DataDisposal {
  dropDatabase(databaseId: string): Promise<void>
}

/** The catalogue of a node that runs alone: the statements change its own state document. */
export function aloneCommands(store: StateStore, data: DataDisposal): CatalogCommands {
  const idOf = (database: string): string | null =>
    store.inForce?.document.databases.find(({ name }) => name === database)?.id ?? null
  return {
    createDatabase: (database, policy) =>
      store.update((document) => withDatabase(document, database, policy, newId())),
    async dropDatabase(database) {
      const id = idOf(database)
      if (id === null) return
      await store.update((document) => ({
        ...document,
        databases: document.databases.filter((there) => there.id !== id),
      }))
      await data.dropDatabase(id)
    },
    createRetentionPolicy: (database, policy) =>
      store.update((document) => withPolicy(document, database, policy)),
    alterRetentionPolicy: (database, policy) =>
      store.update((document) => withChangedPolicy(document, database, policy)),
    dropRetentionPolicy: (database, policy) =>
      store.update((document) => withoutPolicy(document, database, policy)),
  }
}

/** On a cluster databases are resources; the statements that would change them say so. */
export const clusterCommands = (store: StateStore): CatalogCommands => {
  const refuse = async (): Promise<void> => {
    throw new AppError(
      'unsupported',
      'ERR_CATALOG_IS_DECLARED',
      'databases and retention policies are declared by Database resources on this cluster',
    )
  }
  const has = (database: string): boolean =>
    store.inForce?.document.databases.some(({ name }) => name === database) === true
  return {
    // Agents create their database at each start, and must not fail when it is there.
    createDatabase: async (database, policy) => (has(database) && policy === null ? undefined : refuse()),
    dropDatabase: refuse,
    createRetentionPolicy: refuse,
    alterRetentionPolicy: refuse,
    dropRetentionPolicy: refuse,
  }
}
