import { letInHeader } from '../common/door.ts'

/** Headers that concern one connection only (RFC 9110, 7.6.1), or that the gateway settles itself. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const settledByGateway = new Set([
  'expect',
  'forwarded',
  'host',
  'request-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  letInHeader,
  'x-real-ip',
  'x-request-id',
])

/** Names that the Connection header declares to be of this connection only. */
const namedByConnection = (value: string | undefined): ReadonlySet<string> =>
  new Set((value ?? '').split(',').map((name) => name.trim().toLowerCase()))

/**
 * The headers to send to a node, as a flat list of names and values.
 * @param raw as they came, names and values in turn
 */
export function requestHeaders(
  raw: readonly string[],
  connection: string | undefined,
  own: { readonly source: string; readonly requestId: string; readonly protocol: 'http' | 'https' },
): string[] {
  const dropped = namedByConnection(connection)
  const kept: string[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!.toLowerCase()
    if (hopByHop.has(name) || settledByGateway.has(name) || dropped.has(name)) continue
    kept.push(name, raw[index + 1]!)
  }
  kept.push('x-forwarded-for', own.source, 'x-forwarded-proto', own.protocol, 'x-request-id', own.requestId)
  return kept
}

/** The headers of a node's answer that go on to the client. */
export function responseHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | string[]> {
  const connection = headers['connection']
  const dropped = namedByConnection(Array.isArray(connection) ? connection.join(',') : connection)
  const kept: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name === letInHeader || hopByHop.has(name) || dropped.has(name)) continue
    kept[name] = value
  }
  return kept
}
