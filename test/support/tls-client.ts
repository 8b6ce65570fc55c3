import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { host } from './installation.ts'

/** Both ends of a pre-shared key that only tests have. */
export const psk = { identity: 'test', psk: Buffer.alloc(32, 1) }

/** What became of a handshake: suite and version as OpenSSL calls them, or why there is none. */
export type Handshake =
  | { readonly taken: true; readonly suite: string; readonly version: string }
  | { readonly taken: false; readonly reason: string }

/** Offers exactly this, also what is long out of use. */
export async function handshake(port: number, options: ConnectionOptions): Promise<Handshake> {
  let socket: TLSSocket | undefined
  try {
    socket = connectAnyhow(port, options)
    await once(socket, 'secureConnect')
    return { taken: true, suite: socket.getCipher().name, version: socket.getProtocol() ?? 'none' }
  } catch (error) {
    return { taken: false, reason: error instanceof Error ? error.message : String(error) }
  } finally {
    socket?.destroy()
  }
}

/** Whether the server begins another handshake on a TLS 1.2 connection because the client wants one. */
export async function renegotiates(port: number, options: ConnectionOptions): Promise<boolean> {
  const socket = connectAnyhow(port, { ...options, maxVersion: 'TLSv1.2' })
  await once(socket, 'secureConnect')
  try {
    return await new Promise((resolve) => {
      socket.on('error', () => resolve(false))
      socket.on('close', () => resolve(false))
      socket.renegotiate({}, (error) => resolve(error === null))
    })
  } finally {
    socket.destroy()
  }
}

const connectAnyhow = (port: number, options: ConnectionOptions): TLSSocket =>
  connect({ host, port, rejectUnauthorized: false, ...options })

/** A suite of `tls.getCiphers()`, alone. TLS 1.3 has its own, and older versions have no other. */
export function onlySuite(suite: string): ConnectionOptions {
  if (suite.startsWith('tls_'))
    return { ciphers: `${suite.toUpperCase()}:ALL:@SECLEVEL=0`, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' }
  return {
    ciphers: `${suite.toUpperCase()}:@SECLEVEL=0`,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.2',
    ...(suite.includes('psk') && { pskCallback: () => psk }),
  }
}

const deflate = 1
const handshakeRecord = 22
const serverHello = 2

/**
 * The method of compression that the server takes of one that offers DEFLATE first (RFC 3749): Node has no part that could.
 * @throws Error for anything but a ServerHello
 */
export async function compressionTaken(port: number): Promise<number> {
  const socket = connectPlain({ host, port })
  socket.write(helloWithDeflate())
  const pieces: Buffer[] = []
  try {
    for await (const piece of socket as AsyncIterable<Buffer>) {
      pieces.push(piece)
      const bytes = Buffer.concat(pieces)
      if (bytes[0] !== handshakeRecord && bytes.length > 0) break
      // Record header 5, message header 4, version 2, random 32, then a session id with its length and the suite.
      const after = 43 + 1 + (bytes[43] ?? 0) + 2
      if (bytes.length > after && bytes[5] === serverHello) return bytes[after]!
    }
  } finally {
    socket.destroy()
  }
  throw new Error(`no ServerHello: ${Buffer.concat(pieces).toString('hex').slice(0, 40)}`)
}

/** A ClientHello of TLS 1.2 (RFC 5246, 7.4.1.2) that prefers compression. */
function helloWithDeflate(): Buffer {
  const suites = [0xc02b, 0xc02f].flatMap(twoBytes)
  const extension = (type: number, ...body: readonly number[]) => [
    ...twoBytes(type),
    ...twoBytes(body.length),
    ...body,
  ]
  const extensions = [
    ...extension(10, 0, 4, 0, 0x17, 0, 0x1d), // groups: P-256, X25519
    ...extension(11, 1, 0), // points: uncompressed
    ...extension(13, 0, 6, 4, 3, 8, 4, 4, 1), // signatures: ECDSA, RSA-PSS and RSA with SHA-256
  ]
  const body = [
    3,
    3,
    ...Buffer.alloc(32, 7),
    0,
    ...twoBytes(suites.length),
    ...suites,
    2,
    deflate,
    0,
    ...twoBytes(extensions.length),
    ...extensions,
  ]
  const message = [1, 0, ...twoBytes(body.length), ...body]
  return Buffer.from([handshakeRecord, 3, 1, ...twoBytes(message.length), ...message])
}

const twoBytes = (value: number): readonly number[] => [value >> 8, value & 0xff]
