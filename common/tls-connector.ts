import { connect, type LookupFunction, type Socket } from 'node:net'
import { buildConnector, errors } from 'undici'

export interface ConnectTimes {
  /** For an address to accept a connection. */
  readonly reachMs: number
  /** How often that is tried, for paths that may be opened at this moment. */
  readonly tries: number
  /** For its name to be found, and again for the handshake of TLS. */
  readonly connectMs: number
}

/** A kernel accepts within the time that a packet takes, which is some milliseconds in a cluster. */
export const reachMs = 300

/**
 * Connects by TLS, with a time for each step. The kernel that a program listens by accepts a connection as soon as a
 * packet has come, however busy the program is. On a way that is not open, or ends at an address without a pod, packets may be
 * lost, and nobody says so; the kernel here would send the next one after a second. So that is given up soon, and a busy
 * node's handshake is waited for.
 *
 * Errors: code UND_ERR_CONNECT_TIMEOUT for a time that was over, or what the network or TLS says.
 * @param tls options of `tls.connect`
 * @param lookup in place of the system's resolver
 */
export function tlsConnector(
  tls: buildConnector.BuildOptions,
  times: ConnectTimes,
  lookup?: LookupFunction,
): buildConnector.connector {
  const secure = buildConnector({
    ...tls,
    allowH2: false,
    maxCachedSessions: 0, // A resumed session would not be checked for the peer's identity again.
    timeout: times.connectMs,
  })
  return (options, callback) => {
    const address = { host: options.hostname, port: Number(options.port), ...(lookup && { lookup }) }
    const reach = async (tries: number): Promise<void> => {
      try {
        const httpSocket = await connected(address, times)
        secure({ ...options, httpSocket }, callback)
      } catch (error) {
        if (tries > 1 && error instanceof errors.ConnectTimeoutError) return reach(tries - 1)
        callback(error instanceof Error ? error : new Error(String(error)), null)
      }
    }
    void reach(times.tries)
  }
}

interface Address {
  readonly host: string
  readonly port: number
  readonly lookup?: LookupFunction
}

function connected(address: Address, { reachMs, connectMs }: ConnectTimes): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    // In a round of the event loop that took long the connection may have come about, and nobody has seen it yet.
    const giveUp = () =>
      setImmediate(() => {
        const { host, port } = address
        if (socket.connecting)
          socket.destroy(new errors.ConnectTimeoutError(`no connection to ${host}:${port} in time`))
      })
    socket
      .setTimeout(connectMs, giveUp)
      .on('connectionAttempt', () => socket.setTimeout(reachMs))
      // Once it is connected, the socket over it tells of errors.
      .on('error', reject)
      .once('connect', () => {
        socket.setTimeout(0).off('timeout', giveUp)
        resolve(socket)
      })
  })
}
