import { durationMs, parseDuration } from '../../common/duration.ts'
import { tokenId } from '../../common/ids.ts'
import {
  canonicalJson,
  noOtherAuthentication,
  stateFormatVersion,
  type DatabaseState,
  type Permission,
  type RetentionPolicyState,
  type StateDocument,
  type TokenState,
} from '../../common/state-document.ts'
import { autogen, databaseName, type Database } from '../api/database.ts'
import type { Metadata } from '../api/metadata.ts'
import { displayName, type Organization } from '../api/organization.ts'
import { bytesOf } from '../api/quantity.ts'
import type { Token, TokenSpec } from '../api/token.ts'
import { compareText } from '../compare-text.ts'
import { organizationIdOf } from '../naming/organization-id.ts'
import { holderOf } from './holdings.ts'

const hourNs = 3_600_000_000_000n
const dayNs = 24n * hourNs
/** The longest span that 64-bit nanoseconds hold, 292 years. A longer duration means as much: for ever. */
const maxNs = 2n ** 63n - 1n
const maxTimeMs = Date.parse('9999-12-31T23:59:59.999Z')

/** A database that is not served, and why. */
export interface RefusedDatabase {
  readonly database: Database
  readonly reason: 'DatabaseNameTaken' | 'LimitReached'
  readonly message: string
}

export interface AdmittedDatabases {
  readonly admitted: readonly Database[]
  readonly refused: readonly RefusedDatabase[]
}

/**
 * Which databases of an organization are served: of two with one name the older, and no more than the limit. Those that
 * are being deleted are in neither list. The oldest come first, so that a newcomer never displaces one that is served.
 */
export function admitDatabases(
  organization: Organization,
  databases: readonly Database[],
): AdmittedDatabases {
  const admitted: Database[] = []
  const refused: RefusedDatabase[] = []
  const names = new Set<string>()
  const limit = organization.spec.limits.databases
  for (const database of oldestFirst(databases.filter(({ metadata }) => !metadata.deletionTimestamp))) {
    const name = databaseName(database)
    if (names.has(name)) {
      const message = `spec.databaseName: an older Database of the organization is called "${name}"; choose another name`
      refused.push({ database, reason: 'DatabaseNameTaken', message })
    } else if (admitted.length >= limit) {
      const message = `the organization has its ${limit} databases; raise spec.limits.databases of Organization ${organization.metadata.name} or delete one`
      refused.push({ database, reason: 'LimitReached', message })
    } else {
      names.add(name)
      admitted.push(database)
    }
  }
  return { admitted, refused }
}

/**
 * The organization's whole truth, as its storage nodes get it. Equal resources give equal bytes, in whatever order they
 * come. Left out are databases that are not admitted, and databases and tokens that are being deleted. Tokens that have
 * expired stay, with their ends: what is left out is revoked for ever, and a clock that runs ahead must not do that.
 * @param databases those of this organization
 * @param tokens those of this organization; what they hold for valid is in their status
 * @param databaseIdOf where the data of a database is; see holdings.ts
 */
export function stateDocument(
  organization: Organization,
  databases: readonly Database[],
  tokens: readonly Token[],
  databaseIdOf: (database: Database) => string = holderOf,
): StateDocument {
  const { metadata, spec } = organization
  return {
    formatVersion: stateFormatVersion,
    organization: {
      id: organizationIdOf(organization),
      name: metadata.name,
      displayName: displayName(organization),
      directAccess: spec.access.from.length > 0,
    },
    databases: admitDatabases(organization, databases)
      .admitted.map((database) => databaseState(database, databaseIdOf(database)))
      .sort((a, b) => compareText(a.id, b.id)),
    tokens: tokenStates(tokens),
    limits: {
      databases: spec.limits.databases,
      series: spec.limits.series,
      writeBytesPerSecond: spec.limits.writeBytesPerSecond,
      concurrentQueries: spec.limits.concurrentQueries,
      queryTimeoutNs: nanoseconds(parseDuration(spec.limits.queryTimeout)),
      requestsPerSecond: spec.limits.requestsPerSecond,
      rowsPerQuery: spec.limits.rowsPerQuery,
      queryMemoryBytes: spec.limits.queryMemory === null ? null : bytesOf(spec.limits.queryMemory),
    },
    authentication: noOtherAuthentication,
    members: [],
    audit: null,
  }
}

/** When the tokens of a resource end, RFC 3339, or null for never. */
export function expiryOf(token: Token): string | null {
  const { expiresAfter } = token.spec
  if (expiresAfter === null) return null
  const endMs = Date.parse(token.metadata.creationTimestamp) + durationMs(expiresAfter)
  return new Date(Math.min(endMs, maxTimeMs)).toISOString()
}

/** The next moment at which a token ends, in milliseconds since the epoch, or null for never. @param nowMs the same */
export function nextExpiryMs(document: StateDocument, nowMs: number): number | null {
  let nextMs = Infinity
  for (const { expiresAt } of document.tokens) {
    const endMs = expiresAt === null ? Infinity : Date.parse(expiresAt)
    if (endMs > nowMs && endMs < nextMs) nextMs = endMs
  }
  return nextMs === Infinity ? null : nextMs
}

/**
 * The time range of one group of files where nobody chose one, as InfluxDB 1.x derives it from how long points are kept.
 * @param durationNs 0 for ever
 */
export function defaultShardDurationNs(durationNs: bigint): bigint {
  if (durationNs === 0n || durationNs >= 180n * dayNs) return 168n * hourNs
  return durationNs < 2n * dayNs ? hourNs : 24n * hourNs
}

function databaseState(database: Database, id: string): DatabaseState {
  const { spec } = database
  const further = spec.retentionPolicies
    .map(({ name, duration, shardDuration }) => retentionPolicy(name, duration, shardDuration))
    .sort((a, b) => compareText(a.name, b.name))
  return {
    id,
    name: databaseName(database),
    retentionPolicies: [retentionPolicy(autogen, spec.retention, null), ...further],
    defaultRetentionPolicy: spec.defaultRetentionPolicy,
    limits: { series: spec.limits.series, fieldsPerMeasurement: spec.limits.fieldsPerMeasurement },
  }
}

function retentionPolicy(name: string, duration: string, shardDuration: string | null): RetentionPolicyState {
  const durationNs = parseDuration(duration)
  const asked = shardDuration === null ? defaultShardDurationNs(durationNs) : parseDuration(shardDuration)
  // A shard longer than its policy would keep points beyond their time.
  const shardDurationNs = durationNs > 0n && asked > durationNs ? durationNs : asked
  return { name, durationNs: nanoseconds(durationNs), shardDurationNs: nanoseconds(shardDurationNs) }
}

function tokenStates(tokens: readonly Token[]): TokenState[] {
  const byId = new Map<string, TokenState>()
  for (const token of oldestFirst(tokens.filter(({ metadata }) => !metadata.deletionTimestamp))) {
    const ofResource = expiryOf(token)
    const permissions = permissionStates(token.spec)
    for (const { hash, expiresAt: ofString } of token.status?.tokens ?? []) {
      const expiresAt = earlier(ofString, ofResource)
      const id = tokenId(hash)
      if (!byId.has(id)) byId.set(id, { id, hash, permissions, expiresAt })
    }
  }
  return [...byId.values()].sort((a, b) => compareText(a.id, b.id))
}

function permissionStates({ permissions }: TokenSpec): Permission[] {
  return permissions
    .map(({ database, access, manage }): Permission => {
      if (manage !== null) return { manage: manage.toSorted() }
      return { database: database ?? '', access: access?.toSorted() ?? [] }
    })
    .sort((a, b) => compareText(canonicalJson(a), canonicalJson(b)))
}

/** The earlier of two times, RFC 3339, always spelled with milliseconds; null is never. */
function earlier(a: string | null, b: string | null): string | null {
  const times = [a, b].flatMap((time) => (time === null ? [] : [Date.parse(time)]))
  return times.length === 0 ? null : new Date(Math.min(...times)).toISOString()
}

function oldestFirst<Resource extends { readonly metadata: Metadata }>(
  resources: readonly Resource[],
): Resource[] {
  return resources.toSorted(
    (a, b) =>
      Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
      compareText(a.metadata.uid, b.metadata.uid),
  )
}

const nanoseconds = (value: bigint): string => String(value > maxNs ? maxNs : value)
