import { AppError, type ErrorKind } from '../../common/errors.ts'

const passingKinds: readonly ErrorKind[] = ['unavailable', 'too-many-requests', 'conflict']

/** What one more try may mend: nobody needs to be told of it when it happens once. */
export function isPassing({ kind, code }: AppError): boolean {
  return code.startsWith('ERR_KUBE') && code !== 'ERR_KUBE_FENCED' && passingKinds.includes(kind)
}

/** What was asked, for messages. Never what was sent. */
export interface Asked {
  readonly verb: string
  readonly resource: string
  readonly namespace?: string | undefined
  readonly name?: string | undefined
}

type Code = `ERR_KUBE_${string}`

const byStatus: Readonly<Record<number, readonly [ErrorKind, Code]>> = {
  400: ['invalid', 'ERR_KUBE_INVALID'],
  401: ['unauthenticated', 'ERR_KUBE_UNAUTHENTICATED'],
  403: ['forbidden', 'ERR_KUBE_FORBIDDEN'],
  404: ['not-found', 'ERR_KUBE_NOT_FOUND'],
  405: ['unsupported', 'ERR_KUBE_UNSUPPORTED'],
  409: ['conflict', 'ERR_KUBE_CONFLICT'],
  410: ['unavailable', 'ERR_KUBE_EXPIRED'],
  413: ['too-large', 'ERR_KUBE_TOO_LARGE'],
  415: ['unsupported', 'ERR_KUBE_UNSUPPORTED'],
  422: ['invalid', 'ERR_KUBE_INVALID'],
  429: ['too-many-requests', 'ERR_KUBE_TOO_MANY_REQUESTS'],
}

const maxMessageLength = 1_000

/** The API server's `Status`, as far as we read it. */
interface Status {
  readonly code?: number
  readonly reason?: string
  readonly message?: string
  readonly fields: readonly string[]
}

export function askedText({ verb, resource, namespace, name }: Asked): string {
  return [verb, resource, [namespace, name].filter((part) => part !== undefined).join('/')]
    .filter((part) => part !== '')
    .join(' ')
}

/**
 * The error for an answer other than 2xx.
 * @param body the parsed answer: a `Status`, or whatever a proxy on the way has said
 */
export function answerError(statusCode: number, body: unknown, asked: Asked): AppError {
  const status = parseStatus(body)
  // A policy that finds no parameter says 422, as if something were wrong with what was sent.
  const meant = statusCode === 422 && policyThatRefused(status) !== null ? 403 : statusCode
  const [kind, code] = byStatus[meant] ?? [statusCode >= 500 ? 'unavailable' : 'internal', 'ERR_KUBE']
  const specific =
    status.reason === 'AlreadyExists'
      ? 'ERR_KUBE_ALREADY_EXISTS'
      : status.reason === 'Expired'
        ? 'ERR_KUBE_EXPIRED'
        : code
  return new AppError(
    kind,
    specific,
    `${askedText(asked)}: ${statusCode} ${explain(status, asked)}`.slice(0, maxMessageLength),
    {
      details: { ...asked, statusCode, reason: status.reason },
    },
  )
}

/** The error for a `Status` that a watch has sent as an event. */
export function statusError(status: unknown, asked: Asked): AppError {
  return answerError(parseStatus(status).code ?? 500, status, asked)
}

/** No answer came: refused, reset, timed out. */
export function connectionError(error: unknown, asked: Asked): AppError {
  if (error instanceof AppError) return error
  const reason = error instanceof Error ? `${codeOf(error)}${error.message}` : String(error)
  return new AppError(
    'unavailable',
    'ERR_KUBE_CONNECTION',
    `${askedText(asked)}: ${reason}`.slice(0, maxMessageLength),
    {
      details: { ...asked },
    },
  )
}

const codeOf = (error: Error): string =>
  'code' in error && typeof error.code === 'string' ? `${error.code} ` : ''

/** A refused Secret is described by the fields at fault: the server's own sentence may quote their values. */
function explain(status: Status, asked: Asked): string {
  const reason = status.reason ?? 'no reason given'
  if (asked.resource !== 'secrets') return status.message ?? reason
  const policy = policyThatRefused(status)
  if (policy !== null) return `${reason} by ValidatingAdmissionPolicy ${policy}`
  return status.fields.length > 0 ? `${reason} (${status.fields.join(', ')})` : reason
}

/** The name of the admission policy that refused, null if it was not one. */
function policyThatRefused({ message = '' }: Status): string | null {
  return / is forbidden: ValidatingAdmissionPolicy '([-.a-z0-9]{1,253})' /.exec(message)?.[1] ?? null
}

function parseStatus(body: unknown): Status {
  if (!isRecord(body)) return { fields: [] }
  const causes = isRecord(body['details']) ? body['details']['causes'] : undefined
  const fields = Array.isArray(causes)
    ? causes.flatMap((cause: unknown) =>
        isRecord(cause) && typeof cause['field'] === 'string' ? [cause['field']] : [],
      )
    : []
  return {
    ...(typeof body['code'] === 'number' ? { code: body['code'] } : {}),
    ...(typeof body['reason'] === 'string' ? { reason: body['reason'] } : {}),
    ...(typeof body['message'] === 'string' ? { message: body['message'] } : {}),
    fields,
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
