import { once } from 'node:events'
import { request as plainRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { identity } from '../../common/identity.ts'
import { mintToken } from '../../common/token.ts'
import { parseGatewayConfig } from '../../gateway/config.ts'
import { createGateway, type Gateway } from '../../gateway/gateway.ts'
import { systemClock } from '../../common/clock.ts'
import { silentLogger } from '../../common/log.ts'
import type { TestIdentity } from '../support/certificates.ts'
import { LostPackets } from '../support/lost-packets.ts'
import { host, installationId, send, type Answer } from '../support/installation.ts'
import { runningMs, undisturbed } from '../support/stalls.ts'
import { TwoTenants } from '../support/two-tenants.ts'

// Promise: a request for an organization that sleeps is held, unread, until a node is there, and then answered by it; a
// wrong token is refused at once, and nobody is held for longer than the limit.

let bench: TwoTenants
let door: Door
/** The address of an organization whose node comes and goes. */
let path: Path
let gateway: Gateway

/** The operator's wake door as common/wake-api.ts has it. */
interface Door {
  readonly server: HttpsServer
  readonly port: number
  answer: (request: IncomingMessage, response: ServerResponse) => void
  readonly asked: { readonly token: string | undefined; readonly organization: unknown }[]
}

beforeAll(async () => {
  bench = await TwoTenants.start()
})
afterAll(() => bench.stop())

beforeEach(async () => {
  door = await openDoor(bench.installation.operator)
  path = await Path.reserve(bench.a.process.port)
  gateway = await startGateway({})
})
afterEach(async () => {
  await gateway.stop()
  await path.close()
  door.server.closeAllConnections()
  door.server.close()
})

const says = (status: number, body: object) => (_request: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
const waking = says(200, { state: 'waking' })
const awake = says(200, { state: 'awake' })
const denied = says(401, { code: 'ERR_WAKE_DENIED', message: 'no' })

async function openDoor(who: TestIdentity): Promise<Door> {
  const found: Omit<Door, 'port'> = {
    answer: waking,
    asked: [],
    server: createHttpsServer(
      { cert: who.cert, key: who.key, ca: who.ca, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        const token = request.headers.authorization?.replace('Bearer ', '')
        found.asked.push({ token, organization: request.headers['holdfast-organization'] })
        found.answer(request, response)
      },
    ),
  }
  found.server.listen(0, host)
  await once(found.server, 'listening')
  return Object.assign(found, { port: (found.server.address() as AddressInfo).port })
}

/** A port that refuses until it is opened, and then leads to a node. */
class Path {
  readonly port: number
  readonly #to: number
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null

  private constructor(port: number, to: number) {
    this.port = port
    this.#to = to
  }

  static async reserve(to: number): Promise<Path> {
    const server = createServer().listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    return new Path(port, to)
  }

  /** @param slowMs until what comes is passed on, as by a node that is busy */
  async open(slowMs = 0): Promise<void> {
    this.#server = createServer((socket) => {
      const node = connect(this.#to, host)
      for (const each of [socket, node]) {
        this.#sockets.add(each)
        each.on('error', () => undefined).on('close', () => this.#sockets.delete(each))
      }
      setTimeout(() => socket.pipe(node).pipe(socket), slowMs)
    }).listen(this.port, host)
    await once(this.#server, 'listening')
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server?.close()
  }
}

async function startGateway(more: Record<string, string>, port = path.port): Promise<Gateway> {
  const config = parseGatewayConfig({
    HOLDFAST_LISTEN: `${host}:0`,
    HOLDFAST_METRICS_LISTEN: `${host}:0`,
    HOLDFAST_IDENTITY_DIR: join(bench.installation.folder, 'gateway'),
    HOLDFAST_INSECURE_HTTP: 'true',
    HOLDFAST_WAKE_ADDRESS: `${host}:${door.port}`,
    ...more,
  })
  const started = createGateway(config, () => ({ host, port }), systemClock, silentLogger)
  await started.start()
  return started
}

const write = (token: string, body: string): Promise<Answer> =>
  send(bench.client, `http://${host}:${gateway.port}/write?db=metrics`, {
    method: 'POST',
    headers: { authorization: `Token ${token}` },
    body,
  })

async function count(measurement: string): Promise<unknown> {
  const query = `/query?db=metrics&q=SELECT%20count(v)%20FROM%20${measurement}`
  const { text } = await send(bench.client, `http://${host}:${gateway.port}${query}`, {
    headers: { authorization: `Token ${bench.a.token}` },
  })
  return JSON.parse(text).results[0].series[0].values[0][1]
}

const until = (what: () => boolean): Promise<void> => expect.poll(what, { interval: 20 }).toBe(true)

test('a write that wakes its organization is answered, whole, by its node', async () => {
  const lines = Array.from({ length: 40_000 }, (_, index) => `woken,tag=some-value v=${index} ${index + 1}`)
  const answer = write(bench.a.token, lines.join('\n'))
  const another = write(bench.a.token, 'beside v=1 1')
  await until(() => door.asked.length >= 2)
  // One question for both of them at a time, with the token as it came and the organization that it names.
  expect(new Set(door.asked.map(({ token }) => token))).toEqual(new Set([bench.a.token]))
  expect(new Set(door.asked.map(({ organization }) => organization))).toEqual(new Set([bench.a.id]))
  await path.open()
  door.answer = awake
  expect([(await answer).status, (await another).status]).toEqual([204, 204])
  expect([await count('woken'), await count('beside')]).toEqual([40_000, 1])
})

test('where packets are lost the operator is asked at once, and again when it is awake and they still are', async () => {
  const lost = await LostPackets.onTheWayTo(host, bench.a.process.port)
  try {
    await gateway.stop()
    gateway = await startGateway({}, lost.port)
    const answer = write(bench.a.token, 'lost v=1 1')
    const startedMs = runningMs()
    await until(() => door.asked.length >= 1)
    expect(runningMs() - startedMs).toBeLessThan(2_000)
    door.answer = awake
    const { length } = door.asked
    await until(() => door.asked.length >= length + 3)
    lost.end()
    expect((await answer).status).toBe(204)
    expect(await count('lost')).toBe(1)
  } finally {
    await lost.close()
  }
})

test('a node that is slow at its handshake is waited for, and nobody is asked', async () => {
  await path.open(1_000)
  await undisturbed(async () => {
    // One that knows no connection yet.
    await gateway.stop()
    gateway = await startGateway({})
    door.asked.splice(0)
    expect((await write(bench.a.token, 'slow v=1 1')).status).toBe(204)
    expect(door.asked).toEqual([])
  })
})

test('who asks before sending a body is told to go on when the node is there', async () => {
  const request = plainRequest({
    host,
    port: gateway.port,
    path: '/write?db=metrics',
    method: 'POST',
    headers: { authorization: `Token ${bench.a.token}`, expect: '100-continue' },
  })
  let isToGoOn = false
  request.on('continue', () => {
    isToGoOn = true
    request.end('expected v=1 1')
  })
  request.flushHeaders()
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  await until(() => door.asked.length >= 2)
  expect(isToGoOn).toBe(false)
  await path.open()
  door.answer = awake
  const [answer] = await answered
  expect([answer.statusCode, isToGoOn]).toEqual([204, true])
  answer.resume()
})

test('a wrong token is refused at once, also while others wait', async () => {
  const waits = write(bench.a.token, 'beside v=2 2')
  await until(() => door.asked.length >= 1)
  door.answer = (request, response) =>
    (request.headers.authorization === `Bearer ${bench.a.token}` ? waking : denied)(request, response)
  const answer = await write(mintToken(bench.a.id), 'x v=1 1')
  expect([answer.status, answer.headers['retry-after']]).toEqual([401, undefined])
  const noToken = await send(
    bench.client,
    `http://${host}:${gateway.port}/write?db=metrics&u=x@${bench.a.id}&p=secret`,
    { method: 'POST', body: 'x v=1 1' },
  )
  expect(noToken.status).toBe(401)
  await path.open()
  door.answer = awake
  expect((await waits).status).toBe(204)
})

test('an organization that does not wake in time is 503 with Retry-After', async () => {
  await gateway.stop()
  gateway = await startGateway({ HOLDFAST_HOLD_MS: '2000' })
  const answer = await write(bench.a.token, 'x v=1 1')
  expect([answer.status, answer.headers['retry-after']]).toEqual([503, '2'])
  expect(answer.text).toContain('the organization is waking')
})

test('one that is told to sleep is 503 at once', async () => {
  door.answer = says(200, { state: 'asleep' })
  const answer = await write(bench.a.token, 'x v=1 1')
  expect([answer.status, door.asked.length]).toEqual([503, 1])
  expect(answer.text).toContain('hibernated')
})

test.each([
  ['a node', () => bench.installation.authority.issue(identity(bench.a.id, 'node'))],
  [
    'another installation',
    () => bench.installation.authority.issue(identity('dddddddddddddddd', 'operator')),
  ],
  [
    'an operator and something else',
    () =>
      bench.installation.authority.issue(
        identity(installationId, 'operator'),
        identity(installationId, 'gateway'),
      ),
  ],
])('a door that shows the identity of %s is handed no token', async (_who, issue) => {
  await gateway.stop()
  const other = await openDoor(await issue())
  gateway = await startGateway({ HOLDFAST_WAKE_ADDRESS: `${host}:${other.port}` })
  const answer = await write(bench.a.token, 'x v=1 1')
  other.server.closeAllConnections()
  other.server.close()
  expect([answer.status, other.asked]).toEqual([503, []])
})
