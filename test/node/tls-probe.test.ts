import { once } from 'node:events'
import { createServer as createPlainServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer, getCiphers, type ConnectionOptions, type SecureVersion } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tlsPolicy } from '../../common/tls.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import { tryRun } from '../../scripts/run.ts'
import { ensurePrograms } from '../../scripts/system-packages.ts'
import { selfSigned, writeIdentity } from '../support/certificates.ts'
import { EveryListener, type ListenerName } from '../support/every-listener.ts'
import { host } from '../support/installation.ts'
import { listenerRows } from '../support/listeners-page.ts'
import { compressionTaken, handshake, onlySuite, psk, renegotiates } from '../support/tls-client.ts'

// Promise: every port that speaks TLS takes what the policy of common/tls.ts names and nothing else, whoever calls: a
// scanner that offers each suite and version alone, beside a server that takes them all, so that a no is the port's own.

const suites = getCiphers()
const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const satisfies readonly SecureVersion[]
const policySuites = tlsPolicy.ciphers.split(':').map((suite) => suite.toLowerCase())
/** With certificates of elliptic curves, as the operator makes them, and of RSA, as a platform may bring one. */
const suitesFor = (key: 'ecdsa' | 'rsa'): readonly string[] =>
  policySuites.filter((suite) => suite.startsWith('tls_') || suite.includes(`-${key}-`))

interface Port {
  readonly name: string
  readonly port: number
  readonly key: 'ecdsa' | 'rsa'
  /** Who is let in there: another would be refused whatever it offers. */
  readonly caller: ConnectionOptions
}

const withRsa = 'gateway, with a certificate of RSA'
const names = [...listenerRows().flatMap(({ name, speaks }) => (speaks === 'TLS' ? [name] : [])), withRsa]
const callers: Partial<Record<string, 'gateway' | 'operator'>> = {
  'node, admin': 'operator',
  'isolation probe': 'operator',
  'wake door': 'gateway',
}

let bench: EveryListener
let rsaGateway: Gateway
/** Takes whatever there is. */
let stub: Awaited<ReturnType<typeof openStub>>

beforeAll(async () => {
  await ensurePrograms(['openssl'])
  bench = await EveryListener.start()
  const { installation } = bench.tenants
  const folder = await writeIdentity(join(installation.folder, 'rsa'), await selfSigned('RSA'))
  rsaGateway = await bench.tenants.startGateway({ HOLDFAST_TLS_DIR: folder })
  stub = await openStub()
})
afterAll(async () => {
  stub.close()
  await rsaGateway.stop()
  await bench.stop()
})

function portOf(name: string): Port {
  const role = callers[name]
  const who = role && bench.tenants.installation[role]
  return {
    name,
    port: name === withRsa ? rsaGateway.port : bench.ports[name as ListenerName],
    key: name === withRsa ? 'rsa' : 'ecdsa',
    caller: who ? { cert: who.cert, key: who.key } : {},
  }
}

async function openStub() {
  const [ec, rsa] = [await selfSigned('EC'), await selfSigned('RSA')]
  const server = createServer({
    cert: [ec.cert, rsa.cert],
    key: [ec.key, rsa.key],
    minVersion: 'TLSv1',
    ciphers: `${suites.map((suite) => suite.toUpperCase()).join(':')}:@SECLEVEL=0`,
    dhparam: 'auto',
    pskCallback: () => psk.psk,
  })
  server.on('tlsClientError', () => undefined)
  server.on('secureConnection', (socket) => socket.on('error', () => undefined))
  server.listen(0, host)
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

/** The suites that are taken alone, in the order in which they were tried. */
async function takenSuites(port: number, caller: ConnectionOptions): Promise<readonly string[]> {
  const taken: string[] = []
  for (const suite of suites) {
    const found = await handshake(port, { ...caller, ...onlySuite(suite) })
    if (found.taken) taken.push(suite)
  }
  return taken
}

async function takenVersions(port: number, caller: ConnectionOptions): Promise<readonly string[]> {
  const taken: string[] = []
  for (const version of versions) {
    const alone = { minVersion: version, maxVersion: version }
    const ciphers = version === 'TLSv1.3' ? {} : { ciphers: 'ALL:@SECLEVEL=0' }
    const found = await handshake(port, { ...caller, ...alone, ...ciphers })
    if (found.taken) taken.push(found.version)
  }
  return taken
}

/** The version that OpenSSL's own client comes to with nothing newer than 1.1; null where it is refused. */
async function opensslVersion(port: number): Promise<string | null> {
  const offer = ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0']
  const text = await tryRun('openssl', ['s_client', '-connect', `${host}:${port}`, ...offer], {
    timeoutMs: 30_000,
  })
  return text === undefined ? null : (/^\s*Protocol\s*: (\S+)$/m.exec(text)?.[1] ?? null)
}

test('the policy has forward secrecy and authenticated encryption alone', () => {
  expect(policySuites.length).toBeGreaterThan(5)
  expect(policySuites.filter((suite) => !/^(?:tls_|ecdhe-)/.test(suite))).toEqual([])
  expect(policySuites.filter((suite) => !/gcm|chacha20/.test(suite))).toEqual([])
  expect([tlsPolicy.minVersion, tlsPolicy.maxVersion]).toEqual(['TLSv1.2', 'TLSv1.3'])
})

describe('the scanner can do what is refused below', () => {
  test('every suite but SRP, which Node has no part for, and every version', async () => {
    const taken = await takenSuites(stub.port, {})
    expect(suites.filter((suite) => !taken.includes(suite) && !suite.startsWith('srp-'))).toEqual([])
    expect(await takenVersions(stub.port, {})).toEqual([...versions])
  })

  test('TLS 1.1 by openssl', async () => expect(await opensslVersion(stub.port)).toBe('TLSv1.1'))

  test('renegotiation', async () => expect(await renegotiates(stub.port, {})).toBe(true))

  test('compression, by a server that says yes', async () => {
    const hello = Buffer.concat([Buffer.from([22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3]), Buffer.alloc(32)])
    const agrees = Buffer.concat([hello, Buffer.from([0, 0xc0, 0x2b, 1])])
    const server = createPlainServer((socket) => void socket.on('error', () => undefined).write(agrees))
    server.listen(0, host)
    await once(server, 'listening')
    expect(await compressionTaken((server.address() as AddressInfo).port)).toBe(1)
    server.close()
  })
})

describe.each(names)('%s', (name) => {
  test('takes the suites of the policy, those of its key, and no other', async () => {
    const { port, key, caller } = portOf(name)
    expect((await takenSuites(port, caller)).toSorted()).toEqual(suitesFor(key).toSorted())
  })

  test('takes 1.2 and 1.3 alone, also of openssl', async () => {
    const { port, caller } = portOf(name)
    expect(await takenVersions(port, caller)).toEqual(['TLSv1.2', 'TLSv1.3'])
    expect(await opensslVersion(port)).toBeNull()
  })

  test('begins no second handshake, and compresses nothing', async () => {
    const { port, caller } = portOf(name)
    expect(await renegotiates(port, caller)).toBe(false)
    expect(await compressionTaken(port)).toBe(0)
  })
})
