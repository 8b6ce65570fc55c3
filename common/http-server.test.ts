import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
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

test('what is not HTTP gets 400 and the connection ends', async () => {
  const server = new HttpServer({ ...settings, handler: async (_request, response) => void response.end() })
  await server.start()
  const text = await new Promise<string>((resolve) => {
    let received = ''
    const socket = connect(server.port, '127.0.0.1', () => socket.write('nonsense\r\n\r\n'))
    socket.on('data', (piece) => (received += piece.toString())).on('close', () => resolve(received))
  })
  expect(text).toMatch(/^HTTP\/1.1 400 /)
  await server.stop()
})
