import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'

/** What a caller shows to be let in, and by what it knows the other side; PEM. */
export interface ClientIdentity {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

const PROBE_TIMEOUT_MS = 2_000
const MAX_BODY_BYTES = 4 * 1024 * 1024

/**
 * @returns the body of a 200 answer
 * @throws Error on any other answer, or none within two seconds
 */
export function get(url: string, identity?: ClientIdentity): Promise<string> {
  const request = url.startsWith('https:') ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { ...identity, agent: false, signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) },
      (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.byteLength
          if (bytes > MAX_BODY_BYTES)
            response.destroy(new Error(`${url} answers with more than ${MAX_BODY_BYTES} bytes`))
          else chunks.push(chunk)
        })
        response.on('error', reject)
        response.on('end', () => {
          const body = Buffer.concat(chunks).toString()
          if (response.statusCode === 200) resolve(body)
          else reject(new Error(`${url} answers ${response.statusCode}: ${body.slice(0, 300)}`))
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
  })
}
