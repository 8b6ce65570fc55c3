import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, LookupFunction } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { Agent, request, type Dispatcher } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { identity } from '../../common/identity.ts'
import { tokenId } from '../../common/ids.ts'
import { silentLogger } from '../../common/log.ts'
import { stateDigest, type Permission, type StateDocument } from '../../common/state-document.ts'
import { hashToken, mintToken } from '../../common/token.ts'
import { parseGatewayConfig } from '../../gateway/config.ts'
import { createGateway, type Gateway } from '../../gateway/gateway.ts'
import type { Target } from '../../gateway/target.ts'
import { firstDocument, withDatabase } from '../../storage-node/state/alone.ts'
import { TestAuthority, writeIdentity, type TestIdentity } from '../support/certificates.ts'
import { startStorageNode, type NodeProcess } from '../support/storage-node.ts'

const installationId = 'cccccccccccccccc'
const unknownId = 'dddddddddddddddd'
const host = '127.0.0.1'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

async function send(dispatcher: Dispatcher, url: string, options: object = {}): Promise<Answer> {
  const { statusCode, headers, body } = await request(url, { dispatcher, ...options })
  return { status: statusCode, headers, text: await body.text() }
}

/** Speaks TLS with a test identity, or none, to a server of the test's authority. */
const agentOf = (ca: string, who: TestIdentity | null) =>
  new Agent({
    allowH2: false,
    connect: { ca, maxCachedSessions: 0, ...(who && { cert: who.cert, key: who.key }) },
  })

interface Tenant {
  readonly id: string
  readonly token: string
  readonly process: NodeProcess
  document: StateDocument
}

let folder: string
let authority: TestAuthority
let operator: TestIdentity
let gatewayIdentity: TestIdentity
let a: Tenant
let b: Tenant
let gateway: Gateway
let targets: Map<string, Target>
let client: Agent

async function tokenFor(id: string, permissions: Permission[]) {
  const text = mintToken(id)
  const hash = hashToken(text)
  return { text, state: { id: tokenId(hash), hash, permissions, expiresAt: null } }
}

async function push(
  tenant: Pick<Tenant, 'id' | 'process'>,
  document: StateDocument,
  replaces: string,
  who = operator,
) {
  return send(agentOf(operator.ca, who), `https://${host}:${tenant.process.adminPort}/admin/state`, {
    method: 'PUT',
    headers: { 'holdfast-organization': tenant.id, 'if-match': `"${replaces}"` },
    body: JSON.stringify(document),
  })
}

async function startTenant(id: string): Promise<Tenant> {
  const tlsDir = await writeIdentity(join(folder, id, 'tls'), await authority.issue(identity(id, 'node')))
  const keyFile = join(folder, id, 'data-key')
  await writeFile(keyFile, randomBytes(32).toString('base64'))
  const process = await startStorageNode([], {
    HOLDFAST_ORGANIZATION_ID: id,
    HOLDFAST_INSTALLATION_ID: installationId,
    HOLDFAST_DATA_DIR: join(folder, id, 'data'),
    HOLDFAST_TLS_DIR: tlsDir,
    HOLDFAST_DATA_KEY_FILE: keyFile,
    HOLDFAST_LISTEN: `${host}:0`,
    HOLDFAST_ADMIN_LISTEN: `${host}:0`,
  })
  const { text: token, state } = await tokenFor(id, [{ database: 'metrics', access: ['read', 'write'] }])
  const base = withDatabase(firstDocument(id), 'metrics', null, id.replaceAll(/./g, '1'))!
  const document: StateDocument = {
    ...base,
    organization: { id, name: 'team', displayName: 'Team', directAccess: false },
    tokens: [state],
  }
  const tenant = { id, token, process, document }
  await untilAccepted(tenant, document)
  return tenant
}

/** The engine opens after the listeners: until then the push is answered 503. */
async function untilAccepted(tenant: Tenant, document: StateDocument): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const { status, text } = await push(tenant, document, '')
    if (status === 200) return
    if (status !== 503) throw new Error(`push: ${status} ${text}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('the node did not take a document in time')
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-gateway-'))
  authority = await TestAuthority.create()
  operator = await authority.issue(identity(installationId, 'operator'))
  gatewayIdentity = await authority.issue(identity(installationId, 'gateway'))
  a = await startTenant('aaaaaaaaaaaaaaaa')
  b = await startTenant('bbbbbbbbbbbbbbbb')
  targets = new Map([
    [a.id, { host, port: a.process.port }],
    [b.id, { host, port: b.process.port }],
  ])
  const config = parseGatewayConfig({
    HOLDFAST_LISTEN: `${host}:0`,
    HOLDFAST_METRICS_LISTEN: `${host}:0`,
    HOLDFAST_TLS_DIR: await writeIdentity(join(folder, 'public'), await authority.issue()),
    HOLDFAST_IDENTITY_DIR: await writeIdentity(join(folder, 'gateway'), gatewayIdentity),
    HOLDFAST_UPSTREAM_TIMEOUT_MS: '20000',
  })
  gateway = createGateway(config, targetOf, systemClock, silentLogger)
  await gateway.start()
  client = agentOf(operator.ca, null)
})

/** As the cluster's DNS: a name that nobody has is not found. */
const missing: LookupFunction = (name, _options, callback) =>
  callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }), '', 0)

function targetOf(id: string): Target {
  return targets.get(id) ?? { host: `storage-node.holdfast-${id}.svc.test.`, port: 8086, lookup: missing }
}

afterAll(async () => {
  await client.close()
  await gateway.stop()
  await Promise.all([a, b].map(({ process }) => process.stop()))
  await rm(folder, { recursive: true, force: true })
})

const through = (path: string, options: object = {}) =>
  send(client, `https://${host}:${gateway.port}${path}`, options)
const write = (token: string, body: string | Buffer, headers = {}) =>
  through('/write?db=metrics', {
    method: 'POST',
    body,
    headers: { authorization: `Token ${token}`, ...headers },
  })
const read = (token: string, measurement: string) =>
  through(`/query?db=metrics&epoch=ns&q=SELECT%20v%20FROM%20${measurement}`, {
    headers: { authorization: `Token ${token}` },
  })

describe('the same address serves every organization, and each reaches its own nodes alone', () => {
  test('what a tenant writes, it reads, and the other does not', async () => {
    expect((await write(a.token, 'mine v=1 1')).status).toBe(204)
    expect((await write(b.token, 'mine v=2 2')).status).toBe(204)
    expect(JSON.parse((await read(a.token, 'mine')).text)).toMatchObject({
      results: [{ series: [{ values: [[1, 1]] }] }],
    })
    expect(JSON.parse((await read(b.token, 'mine')).text)).toMatchObject({
      results: [{ series: [{ values: [[2, 2]] }] }],
    })
  })

  test("nothing that carries A's credentials ever reaches B's node", async () => {
    const headers = { authorization: `Token ${a.token}` }
    const attempts = [
      ['/write?db=metrics', { 'x-request-id': 'try-1' }],
      [`/api/v2/write?bucket=metrics&orgID=${b.id}`, { 'x-request-id': 'try-2' }],
      [`/api/v2/write?bucket=metrics&org=${b.id}`, { 'x-request-id': 'try-3' }],
      [`/write?db=metrics&u=x@${b.id}&p=${a.token}`, { 'x-request-id': 'try-4' }],
      [`/write?db=metrics&p=${b.token}`, { 'x-request-id': 'try-5' }],
    ] as const
    const statuses = []
    for (const [path, more] of attempts) {
      statuses.push(
        (await through(path, { method: 'POST', body: 'x v=1 1', headers: { ...headers, ...more } })).status,
      )
    }
    expect(statuses).toEqual([204, 401, 401, 401, 401])
    const seen = (tenant: Tenant) =>
      tenant.process.log
        .filter(({ requestId }) => String(requestId).startsWith('try-'))
        .map(({ requestId }) => requestId)
    expect(seen(a)).toEqual(['try-1'])
    expect(seen(b)).toEqual([])
  })

  test('a gzip body passes as it is, and a long answer comes whole', async () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `long v=${index} ${index + 1}`).join('\n')
    expect((await write(a.token, gzipSync(lines), { 'content-encoding': 'gzip' })).status).toBe(204)
    const { results } = JSON.parse((await read(a.token, 'long')).text)
    expect(results[0].series[0].values).toHaveLength(20_000)
  })

  test('the node sees the address that the gateway saw, and the id of the request', async () => {
    await through('/query?q=SHOW+DATABASES', {
      headers: {
        authorization: `Token ${a.token}`,
        'x-forwarded-for': '203.0.113.66',
        'x-request-id': 'seen-1',
      },
    })
    expect(a.process.log.find(({ requestId }) => requestId === 'seen-1')).toMatchObject({
      source: host,
      status: 200,
    })
  })

  test("a refusal that is not about who is asking is the node's own", async () => {
    const headers = { authorization: `Token ${a.token}` }
    const forbidden = await through('/write?db=other', { method: 'POST', body: 'x v=1', headers })
    const id = tokenId(hashToken(a.token))
    expect(forbidden.status).toBe(403)
    expect(JSON.parse(forbidden.text)).toEqual({
      error: `"${id}" user is not authorized to write to database "other"`,
    })
    const v2 = await through('/api/v2/write?bucket=other', { method: 'POST', body: 'x v=1', headers })
    expect(v2).toMatchObject({
      status: 403,
      text: '{"code":"forbidden","message":"insufficient permissions for write"}',
    })
    const query = await through('/query?q=DROP+DATABASE+metrics', { method: 'POST', headers })
    expect(query.status).toBe(403)
    expect(JSON.parse(query.text).error).toMatch(/^error authorizing query: .*requires admin privilege$/)
    expect((await through('/nope', { headers })).status).toBe(404)
    const large = await write(a.token, Buffer.alloc(25_000_001, 'x'))
    expect(large.status).toBe(413)
  })
})

describe('who is not let in learns nothing', () => {
  const body = {
    v1: '{"error":"authorization failed"}\n',
    v2: '{"code":"unauthorized","message":"unauthorized access"}',
  }

  test('none, wrong, foreign and for an organization that does not exist: one answer each dialect', async () => {
    const credentials = [
      undefined,
      'Basic cm9vdDpyb290',
      `Token ${mintToken(a.id)}`,
      `Token ${mintToken(unknownId)}`,
      `Token ${a.token.slice(0, -1)}_`,
    ]
    const answers = []
    for (const authorization of credentials) {
      const headers = { 'x-request-id': 'same', ...(authorization !== undefined && { authorization }) }
      const v1 = await through('/query?q=SHOW+DATABASES', { headers })
      const v2 = await through('/api/v2/write?bucket=metrics', { method: 'POST', body: 'x v=1', headers })
      expect([v1.status, v1.text, v2.status, v2.text]).toEqual([401, body.v1, 401, body.v2])
      const withoutDate = ({ headers: { date: _date, ...rest } }: Answer) => rest
      answers.push(JSON.stringify([withoutDate(v1), withoutDate(v2)]))
    }
    expect(new Set(answers).size).toBe(1)
  })

  test("probes are the gateway's own and need no credentials; its metrics are on another port", async () => {
    expect((await through('/ping')).status).toBe(204)
    expect(JSON.parse((await through('/health')).text)).toMatchObject({ status: 'pass' })
    expect(JSON.parse((await through('/ready')).text)).toMatchObject({ status: 'ready' })
    expect((await through('/metrics')).status).toBe(401)
    const metrics = await request(`http://${host}:${gateway.metricsPort}/metrics`)
    expect(await metrics.body.text()).toContain('holdfast_gateway_requests_total')
  })

  test('a revoked token is refused at once, and its revival too', async () => {
    const { text, state } = await tokenFor(a.id, [{ database: '*', access: ['read'] }])
    const withToken = { ...a.document, tokens: [...a.document.tokens, state] }
    const databases = () =>
      through('/query?q=SHOW+DATABASES', { headers: { authorization: `Token ${text}` } })
    expect((await push(a, withToken, stateDigest(a.document))).status).toBe(200)
    expect((await databases()).text).toContain('metrics')
    expect((await push(a, a.document, stateDigest(withToken))).status).toBe(200)
    expect((await databases()).status).toBe(401)
    const revival = await push(a, withToken, stateDigest(a.document))
    expect(revival.status).toBe(422)
    expect(JSON.parse(revival.text)).toMatchObject({ code: 'ERR_STATE_REVIVES_TOKEN' })
    expect((await databases()).status).toBe(401)
  })
})

describe('a node that cannot be reached, or is not who it should be, is 503 and nothing leaks to it', () => {
  test('nobody listens: 503 with Retry-After, also while a body is sent', async () => {
    const id = 'eeeeeeeeeeeeeeee'
    targets.set(id, { host, port: 1 })
    const answer = await write(mintToken(id), gzipSync('x v=1 1'), { 'content-encoding': 'gzip' })
    expect(answer).toMatchObject({ status: 503, text: '{"error":"storage node unavailable"}\n' })
    expect(answer.headers['retry-after']).toBe('2')
  })

  test('a name that is gone for a while is 503 for who was let in before, 401 for all others', async () => {
    const id = 'fedcba9876543210'
    const issued = await authority.issue(identity(id, 'node'))
    const node = await listen(
      createServer({ cert: issued.cert, key: issued.key }, (_request, response) => {
        response.writeHead(200, { connection: 'close' }).end('{}')
      }),
    )
    let there = true
    targets.set(id, {
      host: 'storage-node.test.',
      port: (node.address() as AddressInfo).port,
      lookup: (name, options, callback) =>
        there ? callback(null, [{ address: host, family: 4 }]) : missing(name, options, callback),
    })
    const token = mintToken(id)
    expect((await read(token, 'x')).status).toBe(200)
    there = false
    node.close()
    expect((await read(token, 'x')).status).toBe(503)
    expect((await read(mintToken(id), 'x')).status).toBe(401)
  })

  test("A's node in the place of B's is refused before a byte of the request is sent", async () => {
    const before = a.process.log.length
    const known = targets.get(b.id)!
    targets.set(b.id, targets.get(a.id)!)
    const other = createGateway(
      parseGatewayConfig({
        HOLDFAST_LISTEN: `${host}:0`,
        HOLDFAST_METRICS_LISTEN: `${host}:0`,
        HOLDFAST_INSECURE_HTTP: 'true',
        HOLDFAST_IDENTITY_DIR: join(folder, 'gateway'),
      }),
      targetOf,
      systemClock,
      silentLogger,
    )
    await other.start()
    const answer = await send(client, `http://${host}:${other.port}/query?q=SHOW+DATABASES`, {
      headers: { authorization: `Token ${b.token}` },
    })
    await other.stop()
    targets.set(b.id, known)
    expect(answer.status).toBe(503)
    expect(a.process.log.length).toBe(before)
  })

  test.each([
    [
      'of another authority',
      async () => (await TestAuthority.create()).issue(identity('ffffffffffffffff', 'node')),
    ],
    [
      'with two identities',
      () => authority.issue(identity('ffffffffffffffff', 'node'), identity(a.id, 'node')),
    ],
    ['of the gateway', () => authority.issue(identity('ffffffffffffffff', 'gateway'))],
    ['without identity', () => authority.issue()],
  ])('a node with a certificate %s is refused', async (_name, issue) => {
    const issued = await issue()
    let requests = 0
    const imposter = await listen(
      createServer({ cert: issued.cert, key: issued.key }, (_request, response) => {
        requests += 1
        response.end('{}')
      }),
    )
    targets.set('ffffffffffffffff', { host, port: (imposter.address() as AddressInfo).port })
    const answer = await read(mintToken('ffffffffffffffff'), 'x')
    imposter.closeAllConnections()
    imposter.close()
    expect([answer.status, requests]).toEqual([503, 0])
  })
})

describe('a node lets in whom it should by certificate, and nobody else', () => {
  const direct = (
    who: TestIdentity | null,
    path = '/query?q=SHOW+DATABASES',
    port = a.process.port,
    headers = {},
  ) =>
    send(agentOf(operator.ca, who), `https://${host}:${port}${path}`, {
      headers: { authorization: `Token ${a.token}`, ...headers },
    })

  test('without a certificate only the probes answer, unless the organization opens direct access', async () => {
    expect((await direct(null, '/ping')).status).toBe(204)
    expect((await direct(null, '/health')).status).toBe(200)
    expect((await direct(null, '/ready')).status).toBe(200)
    expect((await direct(null)).status).toBe(403)
    const open = { ...a.document, organization: { ...a.document.organization, directAccess: true } }
    await push(a, open, stateDigest(a.document))
    expect((await direct(null)).status).toBe(200)
    expect(
      (await direct(null, '/query?q=SHOW+DATABASES', a.process.port, { authorization: 'Token x' })).status,
    ).toBe(401)
    await push(a, a.document, stateDigest(open))
    expect((await direct(null)).status).toBe(403)
  })

  test.each([
    ["another installation's gateway", () => authority.issue(identity('0123456789abcdef', 'gateway'))],
    ['the operator', async () => operator],
    ['a node', () => authority.issue(identity(b.id, 'node'))],
    ['two identities', () => authority.issue(identity(installationId, 'gateway'), identity(b.id, 'node'))],
    [
      'another authority',
      async () => (await TestAuthority.create()).issue(identity(installationId, 'gateway')),
    ],
  ])("a certificate that is not the gateway's ends the connection: %s", async (_name, issue) => {
    await expect(direct(await issue(), '/ping')).rejects.toThrow(/closed|disconnected|ECONNRESET|EPIPE|alert/)
  })

  test('the gateway is let in, and must show a token all the same', async () => {
    expect((await direct(gatewayIdentity)).status).toBe(200)
    expect(
      (
        await direct(gatewayIdentity, '/query?q=SHOW+DATABASES', a.process.port, {
          authorization: `Token ${b.token}`,
        })
      ).status,
    ).toBe(401)
  })

  test.each([
    ['nobody', async () => null],
    ['the gateway', async () => gatewayIdentity],
    ["another installation's operator", () => authority.issue(identity('0123456789abcdef', 'operator'))],
    [
      'another authority',
      async () => (await TestAuthority.create()).issue(identity(installationId, 'operator')),
    ],
  ])("the admin port is the operator's alone: not for %s", async (_name, issue) => {
    const who = await issue()
    await expect(
      direct(who, '/admin/health', a.process.adminPort, { 'holdfast-organization': a.id }),
    ).rejects.toThrow(/closed|disconnected|ECONNRESET|EPIPE|alert/)
  })

  test('the operator must name the organization, and sees the state and the metrics', async () => {
    const admin = (path: string, headers = {}) => direct(operator, path, a.process.adminPort, headers)
    expect((await admin('/admin/health')).status).toBe(421)
    expect((await admin('/admin/health', { 'holdfast-organization': b.id })).status).toBe(421)
    const own = { 'holdfast-organization': a.id }
    expect((await admin('/admin/health', own)).text).toBe('{"status":"pass"}')
    expect(JSON.parse((await admin('/admin/state', own)).text)).toMatchObject({
      organizationId: a.id,
      digest: stateDigest(a.document),
      formatVersions: [1],
    })
    expect((await admin('/admin/metrics', own)).text).toContain('holdfast_node_stored_state')
    expect((await admin('/admin/nope', own)).status).toBe(404)
  })

  test('a stale push changes nothing; a database that is held is not deleted', async () => {
    expect((await push(a, a.document, '')).status).toBe(412)
    const foreign = await push(a, b.document, stateDigest(a.document))
    expect(foreign.status).toBe(422)
    const remove = (id: string) =>
      send(agentOf(operator.ca, operator), `https://${host}:${a.process.adminPort}/admin/databases/${id}`, {
        method: 'DELETE',
        headers: { 'holdfast-organization': a.id },
      })
    expect((await remove(a.document.databases[0]!.id)).status).toBe(409)
    expect((await remove('9999999999999999')).status).toBe(204)
    expect((await remove('../state')).status).toBe(404)
  })

  test.each([
    [
      'TLS 1.1',
      { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' },
      /alert protocol version/,
    ],
    [
      'a suite without authenticated encryption',
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' },
      /alert handshake failure/,
    ],
    ['TLS 1.2 as it should be', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }, null],
    ['TLS 1.3', { minVersion: 'TLSv1.3' }, null],
  ] as const)('every port takes modern TLS and no other: %s', async (_name, options, refusal) => {
    for (const port of [a.process.port, a.process.adminPort, gateway.port]) {
      const { cert, key } = port === a.process.adminPort ? operator : gatewayIdentity
      const outcome = await new Promise<string>((resolve) => {
        const socket = tlsConnect({ host, port, rejectUnauthorized: false, cert, key, ...options }, () => {
          resolve('connected')
          socket.destroy()
        })
        socket.on('error', (error) => resolve(error.message))
      })
      if (refusal) expect(outcome).toMatch(refusal)
      else expect(outcome).toBe('connected')
    }
  })
})

function listen(server: Server): Promise<Server> {
  return new Promise((resolve) => server.listen(0, host, () => resolve(server)))
}
