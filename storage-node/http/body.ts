import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { AppError } from '../../common/errors.ts'
import type { Exchange } from './exchange.ts'

/** The limit of InfluxDB 1.8, on a body as sent and as decompressed. */
export const maxBodyBytes = 25_000_000

/** What is decompressed in one go: with the library's 16 KiB most of the time goes into the going to and fro. */
const gunzipBytes = { least: 16_384, most: 2_097_152 }
/** Deflate makes no more of a byte (RFC 1951: 258 bytes of two bits). */
const maxInflation = 1_032
/** The last four bytes of a member are its decompressed size, modulo 2^32 (RFC 1952, section 2.3.1). */
const sizeBytes = 4
/** A body in chunks of a byte would take a hundred times its size: so many small pieces in a row become one. */
const maxSmallPieces = 1_024
const smallBytes = 4_096

/** The bytes of bodies that may be in memory at the same time, over all requests. */
export class BodyBudget {
  readonly #totalBytes: number
  #usedBytes = 0

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  open(): BodyReservation {
    let held = 0
    return {
      take: (bytes) => {
        if (this.#usedBytes + bytes > this.#totalBytes) {
          throw new AppError('unavailable', 'ERR_BODIES_IN_FLIGHT', 'too many bytes of requests in flight')
        }
        this.#usedBytes += bytes
        held += bytes
      },
      give: (bytes) => {
        this.#usedBytes -= bytes
        held -= bytes
      },
      release: () => {
        this.#usedBytes -= held
        held = 0
      },
    }
  }
}

export interface BodyReservation {
  /** @throws AppError unavailable when that many bytes are not left */
  take(bytes: number): void
  /** Some of what was taken is not held any more. */
  give(bytes: number): void
  release(): void
}

/** Keeps pieces up to the limit of one body, and within the budget of all. */
class Pieces {
  readonly #reservation: BodyReservation
  readonly #maxBytes: number
  readonly #pieces: Buffer[] = []
  #totalBytes = 0
  /** Of the last pieces, so many are small. */
  #smallCount = 0

  constructor(reservation: BodyReservation, maxBytes: number) {
    this.#reservation = reservation
    this.#maxBytes = maxBytes
  }

  add(piece: Buffer): void {
    this.#totalBytes += piece.length
    if (this.#totalBytes > this.#maxBytes) throw tooLarge()
    this.#reservation.take(piece.length)
    this.#pieces.push(piece)
    this.#smallCount = piece.length < smallBytes ? this.#smallCount + 1 : 0
    if (this.#smallCount < maxSmallPieces) return
    this.#smallCount = 0
    this.#pieces.push(Buffer.concat(this.#pieces.splice(-maxSmallPieces)))
  }

  /** The pieces become the caller's. */
  take(): Buffer[] {
    return this.#pieces.splice(0)
  }
}

const tooLarge = () => new AppError('too-large', 'ERR_BODY_TOO_LARGE', 'Request Entity Too Large')

/** @throws AppError invalid, ERR_BODY_ENCODING for an encoding that nobody would undo */
function isGzip(request: IncomingMessage): boolean {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? ''
  if (encoding === '' || encoding === 'identity') return false
  if (encoding === 'gzip' || encoding === 'x-gzip') return true
  const text = `Content-Encoding "${encoding}" is not supported: gzip or identity expected`
  throw new AppError('invalid', 'ERR_BODY_ENCODING', text)
}

/** As `withPieces`, in one piece: for bodies that are small. */
export function withBody<T>(
  exchange: Pick<Exchange, 'request' | 'response'>,
  budget: BodyBudget,
  use: (body: Buffer) => Promise<T>,
  maxBytes: number = maxBodyBytes,
): Promise<T> {
  return withPieces(exchange, budget, (pieces) => use(Buffer.concat(pieces)), maxBytes)
}

/**
 * Reads a request's body and passes it on as it came, decompressed where `Content-Encoding: gzip` says so. Its bytes
 * count in the budget until `use` is done with them.
 * @throws AppError too-large, unavailable, or invalid for another encoding or a damaged gzip stream
 */
export async function withPieces<T>(
  exchange: Pick<Exchange, 'request' | 'response'>,
  budget: BodyBudget,
  use: (pieces: Buffer[]) => Promise<T>,
  maxBytes: number = maxBodyBytes,
): Promise<T> {
  const { request, response } = exchange
  const isCompressed = isGzip(request)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  if (request.headers.expect !== undefined) response.writeContinue()
  const reservation = budget.open()
  try {
    const encoded = new Pieces(reservation, maxBytes)
    await collect(request, encoded)
    const pieces = encoded.take()
    return await use(isCompressed ? await gunzip(pieces, reservation, maxBytes) : pieces)
  } finally {
    reservation.release()
  }
}

/**
 * Not an async iteration over the request: that would destroy it, and the connection with it, before a refusal
 * could be sent. What is left of a refused body is read and dropped by the server.
 */
function collect(request: IncomingMessage, pieces: Pieces): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      request.off('data', onData).off('end', onEnd).off('close', onClose)
      settle()
    }
    const onData = (piece: Buffer) => {
      try {
        pieces.add(piece)
      } catch (error) {
        finish(() => reject(error))
      }
    }
    const onEnd = () => finish(resolve)
    const onClose = () =>
      finish(() => reject(new AppError('invalid', 'ERR_BODY_CUT_SHORT', 'the body was cut short')))
    request.on('data', onData).on('end', onEnd).on('close', onClose)
    request.once('error', onClose)
  })
}

/** What has been decompressed need not stay: one body of the largest size never takes twice that. */
function* drained(pieces: Buffer[], reservation: BodyReservation): Generator<Buffer> {
  for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
    yield piece
    reservation.give(piece.length)
  }
}

/** As much as there will be, as far as the body's own word for it can be true. */
function gunzipChunkBytes(encoded: readonly Buffer[]): number {
  const encodedBytes = encoded.reduce((sum, piece) => sum + piece.length, 0)
  const end = Buffer.concat(encoded.slice(-sizeBytes).map((piece) => piece.subarray(-sizeBytes))).subarray(
    -sizeBytes,
  )
  const told = end.length === sizeBytes ? end.readUInt32LE() : 0
  const mostBytes = Math.min(gunzipBytes.most, encodedBytes * maxInflation)
  return Math.max(gunzipBytes.least, Math.min(told, mostBytes))
}

async function gunzip(encoded: Buffer[], reservation: BodyReservation, maxBytes: number): Promise<Buffer[]> {
  const decoded = new Pieces(reservation, maxBytes)
  try {
    await pipeline(
      drained(encoded, reservation),
      createGunzip({ chunkSize: gunzipChunkBytes(encoded) }),
      async (source: AsyncIterable<Buffer>) => {
        for await (const piece of source) decoded.add(piece)
      },
    )
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('invalid', 'ERR_BODY_GZIP', 'gzip: invalid body', { cause: error })
  }
  return decoded.take()
}
