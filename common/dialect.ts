/**
 * The dialects of HTTP that clients speak, and what the gateway and the storage nodes must answer alike, byte for
 * byte, so that a client cannot tell which of the two did.
 */
export type Dialect = 'v1' | 'v2'

export function dialectOf(path: string): Dialect {
  return path.startsWith('/api/v2/') ? 'v2' : 'v1'
}

/** The InfluxDB whose behaviour the v1 endpoints keep to: some clients choose features by this header. */
export const compatibleVersion = '1.8.10'

export interface WireError {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** An error body of InfluxDB 1.x, with its headers. A 401 asks for credentials in place of naming the error. */
export function v1Error(status: number, message: string): WireError {
  const asHeader = message.replaceAll(/[^\t\x20-\x7e]/g, ' ').slice(0, 1024)
  return {
    headers: {
      'content-type': 'application/json',
      ...(status === 401
        ? { 'www-authenticate': 'Basic realm="InfluxDB"' }
        : { 'x-influxdb-error': asHeader }),
    },
    body: `${goJson({ error: message })}\n`,
  }
}

/** An error body of InfluxDB 2.x. @param code InfluxDB 2's own word, for example `not found` */
export function v2Error(code: string, message: string): WireError {
  return {
    headers: { 'content-type': 'application/json; charset=utf-8', 'x-platform-error-code': code },
    body: JSON.stringify({ code, message }),
  }
}

/** The answer to a request without valid credentials: one for each dialect, whatever was wrong with them. */
export function unauthorized(dialect: Dialect): WireError {
  return dialect === 'v2'
    ? v2Error('unauthorized', 'unauthorized access')
    : v1Error(401, 'authorization failed')
}

/** JSON with the escapes of Go's encoder, which InfluxDB 1.x answers with. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
