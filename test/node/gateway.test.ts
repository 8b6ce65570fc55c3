import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { request, type Agent } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { letInHeader } from '../../common/door.ts'
import { tokenId } from '../../common/ids.ts'
import { stateDigest, type StateDocument } from '../../common/state-document.ts'
import { hashToken, mintToken } from '../../common/token.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import {
  host,
  newToken,
  send,
  type Answer,
  type Tenant,
  type TestInstallation,
} from '../support/installation.ts'
import { undisturbed } from '../support/stalls.ts'
import { untilLogged } from '../support/storage-node.ts'
import { TwoTenants } from '../support/two-tenants.ts'

const unknownId = 'dddddddddddddddd'

let bench: TwoTenants
let installation: TestInstallation
let a: Tenant
let b: Tenant
let gateway: Gateway
let client: Agent

beforeAll(async () => {
  bench = await TwoTenants.start()
  ;({ installation, a, b, gateway, client } = bench)
})

afterAll(() => bench.stop())

const startGateway = (more: Record<string, string>) => bench.startGateway(more)
const through = (path: string, options: object = {}) => bench.through(path, options)
const write = (token: string, body: string | Buffer, headers = {}) => bench.write(token, body, headers)
const read = (token: string, measurement: string) => bench.read(token, measurement)

/** Asks for an answer that is larger than what buffers on the way hold; nobody reads it but who listens to the socket. */
const startLargeAnswer = (requestId: string): TLSSocket => {
  const socket = connect({ host, port: gateway.port, ca: installation.operator.ca }, () =>
    socket.write(
      `GET /query?db=metrics&q=SELECT+v+FROM+gone HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${requestId}\r\n` +
        `Authorization: Token ${a.token}\r\n\r\n`,
    ),
  )
  return socket
}

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
    // Its own request after those shows that the log of B's node has caught up.
    await through('/query?q=SHOW+DATABASES', {
      headers: { authorization: `Token ${b.token}`, 'x-request-id': 'own-1' },
    })
    await untilLogged(b.process, 'own-1')
    await untilLogged(a.process, 'try-1')
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

  test('a client that goes away in the middle of an answer ends its query on the node', async () => {
    const lines = Array.from({ length: 600_000 }, (_, index) => `gone v=${index} ${index}`).join('\n')
    const stored = await write(a.token, gzipSync(lines, { level: 1 }), { 'content-encoding': 'gzip' })
    expect(stored.status).toBe(204)
    const socket = startLargeAnswer('gone-1')
    await once(socket, 'data')
    socket.destroy()
    expect(await untilLogged(a.process, 'gone-1')).toMatchObject({
      status: 200,
      errorCode: 'ERR_CLIENT_GONE',
    })
  })

  test('the node sees the address that the gateway saw, and the id of the request', async () => {
    await through('/query?q=SHOW+DATABASES', {
      headers: {
        authorization: `Token ${a.token}`,
        'x-forwarded-for': '203.0.113.66',
        'x-request-id': 'seen-1',
      },
    })
    expect(await untilLogged(a.process, 'seen-1')).toMatchObject({
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
  })

  test('a body that the node refuses before its end leaves the connection fit for the next request', async () => {
    for (let attempt = 0; attempt < 3; attempt++) {
      expect((await write(a.token, Buffer.alloc(25_000_001, 'x'))).status).toBe(413)
      expect((await write(a.token, 'after v=1 1')).status).toBe(204)
    }
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

  test.each([
    ['GET', '/nonexistent'],
    ['GET', '/api/v2/nonexistent'],
    ['DELETE', '/write'],
    ['POST', '/ping'],
  ])('%s %s is 401 for an invented token, whether its organization exists or not', async (method, path) => {
    for (const id of [a.id, unknownId]) {
      const headers = { authorization: `Token ${mintToken(id)}` }
      expect([id, (await through(path, { method, headers })).status]).toEqual([id, 401])
    }
    const headers = { authorization: `Token ${a.token}`, [letInHeader]: '1' }
    const answer = await through(path, { method, headers })
    expect([404, 405]).toContain(answer.status)
    expect(answer.headers).not.toHaveProperty(letInHeader)
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
    const { text, state } = newToken(a.id, [{ database: '*', access: ['read'] }])
    const withToken = { ...a.document, tokens: [...a.document.tokens, state] }
    const databases = () =>
      through('/query?q=SHOW+DATABASES', { headers: { authorization: `Token ${text}` } })
    expect((await installation.push(a, withToken, stateDigest(a.document))).status).toBe(200)
    expect((await databases()).text).toContain('metrics')
    expect((await installation.push(a, a.document, stateDigest(withToken))).status).toBe(200)
    expect((await databases()).status).toBe(401)
    const revival = await installation.push(a, withToken, stateDigest(a.document))
    expect(revival.status).toBe(422)
    expect(JSON.parse(revival.text)).toMatchObject({ code: 'ERR_STATE_REVIVES_TOKEN' })
    expect((await databases()).status).toBe(401)
  })
})

describe('limits hold at the door and at the node', () => {
  const ask = (other: Gateway, token: string) =>
    send(client, `http://${host}:${other.port}/query?q=SHOW+DATABASES`, {
      headers: { authorization: `Token ${token}` },
    })

  async function expectFewAttempts(other: Gateway): Promise<void> {
    expect((await ask(other, a.token)).status).toBe(200)
    const attempts = async (count: number, token: () => string) => {
      const answers: Answer[] = []
      for (let attempt = 0; attempt < count; attempt++) answers.push(await ask(other, token()))
      return answers
    }
    const guesses = await attempts(6, () => 'garbage')
    expect(guesses.slice(0, 4).map(({ status }) => status)).toEqual([401, 401, 401, 401])
    expect(guesses[5]).toMatchObject({ status: 429, headers: { 'retry-after': '1' } })
    expect((await ask(other, a.token)).status).toBe(200)
    // Nor is who was never there, with a token that may be real.
    expect((await attempts(6, () => mintToken(a.id))).map(({ status }) => status)).toEqual(Array(6).fill(401))
    expect((await attempts(40, () => mintToken(a.id))).at(-1)).toMatchObject({ status: 429 })
    // An organization that does not exist spares nobody.
    expect((await attempts(6, () => mintToken(unknownId))).at(-1)).toMatchObject({ status: 429 })
    expect((await ask(other, a.token)).status).toBe(200)
  }

  // One a second comes back: within a second they must all have been made.
  test('attempts of one address are limited, and who is known there is not locked out by them', () =>
    undisturbed(async () => {
      const other = await startGateway({ HOLDFAST_INSECURE_HTTP: 'true', HOLDFAST_ATTEMPTS_PER_SECOND: '1' })
      try {
        await expectFewAttempts(other)
      } finally {
        await other.stop()
      }
    }))

  test("requests of one token are limited, another's are not", async () => {
    const other = await startGateway({ HOLDFAST_INSECURE_HTTP: 'true', HOLDFAST_REQUESTS_PER_SECOND: '1' })
    const status = async () => (await ask(other, a.token)).status
    for (let attempt = 0; attempt < 5; attempt++) expect(await status()).toBe(200)
    // At once, so that they come faster than one a second from any machine.
    expect(await Promise.all(Array.from({ length: 20 }, status))).toContain(429)
    expect((await ask(other, b.token)).status).toBe(200)
    await other.stop()
  })

  test('a connection on which nobody was let in is closed after seconds, another is kept', async () => {
    const other = await startGateway({ HOLDFAST_INSECURE_HTTP: 'true' })
    const open = async (authorization: string) => {
      const socket = connectPlain(other.port, host)
      socket.write(
        `GET /query?q=SHOW+DATABASES HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`,
      )
      await once(socket, 'data')
      return socket
    }
    const [stranger, known] = await Promise.all([open('Token garbage'), open(`Token ${a.token}`)])
    await once(stranger, 'close')
    expect(known.closed).toBe(false)
    known.destroy()
    await other.stop()
    // One that was let in is kept for 75 s.
  })

  /** Pushes A's document with other limits for as long as `use` runs. */
  async function withLimits(
    limits: Partial<StateDocument['limits']>,
    use: () => Promise<void>,
  ): Promise<void> {
    const changed = { ...a.document, limits: { ...a.document.limits, ...limits } }
    expect((await installation.push(a, changed, stateDigest(a.document))).status).toBe(200)
    await use()
    expect((await installation.push(a, a.document, stateDigest(changed))).status).toBe(200)
  }
  const select = (call: string) =>
    through(`/query?db=metrics&q=SELECT+${call}+FROM+gone`, {
      headers: { authorization: `Token ${a.token}` },
    })

  test('one query more than the organization may run at once is refused, and served when there is room', () =>
    withLimits({ concurrentQueries: 1 }, async () => {
      const stalled = startLargeAnswer('stalled-1')
      await once(stalled, 'data')
      stalled.pause()
      expect(await select('mean(v)')).toMatchObject({
        status: 429,
        text: '{"error":"max-concurrent-queries limit exceeded(1, 1)"}\n',
        headers: { 'retry-after': '2' },
      })
      stalled.destroy()
      await untilLogged(a.process, 'stalled-1')
      expect((await select('mean(v)')).status).toBe(200)
    }))

  test('series beyond those of the organization are refused at once, and taken as soon as it may have more', async () => {
    await withLimits({ series: 1 }, async () => {
      const refused = await write(a.token, 'beyond,n=1 v=1')
      expect(refused).toMatchObject({ status: 400 })
      expect(refused.text).toContain('max-series-per-organization limit exceeded: (1)')
    })
    expect(await write(a.token, 'beyond,n=1 v=1')).toMatchObject({ status: 204 })
  })

  test('a query that takes longer than the organization allows is ended, with the error of InfluxDB 1.8', () =>
    withLimits({ queryTimeoutNs: '1000000' }, async () => {
      const text = '{"results":[{"statement_id":0,"error":"query-timeout limit exceeded"}]}\n'
      // Means of so few points are there before it is time to look at the clock.
      expect(await select('count(distinct(v))')).toMatchObject({ status: 200, text })
    }))
})
