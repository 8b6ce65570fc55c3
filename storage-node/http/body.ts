import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { AppError } from '../../common/errors.ts'
import type { LineSource } from '../line-protocol/line-parser.ts'
import type { Exchange } from './exchange.ts'

/** The limit of InfluxDB 1.8, on a body as sent and as decompressed. */
export const maxBodyBytes = 25_000_000

/** What is decompressed in one go: with the library's 16 KiB most of the time goes into the going to and fro. */
const gunzipBytes = { least: 16_384, most: 524_288 }
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

/** A body as far as it has come, up to the limit of one body, and within the budget of all. */
export class ArrivingBody implements LineSource {
  readonly #reservation: BodyReservation
  readonly #maxBytes: number
  readonly #whole = Promise.withResolvers<void>()
  #pieces: Buffer[] = []
  #totalBytes = 0
  #isWhole = false
  #waiting: { readonly bytes: number; readonly resolve: () => void } | null = null
  /** Of the last pieces, so many are small. */
  #smallCount = 0

  constructor(reservation: BodyReservation, maxBytes: number) {
    this.#reservation = reservation
    this.#maxBytes = maxBytes
    // Who never asks is not told.
    this.#whole.promise.catch(() => undefined)
  }

  /** Whether nothing more will come. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Of all that has come. */
  get totalBytes(): number {
    return this.#totalBytes
  }

  /**
   * Resolves when all has come, and is what was sent.
   * @throws AppError as of `withBody`
   */
  whole(): Promise<void> {
    return this.#whole.promise
  }

  /** Resolves when so many bytes have come in all, or no more will; one may wait at a time. Throws as `whole`. */
  arrived(bytes: number): Promise<void> {
    if (this.#totalBytes >= bytes) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting = { bytes, resolve }
    return Promise.race([promise, this.#whole.promise])
  }

  end(): void {
    this.#isWhole = true
    this.#whole.resolve()
  }

  fail(error: unknown): void {
    this.#whole.reject(error)
  }

  add(piece: Buffer): void {
    this.#totalBytes += piece.length
    if (this.#totalBytes > this.#maxBytes) throw tooLarge()
    this.#reservation.take(piece.length)
    this.#pieces.push(piece)
    if (this.#waiting && this.#totalBytes >= this.#waiting.bytes) this.#waiting.resolve()
    this.#smallCount = piece.length < smallBytes ? this.#smallCount + 1 : 0
    if (this.#smallCount < maxSmallPieces) return
    this.#smallCount = 0
    this.#pieces.push(Buffer.concat(this.#pieces.splice(-maxSmallPieces)))
  }

  /** What has come since the last time; it becomes the caller's. */
  take(): Buffer[] {
    const pieces = this.#pieces
    this.#pieces = []
    this.#smallCount = 0
    return pieces
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

/**
 * Reads a request's body, decompressed where `Content-Encoding: gzip` says so. Its bytes count in the budget until `use`
 * is done with them.
 * @throws AppError too-large, unavailable, or invalid for another encoding or a damaged gzip stream
 */
export function withBody<T>(
  exchange: Pick<Exchange, 'request' | 'response'>,
  budget: BodyBudget,
  use: (body: Buffer) => Promise<T>,
  maxBytes: number = maxBodyBytes,
): Promise<T> {
  const useWhole = async (body: ArrivingBody) => {
    await body.whole()
    return use(Buffer.concat(body.take()))
  }
  return withArriving(exchange, budget, useWhole, maxBytes)
}

/** As `withBody`, from when all has come as it was sent: the rest of it may still be decompressed. */
export async function withArriving<T>(
  exchange: Pick<Exchange, 'request' | 'response'>,
  budget: BodyBudget,
  use: (body: ArrivingBody) => Promise<T>,
  maxBytes: number = maxBodyBytes,
): Promise<T> {
  const { request, response } = exchange
  const isCompressed = isGzip(request)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  if (request.headers.expect !== undefined) response.writeContinue()
  const reservation = budget.open()
  let decompressed: Promise<void> | null = null
  try {
    const sent = new ArrivingBody(reservation, maxBytes)
    await collect(request, sent)
    sent.end()
    if (!isCompressed) return await use(sent)
    const body = new ArrivingBody(reservation, maxBytes)
    decompressed = gunzip(sent.take(), reservation, body)
    return await use(body)
  } finally {
    await decompressed
    reservation.release()
  }
}

/**
 * Not an async iteration over the request: that would destroy it, and the connection with it, before a refusal
 * could be sent. What is left of a refused body is read and dropped by the server.
 */
function collect(request: IncomingMessage, body: ArrivingBody): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      request.off('data', onData).off('end', onEnd).off('close', onClose)
      settle()
    }
    const onData = (piece: Buffer) => {
      try {
        body.add(piece)
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
function gunzipChunkBytes(encoded: readonly Buffer[], encodedBytes: number): number {
  const end = Buffer.concat(encoded.slice(-sizeBytes).map((piece) => piece.subarray(-sizeBytes))).subarray(
    -sizeBytes,
  )
  const told = end.length === sizeBytes ? end.readUInt32LE() : 0
  const mostBytes = Math.min(gunzipBytes.most, encodedBytes * maxInflation)
  return Math.max(gunzipBytes.least, Math.min(told, mostBytes))
}

/** Never throws: the body is told. */
async function gunzip(encoded: Buffer[], reservation: BodyReservation, body: ArrivingBody): Promise<void> {
  const encodedBytes = encoded.reduce((sum, piece) => sum + piece.length, 0)
  try {
    const inflater = createGunzip({ chunkSize: gunzipChunkBytes(encoded, encodedBytes) })
    await pipeline(drained(encoded, reservation), inflater, async (source: AsyncIterable<Buffer>) => {
      for await (const piece of source) body.add(piece)
    })
    // At a zero behind a member the library leaves off without a word, though others may follow.
    if (inflater.bytesWritten !== encodedBytes) throw new Error('zeros behind a member')
    body.end()
  } catch (error) {
    const isKnown = error instanceof AppError
    body.fail(
      isKnown ? error : new AppError('invalid', 'ERR_BODY_GZIP', 'gzip: invalid body', { cause: error }),
    )
  }
}
