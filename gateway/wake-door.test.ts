import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { identity } from '../common/identity.ts'
import { TestAuthority } from '../test/support/certificates.ts'
import { WakeDoor } from './wake-door.ts'

// Promise: when another operator leads, it is the same question that finds it: whoever waits is not told that there is none.

const installationId = '0123456789abcdef'
const signal = new AbortController().signal

test('where the operator that answered last is gone, the others are asked at once', async () => {
  const authority = await TestAuthority.create()
  const issue = (role: 'operator' | 'gateway') => authority.issue(identity(installationId, role))
  const { cert, key, ca } = await issue('operator')
  const open = async (address: string, port: number, state: string) => {
    const server = createServer({ cert, key, ca, requestCert: true }, (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ state }))
    })
    const close = () => {
      server.closeAllConnections()
      server.close()
    }
    onTestFinished(close)
    server.listen(port, address)
    await once(server, 'listening')
    return { port: (server.address() as AddressInfo).port, close }
  }
  const first = await open('127.0.0.1', 0, 'waking')
  await open('127.0.0.2', first.port, 'awake')
  const door = new WakeDoor({ host: 'operators', port: first.port }, async () => ['127.0.0.1', '127.0.0.2'])
  onTestFinished(() => door.close())
  const own = await issue('gateway')
  door.renew({
    certificate: Buffer.from(own.cert),
    key: Buffer.from(own.key),
    authority: Buffer.from(own.ca),
  })
  expect(await door.ask('a'.repeat(16), 'token', signal)).toBe('waking')
  first.close()
  expect(await door.ask('a'.repeat(16), 'token', signal)).toBe('awake')
  expect(await door.ask('a'.repeat(16), 'token', signal)).toBe('awake')
})
