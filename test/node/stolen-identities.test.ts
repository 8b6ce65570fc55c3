import { once } from 'node:events'
import { connect as connectPlain, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect, createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { identity, type Role } from '../../common/identity.ts'
import { selfSigned, type TestIdentity } from '../support/certificates.ts'
import { EveryListener, type ListenerName } from '../support/every-listener.ts'
import { agentOf, host, installationId, send } from '../support/installation.ts'
import { listenerRows, type ListenerRow } from '../support/listeners-page.ts'
import { ProductAuthority } from '../support/product-authority.ts'
import { trials } from './listener-trials.ts'

// Promise: whoever steals the identity of one component opens with it what docs/reference/listeners.md says, and nothing
// else, at every port of the product.

const rows = listenerRows()
const columns = [...rows[0]!.opens.keys()]
/** What a connection that is not taken ends with, before an answer. */
const ended = /closed|disconnected|ECONNRESET|EPIPE|alert|socket hang up/
/** Whom a listener waits for, and a forger would therefore be. */
const awaited: Partial<Record<ListenerName, Role>> = {
  'node, admin': 'operator',
  'isolation probe': 'operator',
}

let bench: EveryListener
let foreign: ProductAuthority
/** By column, but for those who take the name of the one awaited. */
let stolen: ReadonlyMap<string, TestIdentity>

beforeAll(async () => {
  bench = await EveryListener.start()
  foreign = await ProductAuthority.create(installationId)
  const { authority, tenants } = bench
  const { gateway, operator } = tenants.installation
  stolen = new Map([
    ['gateway', gateway],
    ['operator', operator],
    ['node of a', await authority.issue(identity(tenants.a.id, 'node'))],
    ['node of b', await authority.issue(identity(tenants.b.id, 'node'))],
    ['probe', await authority.issue(identity(installationId, 'probe'))],
    ['public', await authority.issue()],
  ])
})
afterAll(() => bench.stop())

/** Somebody at a listener. @returns null for nobody */
async function identityFor(column: string, name: ListenerName): Promise<TestIdentity | null> {
  const wanted = identity(installationId, awaited[name] ?? 'gateway')
  const ownNode = name === 'node, direct access' ? 'b' : 'a'
  switch (column) {
    case 'none':
      return null
    case 'self-signed':
      return selfSigned('EC', wanted)
    case 'foreign':
      return foreign.issue(wanted)
    case 'own node':
      return stolen.get(`node of ${ownNode}`)!
    case 'other node':
      return stolen.get(`node of ${ownNode === 'a' ? 'b' : 'a'}`)!
    default:
      if (!stolen.has(column)) throw new Error(`nobody is called ${column}`)
      return stolen.get(column)!
  }
}

const measurementOf = (name: string, column: string): string => `${name} ${column}`.replaceAll(/\W/g, '_')

/** Each call on a connection of its own, and the word for all of their answers. */
async function openedBy(row: ListenerRow, column: string): Promise<string> {
  const name = row.name as ListenerName
  const port = bench.ports[name]
  const who = await identityFor(column, name)
  if (row.speaks !== 'TLS') expect(await speaksTls(port, who)).toBe(false)
  if (name === 'isolation probe, open') return (await bytesFrom(port)) === 0 ? 'nothing' : 'something'
  const { calls, words } = trials[name](bench, measurementOf(name, column))
  const scheme = row.speaks === 'TLS' ? 'https' : 'http'
  const answers: string[] = []
  for (const { path, method = 'GET', headers = {}, body } of calls) {
    const agent = agentOf(bench.tenants.installation.operator.ca, who)
    try {
      const options = { method, headers, ...(body !== undefined && { body }) }
      answers.push(String((await send(agent, `${scheme}://${host}:${port}${path}`, options)).status))
    } catch (error) {
      if (!ended.test(String(error))) throw error
      answers.push('refused')
    } finally {
      await agent.destroy()
    }
  }
  const all = answers.join(' ')
  if (answers.every((answer) => answer === 'refused')) return 'refused'
  return words[all] ?? all
}

/** Whether a handshake with this identity comes to an end. */
async function speaksTls(port: number, who: TestIdentity | null): Promise<boolean> {
  const socket = connect({
    host,
    port,
    rejectUnauthorized: false,
    ...(who && { cert: who.cert, key: who.key }),
  })
  try {
    await once(socket, 'secureConnect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** How much a port says before it closes the connection, to somebody who asks. */
async function bytesFrom(port: number): Promise<number> {
  const socket = connectPlain({ host, port })
  let bytes = 0
  socket.on('data', (piece: Buffer) => (bytes += piece.length))
  socket.on('error', () => undefined)
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'close')
  return bytes
}

test('the page and the bench have the same listeners', () => {
  expect(rows.map(({ name }) => name).toSorted()).toEqual(Object.keys(bench.ports).toSorted())
  expect(columns.length).toBeGreaterThanOrEqual(9)
})

describe.each(rows.map((row) => [row.name, row] as const))('%s', (_name, row) => {
  test.each(columns)('is opened as the page says by %s', async (column) => {
    expect(await openedBy(row, column)).toBe(row.opens.get(column))
  })
})

/** Takes a connection of whomever the operator's authority has made a client, and does not look who it is. */
async function careless(column: string): Promise<boolean> {
  const { cert, key, ca } = bench.tenants.installation.operator
  const server = createServer({ cert, key, ca, requestCert: true }, (socket) => void socket.end('in'))
  server.on('tlsClientError', () => undefined)
  server.listen(0, host)
  await once(server, 'listening')
  const { cert: shown, key: itsKey } = stolen.get(column)!
  const { port } = server.address() as AddressInfo
  const socket = connect({ host, port, ca, cert: shown, key: itsKey })
  socket.on('error', () => undefined)
  const said = await text(socket).catch(() => '')
  server.close()
  return said === 'in'
}

test.each([
  ['gateway', true],
  ['operator', true],
  ['node of a', false],
  ['probe', false],
  ['public', false],
])(
  'a certificate of somebody who calls nobody is no client’s, wherever it is shown: %s',
  async (column, isClient) => {
    expect(await careless(column)).toBe(isClient)
  },
)

test('what was written is that of those whom the page lets in, and of nobody else', async () => {
  const { a, b } = bench.tenants
  const agent = agentOf(bench.tenants.installation.operator.ca, null)
  const written: string[] = []
  for (const { token } of [a, b]) {
    const { text: answer } = await send(
      agent,
      `https://${host}:${bench.ports.gateway}/query?db=metrics&q=SHOW%20MEASUREMENTS`,
      {
        headers: { authorization: `Token ${token}` },
      },
    )
    const { results } = JSON.parse(answer) as { results: { series?: { values: string[][] }[] }[] }
    written.push(...(results[0]?.series?.[0]?.values ?? []).flat())
  }
  await agent.close()
  const mayWrite = rows
    .filter(({ name }) => name !== 'node alone')
    .flatMap(({ name, opens }) =>
      columns.filter((column) => opens.get(column) === 'token').map((column) => measurementOf(name, column)),
    )
  expect(mayWrite.length).toBeGreaterThan(10)
  expect(written.toSorted()).toEqual(mayWrite.toSorted())
})
