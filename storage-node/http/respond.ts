import type { ServerResponse } from 'node:http'
import { constants, createGzip } from 'node:zlib'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import type { Exchange } from './exchange.ts'

/** A client that takes nothing for this long is gone. */
const stalledClientMs = 60_000

/** Answers with a body of known size, "" for none. */
export function respond(
  { request, response }: Pick<Exchange, 'request' | 'response'>,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): void {
  // Whether a client that was not told to go on sends its body all the same is its own choice (RFC 9110, 10.1.1).
  if (request.headers.expect !== undefined && !request.complete) response.setHeader('connection', 'close')
  const length = status === 204 || status === 304 ? {} : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { ...headers, ...length })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/**
 * Streams an answer piece by piece, as fast as the client takes it. The first piece is made before the headers go, so
 * that what fails at once still has its status. A failure later ends the connection: half an answer must not look
 * like a whole one.
 * @param endTurn called between pieces
 */
export async function respondWithStream(
  exchange: Exchange,
  status: number,
  headers: Readonly<Record<string, string>>,
  pieces: AsyncGenerator<Uint8Array>,
  endTurn: () => Promise<void> | null,
): Promise<void> {
  const first = await pieces.next()
  const { response } = exchange
  if (response.destroyed) return void (await pieces.return(undefined))
  const compress = first.done !== true && takesGzip(exchange.request.headers['accept-encoding'])
  response.writeHead(status, {
    ...headers,
    ...(compress && { 'content-encoding': 'gzip', vary: 'accept-encoding' }),
  })
  async function* all(): AsyncGenerator<Uint8Array> {
    if (first.done !== true) yield first.value
    for await (const piece of pieces) {
      const turn = endTurn()
      if (turn) await turn
      yield piece
    }
  }
  response.setTimeout(stalledClientMs, () => {
    if (response.writableNeedDrain) response.destroy(new Error('the client takes nothing'))
  })
  // Each part of a chunked answer should arrive when it is made, not when the compressor's window is full.
  const gzip = compress ? [createGzip({ level: 1, flush: constants.Z_SYNC_FLUSH })] : []
  await (gzip[0] ? pipeline(all(), gzip[0], response) : writeAll(all(), response))
}

async function writeAll(pieces: AsyncGenerator<Uint8Array>, response: ServerResponse): Promise<void> {
  const gone = new AbortController()
  const onClose = () => gone.abort()
  response.once('close', onClose)
  try {
    for await (const piece of pieces) {
      if (!response.write(piece)) await once(response, 'drain', { signal: gone.signal })
    }
    response.end()
  } finally {
    response.off('close', onClose)
  }
}

function takesGzip(acceptEncoding: string | string[] | undefined): boolean {
  return String(acceptEncoding ?? '')
    .split(',')
    .some((part) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(part))
}
