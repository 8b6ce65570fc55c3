import { AppError } from '../../../common/errors.ts'
import type { Expr } from '../../query/influxql/ast.ts'
import { deleteRequestOf, type Deletion } from '../../query/influxql/delete.ts'
import { turnsOf } from '../../query/influxql/in-turns.ts'
import { parseTimeLiteral } from '../../query/influxql/time-literal.ts'
import { formatTime, maxTimeNs, minTimeNs } from '../../query/time.ts'
import { requireWrite } from '../access.ts'
import { withBody } from '../body.ts'
import type { AuthenticatedExchange } from '../exchange.ts'
import { requireEngine, requireState, type NodeParts } from '../parts.ts'
import { respond } from '../respond.ts'
import { parsePredicate } from './delete-predicate.ts'
import { bucketNotFound, databaseOfBucket, requireOrganization } from './write.ts'

const maxBodyBytes = 1_000_000

export interface DeleteBody {
  /** Inclusive, nanoseconds; so is the other. */
  readonly startNs: bigint
  readonly stopNs: bigint
  readonly condition: Expr | null
}

/** `POST /api/v2/delete?org=|orgID=&bucket=|bucketID=`, InfluxDB 2: points of one bucket, in time and by tags. */
export async function deleteV2(parts: NodeParts, exchange: AuthenticatedExchange): Promise<void> {
  const { query } = exchange
  const body = await withBody(
    exchange,
    parts.bodies,
    async (bytes) => deleteBodyOf(bytes.toString('utf8')),
    maxBodyBytes,
  )
  const { document } = requireState(parts)
  requireOrganization(document, query)
  const bucket = query.get('bucketID') || query.get('bucket') || ''
  if (bucket === '')
    throw new AppError('invalid', 'ERR_BUCKET_REQUIRED', 'Please provide either bucketID or bucket')
  const { name, database, retentionPolicy } = databaseOfBucket(document, bucket)
  requireWrite(parts, exchange, name, 'delete')
  if (!database) throw bucketNotFound(bucket)
  const policy = retentionPolicy ?? database.defaultRetentionPolicy
  if (!database.retentionPolicies.some((each) => each.name === policy)) throw bucketNotFound(bucket)

  const engine = requireEngine(parts)
  const deletion: Deletion = {
    databaseId: database.id,
    retentionPolicy: policy,
    sources: [],
    condition: body.condition,
    range: { minNs: body.startNs, maxNs: body.stopNs },
  }
  // To find the series is as much work as for a query.
  const slot = parts.slots.take(document.limits.concurrentQueries)
  try {
    const turns = turnsOf({ endTurn: parts.turns.end, signal: exchange.clientGone })
    const request = await deleteRequestOf(deletion, engine, turns)
    if (request) await engine.delete(request)
  } finally {
    slot.release()
  }
  respond(exchange, 204, {}, '')
}

/** @throws AppError invalid, in the words of InfluxDB 2 */
export function deleteBodyOf(text: string): DeleteBody {
  try {
    const { start, stop, predicate } = fieldsOf(text)
    const startNs = timeOf(start, 'start', '2009-01-02T23:00:00Z')
    if (startNs < minTimeNs || startNs > maxTimeNs)
      throw invalid(`invalid start time, start time must not be before ${formatTime(minTimeNs)}`)
    const stopNs = timeOf(stop, 'stop', '2009-01-01T23:00:00Z')
    if (stopNs < minTimeNs || stopNs > maxTimeNs)
      throw invalid(`invalid stop time, stop time must not be after ${formatTime(maxTimeNs)}`)
    return { startNs, stopNs, condition: parsePredicate(predicate) }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw invalid(`invalid request; error parsing request json: ${error.message}`)
  }
}

const invalid = (message: string): AppError => new AppError('invalid', 'ERR_DELETE_BODY', message)

type Fields = Readonly<Record<'start' | 'stop' | 'predicate', string>>

function fieldsOf(text: string): Fields {
  const parsed = parseJson(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw invalid('a JSON object expected')
  const fields = new Map(Object.entries(parsed))
  const take = (name: keyof Fields): string => {
    const value: unknown = fields.get(name) ?? ''
    if (typeof value !== 'string') throw invalid(`${name}: a string expected`)
    return value
  }
  return { start: take('start'), stop: take('stop'), predicate: take('predicate') }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new AppError('invalid', 'ERR_DELETE_BODY', 'it is no JSON', { cause: error })
  }
}

function timeOf(text: string, field: string, example: string): bigint {
  const ns = /^\d{4}-\d{2}-\d{2}T/.test(text) ? parseTimeLiteral(text, null) : null
  if (ns !== null) return ns
  throw invalid(
    `invalid RFC3339Nano for field ${field}, please format your time with RFC3339Nano format, example: ${example}`,
  )
}
