import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import * as fc from 'fast-check'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { auditHeaderSchema, auditLineSchema } from '../../common/audit-line.ts'
import { mintToken } from '../../common/token.ts'
import { verifyAudit } from '../../plugin/audit.ts'
import { startStorageNode, untilLogged, untilReady, type NodeProcess } from '../support/storage-node.ts'

// Promise: each request to a node with an audit key leaves its line, which nobody can change unseen and which holds no secret.

let folder: string
let node: NodeProcess
let token: string
const keyFile = () => join(folder, 'audit-key')
const flags = () => ['--data', join(folder, 'data'), '--listen', '127.0.0.1:0', '--audit-key', keyFile()]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-audit-'))
  node = await startStorageNode(flags())
  await untilReady(node.port)
  token = (await readFile(join(folder, 'data', 'admin-token'), 'utf8')).trim()
})
afterAll(async () => {
  await node.stop()
  await rm(folder, { recursive: true, force: true })
})

interface Asked {
  readonly path: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

let requests = 0

/** @returns status, and once the node has logged the request */
async function call({ path, method = 'POST', headers = {}, body = '' }: Asked, by = node): Promise<number> {
  const requestId = headers['x-request-id'] ?? `r-${(requests += 1)}`
  const answer = await request(`http://127.0.0.1:${by.port}${path}`, {
    method,
    headers: { 'x-request-id': requestId, ...headers },
    body: method === 'GET' ? null : body,
  })
  await answer.body.dump()
  await untilLogged(by, String(answer.headers['request-id']))
  return answer.statusCode
}

/** All that was written until now: standard error is read beside the log, so a last line of its own is waited for. */
async function written(): Promise<readonly string[]> {
  const requestId = `last-${(requests += 1)}`
  await call({ path: '/query?q=x', headers: { 'x-request-id': requestId } })
  await expect.poll(() => node.errors.some((line) => line.includes(requestId))).toBe(true)
  return node.errors.filter((line) => !line.includes('"last-'))
}

/** What the stream has about a request. */
const linesOf = async (requestId: string): Promise<readonly unknown[]> =>
  (await written())
    .map((text) => auditHeaderSchema.or(auditLineSchema).parse(JSON.parse(text)))
    .filter((line) => 'requestId' in line && line.requestId === requestId)

/** As `kubectl holdfast audit verify`, of what the nodes have written. */
async function verify(...lines: readonly string[]): Promise<{ code: number; printed: string[] }> {
  const printed: string[] = []
  const around = {
    stdin: Readable.from([`${lines.join('\n')}\n`]),
    print: (text: string) => printed.push(text),
  }
  return { code: await verifyAudit(around, { files: [], keyFile: keyFile() }), printed }
}

describe('a node alone', () => {
  test('makes its keys, readable by its own user only', async () => {
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600)
    expect((await readFile(`${keyFile()}.pub`, 'utf8')).trim()).toHaveLength(44)
  })

  test.each<[string, Omit<Asked, 'headers'>, (token: string) => string | null, number, object]>([
    [
      'a write',
      { path: '/write?db=none' },
      (token) => `Token ${token}`,
      404,
      { action: 'v1.write', outcome: 'allowed' },
    ],
    [
      'a query',
      { path: '/query?q=SHOW%20DATABASES', method: 'GET' },
      (token) => `Bearer ${token}`,
      200,
      { action: 'v1.query', outcome: 'allowed' },
    ],
    [
      'no credential',
      { path: '/query?q=x' },
      () => null,
      401,
      { action: 'v1.query', reason: 'no-credential' },
    ],
    [
      'no token',
      { path: '/api/v2/write' },
      () => 'Token x',
      401,
      { action: 'v2.write', reason: 'malformed-credential' },
    ],
    [
      'a token of nobody',
      { path: '/api/v2/delete' },
      (token) => `Token ${mintToken(token.slice(4, 20))}`,
      401,
      { action: 'v2.delete', reason: 'unknown-token' },
    ],
    [
      'a path of nobody',
      { path: '/nowhere' },
      (token) => `Token ${token}`,
      404,
      { action: 'unknown', outcome: 'allowed' },
    ],
  ])('%s leaves one line', async (what, asked, credential, status, wanted) => {
    const authorization = credential(token)
    const requestId = what.replaceAll(' ', '-')
    const headers = { 'x-request-id': requestId, ...(authorization !== null && { authorization }) }
    expect(await call({ ...asked, headers })).toBe(status)
    const who =
      status === 401 ? { kind: 'nobody' } : { kind: 'token', id: expect.stringMatching(/^[0-9a-f]{16}$/) }
    const outcome = status === 401 ? 'denied' : 'allowed'
    expect(await linesOf(requestId)).toMatchObject([
      { event: 'authentication', outcome, ...wanted, who, source: '127.0.0.1', program: 'storage-node' },
    ])
  })

  test('probes leave none', async () => {
    const before = await written()
    for (const path of ['/ping', '/health', '/ready']) await call({ path, method: 'GET' })
    expect(await written()).toEqual(before)
  })

  test('what it wrote is verified, over a restart, without the private key on its machine', async () => {
    const privateKey = await readFile(keyFile())
    await unlink(keyFile())
    const data = join(folder, 'second')
    const of = ['--data', data, '--listen', '127.0.0.1:0', '--audit-key', keyFile(), '--auth', 'off']
    const lives: string[] = []
    for (let life = 0; life < 2; life += 1) {
      const other = await startStorageNode(of)
      await untilReady(other.port)
      await call({ path: '/query?q=SHOW%20DATABASES' }, other)
      await other.stop()
      await other.exited
      expect(JSON.parse(other.errors[1]!)).toMatchObject({ who: { kind: 'everybody' }, outcome: 'allowed' })
      lives.push(...other.errors)
    }
    await writeFile(keyFile(), privateKey, { mode: 0o600 })
    expect(await verify(...lives)).toMatchObject({ code: 0, printed: [{}, {}, 'ok: 4 lines, 2 streams'] })
    expect((await verify(lives[0]!, ...lives.slice(2))).code).toBe(0)
    const forged = lives[1]!.replace('everybody', 'nobody')
    expect((await verify(lives[0]!, forged, ...lives.slice(2))).printed[0]).toMatch(
      /^line 1 of stream .*: altered/,
    )
  })

  test('without an audit key there is no stream', async () => {
    const quiet = await startStorageNode(['--data', join(folder, 'quiet'), '--listen', '127.0.0.1:0'])
    expect(await call({ path: '/query?q=x' }, quiet)).toBe(401)
    await quiet.stop()
    await quiet.exited
    expect(quiet.errors).toEqual([])
  })
})

test('no line holds a secret, wherever a request has one', async () => {
  const password = 'correct.horse-battery'
  const secrets = [token, mintToken(token.slice(4, 20)), mintToken('bbbbbbbbbbbbbbbb'), password]
  const encodings = (secret: string) => [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    Buffer.from(`u:${secret}`).toString('base64').replace(/=+$/, ''),
  ]
  const isHeld = (text: string) => secrets.flatMap(encodings).some((secret) => text.includes(secret))
  expect(isHeld(`{"source":"${token}"}`)).toBe(true)

  const secret = fc.constantFrom(...secrets)
  const scheme = fc.constantFrom('Token', 'Bearer', 'Basic', 'token', 'Digest', '')
  const credential = fc.tuple(scheme, secret, fc.boolean()).map(([scheme, text, isPair]) => {
    const pair = isPair ? `u:${text}` : text
    return `${scheme} ${scheme === 'Basic' ? Buffer.from(pair).toString('base64') : pair}`.trim()
  })
  const path = fc
    .tuple(
      fc.constantFrom('/write', '/query', '/api/v2/write', '/api/v2/delete', '/ping', '/', ''),
      secret,
      fc.boolean(),
    )
    .map(([path, text, isWithin]) => (isWithin || path === '' ? `${path === '/' ? '' : path}/${text}` : path))
  const parameter = fc.tuple(
    fc.constantFrom('u', 'p', 'q', 'db', 'rp', 'org', 'bucket', 'token', 'precision'),
    secret,
  )
  const asked = fc.record({
    path: fc
      .tuple(path, fc.array(parameter, { maxLength: 4 }))
      .map(([path, all]) => `${path}?${new URLSearchParams(all).toString()}`),
    method: fc.constantFrom('GET', 'POST'),
    body: fc.oneof(
      secret,
      secret.map((text) => `q=CREATE USER u WITH PASSWORD '${text}'&db=${text}`),
      secret.map((text) => `m,t=${text} f="${text}"`),
    ),
    headers: fc.record(
      {
        authorization: credential,
        cookie: secret,
        'x-forwarded-for': secret,
        'user-agent': secret,
        'content-type': fc.constantFrom('application/x-www-form-urlencoded', 'text/plain'),
        // What is fit to be a request's id is passed on, and a password may be; a token never is.
        'x-request-id': fc.constantFrom(...secrets.slice(0, 3)),
      },
      { requiredKeys: [] },
    ),
  })
  const before = (await written()).length
  for (const one of fc.sample(asked, { numRuns: 400, seed: 21 })) await call(one)
  const lines = (await written()).slice(before)
  expect(lines.length).toBeGreaterThan(300)
  expect(new Set(lines.map((line) => (JSON.parse(line) as { reason?: string }).reason)).size).toBeGreaterThan(
    4,
  )
  expect(lines.filter(isHeld)).toEqual([])
  expect((await verify(...node.errors)).code).toBe(0)
})

describe('when nobody takes what is written to standard error', () => {
  test('a reader that is gone stops no request', async () => {
    const other = await startStorageNode([
      '--data',
      join(folder, 'gone'),
      '--listen',
      '127.0.0.1:0',
      '--audit-key',
      keyFile(),
    ])
    other.child.stderr!.destroy()
    for (let asked = 0; asked < 3; asked += 1) expect(await call({ path: '/query?q=x' }, other)).toBe(401)
    expect(other.log.filter(({ msg }) => msg === 'audit lines are lost')).toHaveLength(1)
    expect(await other.stop()).toBe(0)
  })

  test('a pipe that is full and does not block is given up after a second', async () => {
    const program = `
      import { writeToStandardError } from './common/audit.ts'
      process.stderr // makes the pipe one that does not block
      try { writeToStandardError('x'.repeat(4_000_000)) } catch (error) { console.log(error.code) }
      process.exit(0)
    `
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stderr.pause()
    const [answer] = (await once(child.stdout, 'data')) as [Buffer]
    child.stderr.resume()
    expect(answer.toString().trim()).toBe('EAGAIN')
  })
})
