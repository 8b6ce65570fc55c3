import { createSocket } from 'node:dgram'
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { undisturbed } from '../test/support/stalls.ts'
import { reach } from './reach.ts'

// An attempt says connected only where something answered, tells a refusal from silence, and ends in time.

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

async function tcpPort(): Promise<number> {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close())
  return (server.address() as AddressInfo).port
}

/** A name server. @param answer what becomes of a question; null for no answer */
async function udpPort(answer: (question: Buffer) => Buffer | null): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  socket.on('message', (question, from) => {
    const text = answer(question)
    if (text) socket.send(text, from.port, from.address)
  })
  closing.push(() => socket.close())
  return socket.address().port
}

const tcp = (port: number) => reach({ protocol: 'tcp', address: '127.0.0.1', port })
const dns = (port: number) => reach({ protocol: 'dns', address: '127.0.0.1', port })

describe('over TCP', () => {
  test('what listens is connected to', () =>
    undisturbed(async () => expect(await tcp(await tcpPort())).toBe('connected')))

  test('what does not listen refuses', async () => {
    const port = await tcpPort()
    closing.pop()!()
    expect(await tcp(port)).toBe('refused')
  })

  test('an attempt that is called off is silence', async () => {
    const attempt = { protocol: 'tcp' as const, address: '127.0.0.1', port: await tcpPort() }
    expect(await reach(attempt, AbortSignal.abort())).toBe('silent')
  })
})

describe('over DNS', () => {
  test('one fixed question is asked, of which nothing can be chosen', async () => {
    const questions: Buffer[] = []
    const port = await udpPort((question) => {
      questions.push(question)
      return Buffer.concat([question, Buffer.alloc(20)])
    })
    await undisturbed(async () => {
      questions.splice(0)
      expect(await dns(port)).toBe('connected')
    })
    expect(questions.map((question) => question.subarray(2).toString('latin1'))).toEqual([
      '\x01\0\0\x01\0\0\0\0\0\0\x0akubernetes\x07default\x03svc\x07cluster\x05local\0\0\x01\0\x01',
    ])
  })

  test('an answer to another question is none, and silence ends in time', async () => {
    const port = await udpPort((question) => {
      const other = Buffer.from(question)
      other.writeUInt16BE((question.readUInt16BE(0) + 1) % 65_536, 0)
      return other
    })
    const startedMs = performance.now()
    expect(await dns(port)).toBe('silent')
    expect(performance.now() - startedMs).toBeGreaterThan(1_000)
  })

  test('where nobody listens it is refused', async () => {
    const port = await udpPort(() => null)
    closing.pop()!()
    expect(await dns(port)).toBe('refused')
  })
})
