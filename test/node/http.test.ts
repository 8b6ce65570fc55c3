import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mintToken, parseToken } from '../../common/token.ts'
import { startStorageNode, untilLogged, untilReady, type NodeProcess } from '../support/storage-node.ts'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

interface Asked {
  readonly method?: 'GET' | 'POST' | 'HEAD' | 'DELETE'
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

async function call(port: number, path: string, asked: Asked = {}): Promise<Answer> {
  const { statusCode, headers, body } = await request(`http://127.0.0.1:${port}${path}`, {
    method: asked.method ?? (asked.body === undefined ? 'GET' : 'POST'),
    headers: asked.headers ?? {},
    body: asked.body ?? null,
  })
  return { status: statusCode, headers, text: await body.text() }
}

const query = (port: number, text: string, more: Record<string, string> = {}, headers = {}) =>
  call(port, `/query?${new URLSearchParams({ q: text, ...more }).toString()}`, { headers, method: 'POST' })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-http-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a node alone, without authentication, is what InfluxDB clients expect', () => {
  let node: NodeProcess
  let port: number
  beforeAll(async () => {
    node = await startStorageNode([
      '--data',
      join(folder, 'open'),
      '--listen',
      '127.0.0.1:0',
      '--metrics-listen',
      '127.0.0.1:0',
      '--auth',
      'off',
    ])
    port = node.port
    await untilReady(port)
    await query(port, 'CREATE DATABASE d')
  })
  afterAll(() => node.stop())

  const write = (body: string | Buffer, more = '', headers: Record<string, string> = {}) =>
    call(port, `/write?db=d${more}`, { body, headers })

  test('what was written is read back', async () => {
    expect((await write('cpu,host=a v=1.5,n=9223372036854775807i 1000000000')).status).toBe(204)
    const answer = await query(port, 'SELECT * FROM cpu', { db: 'd', epoch: 'ns' })
    expect(answer.status).toBe(200)
    expect(answer.text).toBe(
      '{"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","host","n","v"],"values":[[1000000000,"a",9223372036854775807,1.5]]}]}]}\n',
    )
  })

  test('Prometheus finds its metrics on a port of their own, and nothing else there', async () => {
    await write('metered v=1 1')
    const answer = await call(node.metricsPort, '/metrics')
    expect(answer.status).toBe(200)
    const valueOf = (line: string) => Number(new RegExp(`^${line}.* (\\S+)$`, 'm').exec(answer.text)?.[1])
    expect(valueOf('holdfast_node_points_written')).toBeGreaterThan(0)
    expect(valueOf('holdfast_node_event_loop_delay_seconds\\{quantile="1"')).toBeGreaterThan(0)
    expect(await call(node.metricsPort, '/query')).toMatchObject({ status: 404, text: '' })
    expect(await call(port, '/metrics')).toMatchObject({ status: 404 })
  })

  test('gzip in both directions, precision, and an empty Content-Type', async () => {
    const body = gzipSync('zip v=1 1\nzip v=2 2\n')
    const headers = { 'content-encoding': 'gzip', 'content-type': '' }
    expect((await write(body, '&precision=s', headers)).status).toBe(204)
    const answer = await call(port, '/query?db=d&epoch=s&q=SELECT%20v%20FROM%20zip', {
      headers: { 'accept-encoding': 'gzip' },
    })
    expect(answer.headers['content-encoding']).toBe('gzip')
    const plain = await query(port, 'SELECT v FROM zip', { db: 'd', epoch: 's' })
    const values = [1, 2].map((value) => [value, value])
    expect(JSON.parse(plain.text)).toHaveProperty('results[0].series[0].values', values)
  })

  test('good lines beside bad ones are kept, and each bad one is named', async () => {
    const answer = await write('part v=1 1\npart\npart v=x 2\npart v=2 3')
    expect(answer).toMatchObject({ status: 400 })
    expect(JSON.parse(answer.text)).toEqual({
      error: expect.stringMatching(
        /^partial write: unable to parse 'part': missing fields\nunable to parse 'part v=x 2': .*dropped=0$/,
      ),
    })
    const kept = await query(port, 'SELECT v FROM part', { db: 'd', epoch: 'ns' })
    expect(JSON.parse(kept.text).results[0].series[0].values).toEqual([
      [1, 1],
      [3, 2],
    ])
  })

  test('a field of another type is refused by name, the rest is kept', async () => {
    await write('typed v=1 1')
    const answer = await write('typed v="text" 2\ntyped v=3 3')
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toEqual({
      error:
        'partial write: field type conflict: input field "v" on measurement "typed" is type string, already exists as type float dropped=1',
    })
    expect(answer.headers['x-influxdb-error']).toContain('field type conflict')
    const kept = await query(port, 'SELECT v FROM typed', { db: 'd', epoch: 'ns' })
    expect(JSON.parse(kept.text).results[0].series[0].values).toEqual([
      [1, 1],
      [3, 3],
    ])
  })

  test.each([
    ['no database', '/write', 400, 'database is required'],
    ['unknown database', '/write?db=nope', 404, 'database not found: "nope"'],
    ['unknown policy', '/write?db=d&rp=nope', 500, 'retention policy not found: nope'],
    ['precision', '/write?db=d&precision=x', 400, 'invalid precision "x" (use n, u, ms, s, m or h)'],
    ['consistency', '/write?db=d&consistency=x', 400, 'invalid consistency level'],
  ])('/write refuses in the words of InfluxDB 1.8: %s', async (_name, path, status, message) => {
    const answer = await call(port, path, { body: 'cpu v=1' })
    expect(answer.status).toBe(status)
    expect(answer.text).toBe(`${JSON.stringify({ error: message })}\n`)
    expect(answer.headers['x-influxdb-error']).toBe(message)
  })

  test('/api/v2/write: bucket by name, by policy and by what is not there', async () => {
    const v2 = (bucket: string, body = 'two v=1 1', more = '') =>
      call(port, `/api/v2/write?org=holdfast&bucket=${bucket}${more}`, { body })
    expect((await v2('d')).status).toBe(204)
    expect((await v2('d/autogen', 'two v=2 2', '&precision=ns')).status).toBe(204)
    const missing = await v2('nope')
    expect(missing.status).toBe(404)
    expect(missing.headers['x-platform-error-code']).toBe('not found')
    expect(missing.text).toBe('{"code":"not found","message":"bucket \\"nope\\" not found"}')
    expect(JSON.parse((await v2('d', 'bad')).text)).toEqual({
      code: 'invalid',
      message: "unable to parse 'bad': missing fields",
    })
    expect(await v2('d', 'two v="x" 3')).toMatchObject({ status: 422 })
    expect(await v2('d', '')).toMatchObject({ status: 400 })
    const other = await call(port, '/api/v2/write?org=other&bucket=d', { body: 'two v=1 1' })
    expect(other).toMatchObject({
      status: 404,
      text: '{"code":"not found","message":"organization name \\"other\\" not found"}',
    })
  })

  test('too large a body is 413, compressed or not, and the connection lives on', async () => {
    const line = `big v="${'x'.repeat(1000)}" 1\n`
    const body = Buffer.from(line.repeat(26_000))
    expect((await write(body)).status).toBe(413)
    const gzip = { 'content-encoding': 'gzip' }
    expect((await write(gzipSync(body), '', gzip)).status).toBe(413)
    expect((await write('not gzip', '', gzip)).status).toBe(400)
    const damaged = gzipSync(body.subarray(0, 9_000_000))
    damaged[damaged.length - 8]! ^= 1
    expect((await write(damaged, '', gzip)).status).toBe(400)
    // A string of any of these would refuse a number.
    expect((await write('big v=1 1')).status).toBe(204)
  })

  test('a form in the body, and the unescaped quotes that some clients send', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = new URLSearchParams({ q: 'SHOW DATABASES', params: 'null' }).toString()
    expect(JSON.parse((await call(port, '/query', { body, headers: form })).text)).toEqual({
      results: [{ statement_id: 0, series: [{ name: 'databases', columns: ['name'], values: [['d']] }] }],
    })
    const raw = await rawRequest(
      port,
      'POST /query?q=SHOW+MEASUREMENTS+ON+"d" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    )
    expect(raw).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    const multipart = new FormData()
    multipart.append('q', new Blob(['SHOW DATABASES']), 'q.txt')
    const answer = await fetch(`http://127.0.0.1:${port}/query`, { method: 'POST', body: multipart })
    expect(await answer.text()).toContain('"databases"')
    const endless = {
      body: gzipSync('a&'.repeat(12_000_000)),
      headers: { ...form, 'content-encoding': 'gzip' },
    }
    expect((await call(port, '/query', endless)).status).toBe(413)
  })

  test('a refusal comes before the body that waits for 100-continue, and otherwise it goes on', async () => {
    const start =
      'POST /write?db=DB HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 9\r\n\r\n'
    expect(await rawRequest(port, start.replace('DB', 'nope'))).toMatch(/^HTTP\/1.1 404 /)
    const accepted = await rawRequest(port, start.replace('DB', 'd'), 'cont v=1\n')
    expect(accepted).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 204 /)
  })

  test('what is no query is 400, what fails is an error of its statement', async () => {
    const bad = await query(port, 'SELECT')
    expect(bad.status).toBe(400)
    expect(JSON.parse(bad.text).error).toMatch(/^error parsing query: found EOF, expected/)
    const failed = await query(port, 'SELECT v FROM cpu', { db: 'nope' })
    expect(failed).toMatchObject({
      status: 200,
      text: '{"results":[{"statement_id":0,"error":"database not found: nope"}]}\n',
    })
    expect(await call(port, '/query')).toMatchObject({
      status: 400,
      text: '{"error":"missing required parameter \\"q\\""}\n',
    })
  })

  test('chunked answers, CSV, and an asynchronous query', async () => {
    await write(Array.from({ length: 5 }, (_, index) => `many v=${index} ${index + 1}`).join('\n'))
    const chunked = await query(port, 'SELECT v FROM many', {
      db: 'd',
      epoch: 'ns',
      chunked: 'true',
      chunk_size: '2',
    })
    expect(chunked.text.trim().split('\n')).toHaveLength(3)
    const csv = await query(port, 'SELECT v FROM many LIMIT 1', { db: 'd' }, { accept: 'application/csv' })
    expect(csv.headers['content-type']).toBe('application/csv')
    expect(csv.text).toBe('name,tags,time,v\nmany,,1,0\n')
    expect((await query(port, 'SELECT v FROM many', { db: 'd', async: 'true' })).status).toBe(204)
  })

  test('every answer carries the version, the build and the id of the request', async () => {
    const headers = { 'x-request-id': 'my-id-1' }
    for (const path of ['/ping', '/health', '/nope', '/query', '/api/v2/nope']) {
      const answer = await call(port, path, { headers })
      expect(answer.headers).toMatchObject({
        'x-influxdb-version': '1.8.10',
        'x-influxdb-build': expect.stringMatching(/^holdfast-/),
        'request-id': 'my-id-1',
        'x-request-id': 'my-id-1',
      })
    }
  })

  test('probes, unknown paths and wrong methods', async () => {
    expect(await call(port, '/ping')).toMatchObject({ status: 204, text: '' })
    expect(await call(port, '/ping', { method: 'HEAD' })).toMatchObject({ status: 204 })
    expect(await call(port, '/ping?verbose=true')).toMatchObject({
      status: 200,
      text: '{"version":"1.8.10"}\n',
    })
    expect(JSON.parse((await call(port, '/health')).text)).toMatchObject({ name: 'influxdb', status: 'pass' })
    expect(JSON.parse((await call(port, '/ready')).text)).toMatchObject({ status: 'ready' })
    expect(await call(port, '/nope')).toMatchObject({ status: 404, text: '404 page not found\n' })
    expect(await call(port, '/admin/state')).toMatchObject({ status: 404 })
    const wrong = await call(port, '/write?db=d')
    expect(wrong).toMatchObject({ status: 405, headers: { allow: 'POST' } })
    expect(await call(port, '/api/v2/write', { method: 'DELETE' })).toMatchObject({ status: 405 })
  })

  test('the request log has one line for each request, without what is in the query string', async () => {
    await query(port, 'SHOW DATABASES', { u: 'someone', p: 'a-password' }, { 'x-request-id': 'logged-1' })
    await untilLogged(node, 'logged-1')
    const lines = node.log.filter((line) => line['requestId'] === 'logged-1')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({
      msg: 'request',
      method: 'POST',
      path: '/query',
      status: 200,
      tokenId: null,
    })
    expect(JSON.stringify(node.log)).not.toContain('a-password')
    const misplaced = mintToken('aaaaaaaaaaaaaaaa')
    await call(port, `/write/${misplaced}`, { headers: { 'x-request-id': 'logged-2' } })
    await untilLogged(node, 'logged-2')
    expect(JSON.stringify(node.log)).not.toContain(misplaced)
  })
})

describe('a node alone, with authentication, lets nobody in without a token that may', () => {
  let node: NodeProcess
  let port: number
  let token: string
  const start = () => startStorageNode(['--data', join(folder, 'closed'), '--listen', '127.0.0.1:0'])
  beforeAll(async () => {
    node = await start()
    port = node.port
    await untilReady(port)
    token = (await readFile(join(folder, 'closed', 'admin-token'), 'utf8')).trim()
    await query(port, 'CREATE DATABASE d', {}, { authorization: `Token ${token}` })
  })
  afterAll(() => node.stop())
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

  test('the first token is in a file for its owner alone, and nowhere in the log', async () => {
    const { mode } = await stat(join(folder, 'closed', 'admin-token'))
    expect(mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, 'closed.key'))).mode & 0o777).toBe(0o600)
    expect(parseToken(token)).not.toBeNull()
    expect(JSON.stringify(node.log)).not.toContain(token)
    expect(node.log.find((line) => line.msg.startsWith('made the first admin token'))).toMatchObject({
      file: join(folder, 'closed', 'admin-token'),
    })
  })

  test('the token works wherever a client puts it', async () => {
    const ways: [string, Record<string, string>][] = [
      ['', { authorization: `Token ${token}` }],
      ['', { authorization: `Bearer ${token}` }],
      ['', { authorization: `Token anybody:${token}` }],
      ['', { authorization: basic(`anybody:${token}`) }],
      [`&u=anybody&p=${token}`, {}],
    ]
    for (const [more, headers] of ways) {
      const answer = await call(port, `/write?db=d${more}`, { body: 'auth v=1 1', headers })
      expect([headers, answer.status]).toEqual([headers, 204])
    }
    const v2 = await call(port, '/api/v2/write?bucket=d', {
      body: 'auth v=1 1',
      headers: { authorization: `Token ${token}` },
    })
    expect(v2.status).toBe(204)
  })

  test('none, wrong, mistyped and foreign are one and the same 401', async () => {
    const { organizationId } = parseToken(token)!
    const wrong = [
      {},
      { authorization: basic('root:root') },
      { authorization: `Token ${token.slice(0, -1)}_` },
      { authorization: `Token ${mintToken(organizationId)}` },
      { authorization: `Token ${mintToken('bbbbbbbbbbbbbbbb')}` },
    ]
    for (const headers of wrong as Record<string, string>[]) {
      const v1 = await call(port, '/query?q=SHOW+DATABASES', { headers })
      expect(v1).toMatchObject({ status: 401, text: '{"error":"authorization failed"}\n' })
      expect(v1.headers['www-authenticate']).toBe('Basic realm="InfluxDB"')
      const v2 = await call(port, '/api/v2/write?bucket=d', { body: 'a v=1', headers })
      expect(v2).toMatchObject({
        status: 401,
        text: '{"code":"unauthorized","message":"unauthorized access"}',
      })
    }
    await call(port, '/query', { headers: { 'x-request-id': 'after-denials' } })
    await untilLogged(node, 'after-denials')
    const reasons = new Set(
      node.log.filter(({ msg }) => msg === 'request denied').map((line) => line['reason']),
    )
    expect(reasons).toEqual(
      new Set(['no-credential', 'malformed-credential', 'unknown-token', 'other-organization']),
    )
  })

  test('after kill -9 the token, the database and the points are there', async () => {
    const headers = { authorization: `Token ${token}` }
    expect((await call(port, '/write?db=d', { body: 'kept v=7 7', headers })).status).toBe(204)
    await node.kill()
    node = await start()
    port = node.port
    await untilReady(port)
    const answer = await query(port, 'SELECT v FROM kept', { db: 'd', epoch: 'ns' }, headers)
    expect(JSON.parse(answer.text)).toMatchObject({ results: [{ series: [{ values: [[7, 7]] }] }] })
  })

  test('it ends cleanly when told to', async () => {
    expect(await node.stop()).toBe(0)
    node = await start()
    port = node.port
    await untilReady(port)
    const headers = { authorization: `Token ${token}` }
    const answer = await query(port, 'SELECT v FROM kept', { db: 'd', epoch: 'ns' }, headers)
    expect(JSON.parse(answer.text)).toMatchObject({ results: [{ series: [{ values: [[7, 7]] }] }] })
  })
})

/** Bytes as they are; `rest` is sent once the server has said to go on. */
function rawRequest(port: number, start: string, rest?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(start))
    socket.on('data', (piece) => {
      if (received === '' && rest !== undefined) socket.write(rest)
      received += piece.toString()
    })
    socket.on('close', () => resolve(received)).on('error', reject)
  })
}
