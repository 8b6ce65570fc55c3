import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from './clock.ts'
import { HttpServer, type HttpServerSettings } from './http-server.ts'
import { createLogger, silentLogger } from './log.ts'

// Promise: clients that are slow, many or silent get an answer that says so, and take nothing from the others.

const sockets: Socket[] = []
const servers: HttpServer[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await server.stop()
})

async function start(more: Partial<HttpServerSettings>): Promise<HttpServer> {
  const server = new HttpServer({
    name: 'test',
    listen: { host: '127.0.0.1', port: 0 },
    clock: systemClock,
    log: silentLogger,
    drainMs: 0,
    handler: async (request, response) => {
      for await (const _piece of request) continue
      response.end('served')
    },
    ...more,
  })
  await server.start()
  servers.push(server)
  return server
}

async function open(server: HttpServer): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1')
  sockets.push(socket)
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return socket
}

/** What comes until the connection ends. */
function untilClosed(socket: Socket): Promise<string> {
  let text = ''
  return new Promise((resolve) => {
    socket.on('data', (piece) => (text += piece.toString()))
    socket.on('close', () => resolve(text)).on('error', () => undefined)
  })
}

/** What comes first. */
function answer(socket: Socket, request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'): Promise<string> {
  socket.write(request)
  return new Promise((resolve) => socket.once('data', (piece) => resolve(piece.toString())))
}

describe('time', () => {
  const impatient = { headersTimeoutMs: 200, requestTimeoutMs: 400, checkIntervalMs: 50 }

  test.each([
    ['nothing at all', ''],
    ['half of a head', 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: '],
    ['half of a body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf'],
    ['half of a chunk', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf'],
  ])('who sends %s is told that it took too long', async (_name, text) => {
    const socket = await open(await start(impatient))
    socket.write(text)
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1.1 408 Request Timeout\r\nConnection: close\r\n/)
  })

  test('who sends a byte now and then is no better off', async () => {
    const socket = await open(await start(impatient))
    socket.write('GET / HTTP/1.1\r\n')
    const trickle = setInterval(() => socket.write('X-A: b\r\n'), 20)
    const received = await untilClosed(socket)
    clearInterval(trickle)
    expect(received).toMatch(/^HTTP\/1.1 408 /)
  })

  test('a connection is kept as long as the answer says', async () => {
    const socket = await open(await start({ keepAliveTimeoutMs: 1_000 }))
    // Its end may be read later than it came, but not before it was asked for.
    const startMs = performance.now()
    expect(await answer(socket)).toContain('\r\nKeep-Alive: timeout=1\r\n')
    await untilClosed(socket)
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(990)
  })
})

describe('size', () => {
  test.each([
    ['one large header', `X-Large: ${'x'.repeat(40_000)}\r\n`],
    ['many headers', 'X-Many: x\r\n'.repeat(4_000)],
  ])('%s is 431', async (_name, headers) => {
    const socket = await open(await start({}))
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${headers}\r\n`)
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1.1 431 /)
  })
})

describe('number', () => {
  test('one connection too many is told so; those there are served, and new ones when some have gone', async () => {
    const lines: string[] = []
    const log = createLogger('test', { destination: { write: (line) => void lines.push(line) } })
    const server = await start({ maxConnections: 20, log })
    const there = await Promise.all(Array.from({ length: 20 }, () => open(server)))
    for (let attempt = 0; attempt < 3; attempt++) {
      const refused = await open(server)
      const said = untilClosed(refused)
      refused.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      refused.end()
      const [head, body] = (await said).split('\r\n\r\n')
      expect(head).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 2\r\n/)
      expect(JSON.parse(body!)).toMatchObject({ error: 'too many connections' })
    }
    for (const socket of there) expect(await answer(socket)).toMatch(/^HTTP\/1.1 200 /)
    expect(lines.filter((line) => line.includes('too many connections'))).toHaveLength(1)
    const gone = new Promise((resolve) => there[0]!.once('close', resolve))
    there[0]!.destroy()
    await gone
    await expect.poll(async () => answer(await open(server))).toMatch(/^HTTP\/1.1 200 /)
  })
})
