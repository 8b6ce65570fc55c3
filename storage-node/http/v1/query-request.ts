import type { IncomingMessage } from 'node:http'
import { AppError } from '../../../common/errors.ts'
import type { Epoch } from '../../query/encode/json.ts'

/** What a client asks of `/query`, from the URL and, with POST, from a form in the body, which comes first. */
export interface QueryRequest {
  readonly text: string
  readonly database: string | null
  readonly retentionPolicy: string | null
  readonly epoch: Epoch
  readonly chunked: boolean
  readonly chunkSize: number
  readonly async: boolean
  readonly parameters: Readonly<Record<string, unknown>>
}

/**
 * A form is taken apart in one go, without a turn for anybody else: names and values take time that grows with the
 * square of how many they are.
 */
export const formLimits = {
  /** The longest text of a query, each character as `%41`, and more. */
  bytes: 2_000_000,
  fields: 1_000,
  /** Characters of `params`. */
  parameters: 100_000,
} as const

const defaultChunkSize = 10_000
const epochs: ReadonlySet<string> = new Set(['u', 'ms', 's', 'm', 'h'])

export type Field = (name: string) => string

/** Is there a form in the body of this request? */
export function hasForm(request: IncomingMessage): boolean {
  const type = contentType(request)
  return type === 'application/x-www-form-urlencoded' || type === 'multipart/form-data'
}

const contentType = (request: IncomingMessage): string =>
  (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()

/**
 * The fields of a form; a file `q` of a multipart form is the text of the query.
 * @throws AppError invalid when the body is no such form
 */
export async function readForm(request: IncomingMessage, body: Buffer): Promise<URLSearchParams> {
  const type = request.headers['content-type'] ?? ''
  const isPlain = contentType(request) === 'application/x-www-form-urlencoded'
  // One stands between two fields of the one form; around all fields of the other.
  const [separator, most] = isPlain
    ? (['&', formLimits.fields - 1] as const)
    : ([`--${boundaryOf(type)}`, formLimits.fields + 1] as const)
  if (hasMoreThan(body, separator, most))
    throw new AppError('invalid', 'ERR_QUERY_FORM', `a form of more than ${formLimits.fields} fields`)
  if (isPlain) return new URLSearchParams(body.toString('utf8'))
  try {
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()
    const fields = new URLSearchParams()
    for (const [name, value] of form)
      fields.append(name, typeof value === 'string' ? value : await value.text())
    return fields
  } catch (error) {
    throw new AppError('invalid', 'ERR_QUERY_FORM', 'error parsing multipart form', { cause: error })
  }
}

/** What separates the fields of a multipart form (RFC 2046, section 5.1.1). */
const boundaryOf = (type: string): string => /boundary="?([^";]+)/i.exec(type)?.[1] ?? ''

function hasMoreThan(bytes: Buffer, separator: string, limit: number): boolean {
  let count = 0
  for (let at = bytes.indexOf(separator); at >= 0; at = bytes.indexOf(separator, at + separator.length))
    if (++count > limit) return true
  return false
}

/** @throws AppError invalid, in the words of InfluxDB 1.8 */
export function queryRequestOf(url: URLSearchParams, form: URLSearchParams | null): QueryRequest {
  const field: Field = (name) => form?.get(name) ?? url.get(name) ?? ''
  const text = field('q').trim()
  if (text === '') throw new AppError('invalid', 'ERR_QUERY_MISSING', 'missing required parameter "q"')
  const chunkSize = Number(field('chunk_size'))
  return {
    text,
    database: field('db') || null,
    retentionPolicy: field('rp') || null,
    epoch: epochOf(field('epoch')),
    chunked: field('chunked') === 'true',
    chunkSize: Number.isSafeInteger(chunkSize) && chunkSize > 0 ? chunkSize : defaultChunkSize,
    async: field('async') === 'true',
    parameters: parseParameters(field('params')),
  }
}

/** Any unit that is not known means nanoseconds, none at all means text. */
function epochOf(text: string): Epoch {
  if (text === '') return null
  return epochs.has(text) ? (text as Epoch) : 'ns'
}

/** Integers come as bigint: they may be larger than a double holds. */
function parseParameters(text: string): Readonly<Record<string, unknown>> {
  if (text === '') return {}
  const refused = (reason: string, cause?: unknown) =>
    new AppError('invalid', 'ERR_QUERY_PARAMETERS', `error parsing query parameters: ${reason}`, { cause })
  if (text.length > formLimits.parameters) throw refused(`longer than ${formLimits.parameters} characters`)
  let parsed: unknown
  try {
    parsed = JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) =>
      typeof value === 'number' && /^-?[0-9]+$/.test(context?.source ?? '')
        ? BigInt(context!.source!)
        : value,
    )
  } catch (error) {
    throw refused('JSON expected', error)
  }
  if (parsed === null) return {} // The Go client always sends params=null.
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw refused('a JSON object expected')
  return parsed as Record<string, unknown>
}
