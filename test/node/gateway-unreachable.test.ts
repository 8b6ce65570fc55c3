import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { letInHeader } from '../../common/door.ts'
import { identity } from '../../common/identity.ts'
import { mintToken } from '../../common/token.ts'
import { TestAuthority } from '../support/certificates.ts'
import { host, send } from '../support/installation.ts'
import { missingName, TwoTenants } from '../support/two-tenants.ts'

let bench: TwoTenants

beforeAll(async () => {
  bench = await TwoTenants.start()
})

afterAll(() => bench.stop())

describe('a node that cannot be reached, or is not who it should be, is 503 and nothing leaks to it', () => {
  test('nobody listens: 503 with Retry-After, also while a body is sent', async () => {
    const id = 'eeeeeeeeeeeeeeee'
    bench.targets.set(id, { host, port: 1 })
    const answer = await bench.write(mintToken(id), gzipSync('x v=1 1'), { 'content-encoding': 'gzip' })
    const message = 'no storage node is running: the organization is hibernated, or its node is starting'
    expect(answer).toMatchObject({ status: 503, text: `{"error":"${message}"}\n` })
    expect(answer.headers['retry-after']).toBe('2')
    const v2 = await bench.through('/api/v2/write?bucket=x', {
      method: 'POST',
      headers: { authorization: `Token ${mintToken(id)}` },
      body: 'x v=1 1',
    })
    expect(v2).toMatchObject({ status: 503, text: JSON.stringify({ code: 'unavailable', message }) })
  })

  test('a name that is gone for a while is 503 for who was let in before, 401 for all others', async () => {
    const id = 'fedcba9876543210'
    const token = mintToken(id)
    const issued = await bench.installation.authority.issue(identity(id, 'node'))
    const node = await listen(
      createServer({ cert: issued.cert, key: issued.key }, (request, response) => {
        const letIn = request.headers.authorization === `Token ${token}`
        response.writeHead(letIn ? 200 : 404, { connection: 'close', ...(letIn && { [letInHeader]: '1' }) })
        response.end('{}')
      }),
    )
    let there = true
    bench.targets.set(id, {
      host: 'storage-node.test.',
      port: (node.address() as AddressInfo).port,
      lookup: (name, options, callback) =>
        there ? callback(null, [{ address: host, family: 4 }]) : missingName(name, options, callback),
    })
    const invented = mintToken(id)
    expect((await bench.read(token, 'x')).status).toBe(200)
    expect((await bench.read(invented, 'x')).status).toBe(404)
    there = false
    node.close()
    expect((await bench.read(token, 'x')).status).toBe(503)
    expect((await bench.read(invented, 'x')).status).toBe(401)
    expect((await bench.read(mintToken(id), 'x')).status).toBe(401)
  })

  test('whoever comes again and finds nobody is told a longer time, from anew after an answer', async () => {
    const id = 'aaaaaaaabbbbbbbb'
    const token = mintToken(id)
    const issued = await bench.installation.authority.issue(identity(id, 'node'))
    const start = (port: number) =>
      listen(
        createServer({ cert: issued.cert, key: issued.key }, (_request, response) => {
          response.writeHead(200, { connection: 'close' }).end('{}')
        }),
        port,
      )
    const node = await start(0)
    const { port } = node.address() as AddressInfo
    bench.targets.set(id, { host, port })
    const told = async () => {
      const answer = await bench.read(token, 'x')
      return [answer.status, answer.headers['retry-after']]
    }
    expect(await told()).toEqual([200, undefined])
    node.close()
    expect(await told()).toEqual([503, '2'])
    expect(await told()).toEqual([503, '3'])
    const again = await start(port)
    expect(await told()).toEqual([200, undefined])
    again.close()
    expect(await told()).toEqual([503, '2'])
  })

  test("A's node in the place of B's is refused before a byte of the request is sent", async () => {
    const requests = () => bench.a.process.log.filter(({ msg }) => msg === 'request').length
    const before = requests()
    const known = bench.targets.get(bench.b.id)!
    bench.targets.set(bench.b.id, bench.targets.get(bench.a.id)!)
    const other = await bench.startGateway({ HOLDFAST_INSECURE_HTTP: 'true' })
    const answer = await send(bench.client, `http://${host}:${other.port}/query?q=SHOW+DATABASES`, {
      headers: { authorization: `Token ${bench.b.token}` },
    })
    await other.stop()
    bench.targets.set(bench.b.id, known)
    expect(answer.status).toBe(503)
    expect(requests()).toBe(before)
  })

  test.each([
    [
      'of another authority',
      async () => (await TestAuthority.create()).issue(identity('ffffffffffffffff', 'node')),
    ],
    [
      'with two identities',
      () =>
        bench.installation.authority.issue(
          identity('ffffffffffffffff', 'node'),
          identity(bench.a.id, 'node'),
        ),
    ],
    ['of the gateway', () => bench.installation.authority.issue(identity('ffffffffffffffff', 'gateway'))],
    ['without identity', () => bench.installation.authority.issue()],
  ])('a node with a certificate %s is refused', async (_name, issue) => {
    const issued = await issue()
    let requests = 0
    const imposter = await listen(
      createServer({ cert: issued.cert, key: issued.key }, (_request, response) => {
        requests += 1
        response.end('{}')
      }),
    )
    bench.targets.set('ffffffffffffffff', { host, port: (imposter.address() as AddressInfo).port })
    const answer = await bench.read(mintToken('ffffffffffffffff'), 'x')
    imposter.closeAllConnections()
    imposter.close()
    expect([answer.status, requests]).toEqual([503, 0])
  })
})

function listen(server: Server, port = 0): Promise<Server> {
  return new Promise((resolve) => server.listen(port, host, () => resolve(server)))
}
