import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { attemptLimits, type Attempt, type Outcome } from './attempts.ts'

/** Tries an address with packets; see attempts.ts. */
export function reach(attempt: Attempt, signal?: AbortSignal): Promise<Outcome> {
  const limit = AbortSignal.timeout(attemptLimits.timeoutMs)
  const ended = signal ? AbortSignal.any([signal, limit]) : limit
  return attempt.protocol === 'tcp' ? reachTcp(attempt, ended) : reachDns(attempt, ended)
}

function reachTcp({ address, port }: Attempt, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, signal })
    const end = (outcome: Outcome) => {
      socket.destroy()
      resolve(outcome)
    }
    socket.once('connect', () => end('connected'))
    socket.once('error', (error) => end(outcomeOf(error)))
  })
}

/** A name that every cluster's own name server answers for at once, and that says nothing of who asks. */
const asked = ['kubernetes', 'default', 'svc', 'cluster', 'local']

/** The question for its addresses (RFC 1035, section 4.1). */
function question(id: number): Buffer {
  const head = Buffer.from([0, 0, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  head.writeUInt16BE(id, 0)
  const labels = asked.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`))
  return Buffer.concat([head, ...labels, Buffer.from([0, 0, 1, 0, 1])])
}

function reachDns({ address, port }: Attempt, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
    const id = randomInt(65_536)
    const end = (outcome: Outcome) => {
      signal.removeEventListener('abort', onAbort)
      socket.removeAllListeners().on('error', () => undefined)
      socket.close()
      resolve(outcome)
    }
    const onAbort = () => end('silent')
    if (signal.aborted) return end('silent')
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', (error) => end(outcomeOf(error)))
    socket.on('message', (answer) => {
      if (answer.length >= 12 && answer.readUInt16BE(0) === id) end('connected')
    })
    socket.once('connect', () => socket.send(question(id)))
    // Connected, so that only its answers are taken, and a refusal is heard.
    socket.connect(port, address)
  })
}

/** Codes with which something on the way said no, and not that nothing was heard. */
const refusals = ['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'EACCES', 'EPERM']

function outcomeOf(error: Error): Outcome {
  return 'code' in error && refusals.includes(String(error.code)) ? 'refused' : 'silent'
}
