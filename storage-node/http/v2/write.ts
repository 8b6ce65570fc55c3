import { AppError } from '../../../common/errors.ts'
import type { DatabaseState, StateDocument } from '../../../common/state-document.ts'
import type { Precision } from '../../line-protocol/batch.ts'
import { requireWrite } from '../access.ts'
import type { AuthenticatedExchange } from '../exchange.ts'
import { requireState, type NodeParts } from '../parts.ts'
import { respond } from '../respond.ts'
import { requirePolicy, writeLines } from '../write.ts'

const precisions = new Map<string, Precision>([
  ['', 'ns'],
  ['ns', 'ns'],
  ['us', 'us'],
  ['ms', 'ms'],
  ['s', 's'],
])

/** `POST /api/v2/write?org=|orgID=&bucket=&precision=`, InfluxDB 2. */
export async function writeV2(parts: NodeParts, exchange: AuthenticatedExchange): Promise<void> {
  const { query } = exchange
  const { document } = requireState(parts)
  requireOrganization(document, query)
  const precision = precisions.get(query.get('precision') ?? '')
  if (precision === undefined) {
    throw new AppError(
      'invalid',
      'ERR_PRECISION',
      'invalid precision; valid precision units are ns, us, ms, and s',
    )
  }
  const bucket = query.get('bucket') ?? ''
  if (bucket === '') throw new AppError('not-found', 'ERR_BUCKET_NOT_FOUND', 'bucket not found')
  const target = databaseOfBucket(document, bucket)
  requireWrite(parts, exchange, target.name)
  if (!target.database) throw bucketNotFound(bucket)
  if (target.retentionPolicy !== null && !hasPolicy(target.database, target.retentionPolicy)) {
    throw bucketNotFound(bucket)
  }
  requirePolicy(target.database, target.retentionPolicy)

  const report = await writeLines(parts, exchange, {
    database: target.database,
    retentionPolicy: target.retentionPolicy,
    precision,
  })
  if (report.bodyBytes === 0) {
    throw new AppError('invalid', 'ERR_WRITE_EMPTY', 'writing requires points')
  }
  if (report.partial !== null) {
    throw new AppError(
      'conflict',
      'ERR_WRITE_PARTIAL',
      `failure writing points to database: ${report.partial}`,
    )
  }
  if (report.parseErrors !== null) {
    throw new AppError(
      'invalid',
      'ERR_WRITE_PARSE',
      report.accepted > 0 ? `partial write: ${report.parseErrors} dropped=0` : report.parseErrors,
    )
  }
  respond(exchange, 204, {}, '')
}

export const bucketNotFound = (bucket: string) =>
  new AppError('not-found', 'ERR_BUCKET_NOT_FOUND', `bucket ${JSON.stringify(bucket)} not found`)

const hasPolicy = (database: DatabaseState, policy: string): boolean =>
  database.retentionPolicies.some(({ name }) => name === policy)

/**
 * The token has said already whose the request is; a client that names an organization must name this one. Every
 * other name gets the answer for one that does not exist, since here it does not.
 * @throws AppError not-found
 */
export function requireOrganization(document: StateDocument, query: URLSearchParams): void {
  const { id, name, displayName } = document.organization
  for (const given of query.getAll('orgID')) {
    if (given !== '' && given !== id) throw organizationNotFound(given)
  }
  for (const given of query.getAll('org')) {
    if (given !== '' && ![id, name, displayName].includes(given)) throw organizationNotFound(given)
  }
}

const organizationNotFound = (given: string) =>
  new AppError(
    'not-found',
    'ERR_ORGANIZATION_NOT_FOUND',
    `organization name ${JSON.stringify(given)} not found`,
  )

export interface BucketTarget {
  /** What permissions are about, also where there is no such database. */
  readonly name: string
  readonly database: DatabaseState | null
  readonly retentionPolicy: string | null
}

/** A bucket is a database by name or id, or `database/policy`. */
export function databaseOfBucket(document: StateDocument, bucket: string): BucketTarget {
  const whole = document.databases.find(({ name, id }) => name === bucket || id === bucket)
  if (whole) return { name: whole.name, database: whole, retentionPolicy: null }
  const slash = bucket.indexOf('/')
  if (slash < 0) return { name: bucket, database: null, retentionPolicy: null }
  const name = bucket.slice(0, slash)
  const database = document.databases.find((there) => there.name === name) ?? null
  return { name, database, retentionPolicy: bucket.slice(slash + 1) || null }
}
