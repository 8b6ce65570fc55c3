import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { systemClock } from './clock.ts'
import { HttpServer, isLoopback, parseListenAddress } from './http-server.ts'
import { silentLogger } from './log.ts'

test.each([
  ['127.0.0.1:8086', { host: '127.0.0.1', port: 8086 }],
  [':8086', { host: '0.0.0.0', port: 8086 }],
  ['[::1]:0', { host: '::1', port: 0 }],
  ['localhost:65535', { host: 'localhost', port: 65_535 }],
  ['localhost:65536', null],
  ['localhost', null],
  ['::1:80', null],
  ['', null],
])('a listen address is host:port or refused: %s', (text, expected) => {
  expect(parseListenAddress(text)).toEqual(expected)
})

test('only loopback addresses count as such', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].map(isLoopback)).toEqual([true, true, true, true])
  expect(['0.0.0.0', '10.0.0.1', '::', '127.0.0.1.evil'].map(isLoopback)).toEqual([
    false,
    false,
    false,
    false,
  ])
})

const settings = {
  name: 'test',
  listen: { host: '127.0.0.1', port: 0 },
  clock: systemClock,
  log: silentLogger,
}

test('a server that stops refuses new connections and lets running requests end', async () => {
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  let arrived = (): void => undefined
  const arrival = new Promise<void>((resolve) => (arrived = resolve))
  const server = new HttpServer({
    ...settings,
    handler: async (_request, response) => {
      arrived()
      await released
      response.end('whole')
    },
  })
  await server.start()
  const { port } = server
  const answer = new Promise<string>((resolve, reject) => {
    httpRequest({ port, host: '127.0.0.1' }, (response) => {
      let text = ''
      response.on('data', (piece: Buffer) => (text += piece.toString()))
      response.on('end', () => resolve(text))
    })
      .on('error', reject)
      .end()
  })
  await arrival
  const stopped = server.stop()
  const refused = await new Promise<string>((resolve) => {
    connect(port, '127.0.0.1')
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
      .on('connect', () => resolve('connected'))
  })
  expect(refused).toBe('ECONNREFUSED')
  release()
  expect(await answer).toBe('whole')
  await stopped
})

/** All that the server at `port` answers to `text` until it ends the connection. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    socket.on('data', (piece) => (received += piece.toString()))
    socket.on('close', () => resolve(received)).on('error', reject)
  })
}

describe('what could be understood in two ways is refused before anybody looks at it, and ends the connection', () => {
  const chunks = '1\r\nx\r\n0\r\n\r\n'
  const behind = 'GET /behind HTTP/1.1\r\nHost: a\r\n\r\n'
  test.each([
    ['not HTTP', 'nonsense\r\n\r\n', '400'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', '400'],
    ['the same host twice', 'GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n', '400'],
    [
      'gzip, chunked',
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n${chunks}`,
      '501',
    ],
    [
      'gzip and chunked in headers of their own',
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
      '501',
    ],
    [
      'chunked twice',
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n${chunks}`,
      '400',
    ],
  ])('%s', async (_name, text, status) => {
    const seen: string[] = []
    const server = new HttpServer({
      ...settings,
      handler: async (request, response) => {
        seen.push(request.url ?? '')
        response.end()
      },
    })
    await server.start()
    const answer = await exchange(server.port, text + behind)
    await server.stop()
    expect(answer.split('\r\n', 1)[0]).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1)
    expect(seen).toEqual([])
  })

  test('chunked alone, however it is written, is taken', async () => {
    const server = new HttpServer({ ...settings, handler: async (_request, response) => void response.end() })
    await server.start()
    const start = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: Chunked \r\n\r\n'
    expect(await exchange(server.port, start + chunks)).toMatch(/^HTTP\/1.1 200 /)
    await server.stop()
  })
})

test('one source has no more connections than it may, and gets new ones for those it closes', async () => {
  const server = new HttpServer({
    ...settings,
    handler: async (_request, response) => void response.end(),
    perSource: { maxConnections: 2, keyOf: (address) => address },
  })
  await server.start()
  const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
  const open = (localAddress = '127.0.0.1') => {
    const socket = connect({ port: server.port, host: '127.0.0.1', localAddress })
    socket.on('error', () => undefined) // What is closed at once may be reset.
    const answered = new Promise<boolean>((resolve) => {
      socket.on('data', () => resolve(true)).on('close', () => resolve(false))
    })
    socket.write(request)
    return { socket, answered }
  }
  const first = open()
  const second = open()
  expect([await first.answered, await second.answered]).toEqual([true, true])
  expect(await open().answered).toBe(false)
  const other = open('127.0.0.2')
  expect(await other.answered).toBe(true)
  first.socket.destroy()
  await expect.poll(() => open().answered).toBe(true)
  second.socket.destroy()
  other.socket.destroy()
  await server.stop()
})
