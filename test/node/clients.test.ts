import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startStorageNode, untilLogged, untilReady, type NodeProcess } from '../support/storage-node.ts'
import { temporaryFolder } from './engine-support.ts'

/** Promise: a client that goes away, stalls or only holds a connection takes nothing from the others. */

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let node: NodeProcess
const sockets: Socket[] = []

beforeAll(async () => {
  folder = await temporaryFolder()
  node = await startStorageNode(['--data', folder.path, '--listen', '127.0.0.1:0', '--auth', 'off'])
  await untilReady(node.port)
  await ask('CREATE DATABASE d')
  for (let batch = 0; batch < 2; batch++) {
    const lines = Array.from({ length: 60_000 }, (_, k) => `m v=${k}.5 ${batch * 60_000 + k}`)
    await write(lines.join('\n'))
  }
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await node.stop()
  await folder[Symbol.asyncDispose]()
})

const url = (path: string) => `http://127.0.0.1:${node.port}${path}`
const ask = (q: string) => fetch(url(`/query?db=d&q=${encodeURIComponent(q)}`), { method: 'POST' })
const write = (body: string | Uint8Array<ArrayBuffer>, headers = {}) =>
  fetch(url('/write?db=d'), { method: 'POST', body, headers })

async function open(): Promise<Socket> {
  const socket = connect(node.port, '127.0.0.1')
  sockets.push(socket)
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return socket
}

const firstPiece = (socket: Socket): Promise<Buffer> => new Promise((resolve) => socket.once('data', resolve))

test('clients that go away in the middle of a large answer end their queries', async () => {
  // More of them than may run at one time: each has to give its place back.
  for (let count = 0; count < 22; count++) {
    const socket = await open()
    socket.write(
      `GET /query?db=d&q=SELECT+v+FROM+m HTTP/1.1\r\nHost: a\r\nX-Request-Id: gone-${count}\r\n\r\n`,
    )
    expect((await firstPiece(socket)).toString()).toMatch(/^HTTP\/1.1 200 /)
    socket.destroy()
  }
  for (let count = 0; count < 22; count++)
    expect(await untilLogged(node, `gone-${count}`)).toMatchObject({ errorCode: 'ERR_CLIENT_GONE' })
  const counted = await ask('SELECT count(v) FROM m')
  expect([counted.status, await counted.text()]).toEqual([200, expect.stringContaining('120000')])
})

test('a thousand connections that only wait keep nobody waiting', async () => {
  await Promise.all(Array.from({ length: 1_000 }, open))
  expect((await write('m v=1 -1')).status).toBe(204)
  expect(await (await ask('SELECT v FROM m WHERE time < 0')).text()).toContain('"values"')
})

test('a body in an encoding that nobody undoes is 415 and not taken for line protocol', async () => {
  const refused = await write('m v=1 1', { 'content-encoding': 'zstd' })
  expect([refused.status, await refused.json()]).toEqual([
    415,
    { error: 'Content-Encoding "zstd" is not supported: gzip or identity expected' },
  ])
  expect((await write(new Uint8Array(gzipSync('m v=2 -2')), { 'content-encoding': 'GZIP' })).status).toBe(204)
})
