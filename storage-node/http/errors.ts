import { unauthorized, v1Error, v2Error, type Dialect, type WireError } from '../../common/dialect.ts'
import { AppError, unreachable, type ErrorKind } from '../../common/errors.ts'
import { encodeCsvError } from '../query/encode/csv.ts'
import { encodeJsonError } from '../query/encode/json.ts'
import type { AnswerForm } from './v1/form.ts'
import type { AdminError } from '../../common/admin-api.ts'

export interface ErrorAnswer extends WireError {
  readonly status: number
}

/** Seconds after which a client should come back, where coming back may help. */
const retryAfterSeconds = 2

/** Codes whose status says more than their kind does. */
const statuses: Readonly<Record<string, number>> = {
  ERR_BODY_ENCODING: 415,
}

/** Codes that InfluxDB 1.8 answers with another status than their kind has. */
const v1Statuses: Readonly<Record<string, number>> = {
  ERR_WRITE_POLICY_NOT_FOUND: 500,
}

/**
 * The one place that turns a failure into a status and a body, for the dialect of the request.
 * @param form of v1 only
 */
export function answerOf(error: unknown, dialect: Dialect, form: AnswerForm = compactJson): ErrorAnswer {
  const known = error instanceof AppError ? error : null
  const kind = known?.kind ?? 'internal'
  // The text of a failure that nobody foresaw may hold anything; it is for the log.
  const message = known && kind !== 'internal' ? known.message : 'internal error'
  // One body for all, which the gateway can give as well.
  if (kind === 'unauthenticated') return { status: 401, ...unauthorized(dialect) }
  const code = known?.code ?? ''
  const wire =
    dialect === 'v2'
      ? { status: statuses[code] ?? v2Status(kind), ...v2Error(v2Code(kind), message) }
      : {
          status: statuses[code] ?? v1Statuses[code] ?? statusOf(kind),
          ...inForm(v1Error(statusOf(kind), message), message, form),
        }
  if (kind !== 'unavailable' && kind !== 'too-many-requests') return wire
  return { ...wire, headers: { ...wire.headers, 'retry-after': String(retryAfterSeconds) } }
}

const compactJson: AnswerForm = { contentType: 'application/json', pretty: false }

function inForm(error: WireError, message: string, { contentType, pretty }: AnswerForm): WireError {
  if (contentType === 'application/json' && !pretty) return error
  const body = contentType === 'application/json' ? encodeJsonError(message, pretty) : encodeCsvError(message)
  return {
    headers: { ...error.headers, 'content-type': contentType },
    body: Buffer.from(body).toString('utf8'),
  }
}

/** The admin port's own form. */
export function adminAnswerOf(error: unknown): ErrorAnswer {
  const known = error instanceof AppError ? error : null
  const kind = known?.kind ?? 'internal'
  const body: AdminError = {
    code: known?.code ?? 'ERR_INTERNAL',
    message: known && kind !== 'internal' ? known.message : 'internal error',
  }
  return {
    status: known?.code.startsWith('ERR_STATE_') && kind === 'invalid' ? 422 : statusOf(kind),
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(body),
  }
}

function v2Status(kind: ErrorKind): number {
  return kind === 'conflict' ? 422 : statusOf(kind)
}

function statusOf(kind: ErrorKind): number {
  switch (kind) {
    case 'invalid':
      return 400
    case 'unauthenticated':
      return 401
    case 'forbidden':
      return 403
    case 'not-found':
      return 404
    case 'conflict':
      return 409
    case 'too-large':
      return 413
    case 'too-many-requests':
      return 429
    case 'unsupported':
      return 501
    case 'unavailable':
      return 503
    case 'corrupt':
    case 'internal':
      return 500
    default:
      return unreachable(kind)
  }
}

/** InfluxDB 2's words. */
function v2Code(kind: ErrorKind): string {
  switch (kind) {
    case 'invalid':
      return 'invalid'
    case 'unauthenticated':
      return 'unauthorized'
    case 'forbidden':
      return 'forbidden'
    case 'not-found':
      return 'not found'
    case 'conflict':
      return 'unprocessable entity'
    case 'too-large':
      return 'request too large'
    case 'too-many-requests':
      return 'too many requests'
    case 'unsupported':
      return 'not implemented'
    case 'unavailable':
      return 'unavailable'
    case 'corrupt':
    case 'internal':
      return 'internal error'
    default:
      return unreachable(kind)
  }
}

/** No such path: as the routers of InfluxDB 1 and 2 answer. */
export function notFound(dialect: Dialect): ErrorAnswer {
  return dialect === 'v2'
    ? { status: 404, ...v2Error('not found', 'path not found') }
    : { status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: '404 page not found\n' }
}

export function methodNotAllowed(dialect: Dialect, allowed: readonly string[]): ErrorAnswer {
  const allow = allowed.join(', ')
  const answer: WireError =
    dialect === 'v2'
      ? v2Error('method not allowed', `allow: ${allow}`)
      : { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'Method Not Allowed\n' }
  return { status: 405, headers: { ...answer.headers, allow }, body: answer.body }
}
