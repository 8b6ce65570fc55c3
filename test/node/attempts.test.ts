import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { connect } from 'node:tls'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { identity } from '../../common/identity.ts'
import { silentLogger } from '../../common/log.ts'
import { reach } from '../../common/reach.ts'
import { ProbeClient } from '../../operator/isolation/probe-client.ts'
import { createProbe } from '../../operator/isolation-probe/probe.ts'
import { NodeClient } from '../../operator/node-client/node-client.ts'
import { TestAuthority, writeIdentity, type TestIdentity } from '../support/certificates.ts'
import {
  agentOf,
  host,
  installationId,
  send,
  TestInstallation,
  type Tenant,
} from '../support/installation.ts'
import { undisturbed } from '../support/stalls.ts'

// A storage node and the isolation probe try to reach addresses for the operator alone, of the one form that there is, and say
// no more than what became of each.

/** Documentation's own network (RFC 5737): nobody is there. */
const nobody = { protocol: 'tcp', address: '192.0.2.1', port: 443 } as const

let installation: TestInstallation
let tenant: Tenant
beforeAll(async () => {
  installation = await TestInstallation.create()
  tenant = await installation.startTenant('aaaaaaaaaaaaaaaa')
})
afterAll(() => installation.stop())

const clientIdentity = ({ cert, key, ca }: TestIdentity) => ({
  certificatePem: cert,
  privateKeyPem: key,
  authorityPem: ca,
})

describe('a storage node', () => {
  const post = (body: string, organizationId = tenant.id) =>
    installation.admin(tenant, '/admin/attempts', {
      method: 'POST',
      headers: { 'holdfast-organization': organizationId },
      body,
    })

  test('tries what its operator asks for, and shows that it can connect at all', async () => {
    const client = new NodeClient({
      identity: () => clientIdentity(installation.operator),
      clock: systemClock,
      port: tenant.process.adminPort,
    })
    const node = { organizationId: tenant.id, podUid: 'u', host }
    await undisturbed(async () => {
      const { control, outcomes } = await client.attempts(node, [nobody])
      expect(control).toBe('connected')
      expect(['refused', 'silent']).toContain(outcomes[0])
      expect(outcomes).toHaveLength(1)
    })
    await client.close()
  })

  test.each([
    ['its own machine', { attempts: [{ ...nobody, address: '127.0.0.1' }] }],
    ['something to send', { attempts: [{ ...nobody, payload: 'x' }] }],
    ['seventeen at once', { attempts: Array.from({ length: 17 }, () => nobody) }],
  ])('refuses %s', async (_what, body) => {
    const answer = await post(JSON.stringify(body))
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'ERR_ATTEMPTS' })
  })

  test('is asked once in half a second at most, by its own organization’s operator', async () => {
    await undisturbed(async () => {
      await sleep(600)
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => post(JSON.stringify({ attempts: [nobody] }))),
      )
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(4)
    })
    expect((await post('{}', 'bbbbbbbbbbbbbbbb')).status).toBe(421)
    expect((await post('x'.repeat(5_000))).status).toBe(413)
  })
})

describe('the isolation probe', () => {
  let folder: string
  let probe: ReturnType<typeof createProbe>
  let tried = 0
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-probe-'))
    const own = await installation.authority.issue(identity(installationId, 'probe'))
    const any = { host, port: 0 }
    probe = createProbe(
      { listen: any, openListen: any, identityDir: await writeIdentity(folder, own) },
      {
        reach: (attempt) => {
          tried += 1
          return reach(attempt)
        },
        clock: systemClock,
        log: silentLogger,
      },
    )
    await probe.start()
  })
  afterAll(async () => {
    await probe.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const client = (who: TestIdentity, id = installationId) =>
    new ProbeClient({
      identity: () => clientIdentity(who),
      installationId: id,
      log: silentLogger,
      port: probe.port,
    })
  const post = (who: TestIdentity | null, body: string, path = '/attempts') =>
    send(agentOf(installation.operator.ca, who), `https://${host}:${probe.port}${path}`, {
      method: 'POST',
      body,
    })

  test('tries what the operator asks for', async () => {
    await undisturbed(async () => {
      const outcomes = await client(installation.operator).attempts(host, [nobody, nobody])
      expect(outcomes?.control).toBe('connected')
      expect(outcomes?.outcomes).toHaveLength(2)
      expect(outcomes?.outcomes).not.toContain('connected')
    })
  })

  test('has one way, and refuses everything else there', async () => {
    const operator = installation.operator
    expect((await post(operator, '{"attempts":[]}')).status).toBe(400)
    expect((await post(operator, 'no')).status).toBe(400)
    expect((await post(operator, '{}', '/metrics')).status).toBe(404)
  })

  test.each([
    ['nobody', async () => null],
    ['the gateway', async () => installation.gateway],
    ['a storage node', () => installation.authority.issue(identity(tenant.id, 'node'))],
    [
      "another installation's operator",
      () => installation.authority.issue(identity('0123456789abcdef', 'operator')),
    ],
    [
      'another authority',
      async () => (await TestAuthority.create()).issue(identity(installationId, 'operator')),
    ],
  ])('listens to the operator alone: not to %s', async (_who, issue) => {
    await expect(post(await issue(), '{"attempts":[]}')).rejects.toThrow(
      /closed|disconnected|ECONNRESET|EPIPE|alert/,
    )
  })

  test('a request that comes along with the handshake of somebody else is not acted upon', async () => {
    const { cert, key, ca } = installation.gateway
    const body = JSON.stringify({ attempts: [nobody] })
    const request = `POST /attempts HTTP/1.1\r\nHost: probe\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    const send = (who: Pick<TestIdentity, 'cert' | 'key'>) =>
      new Promise<void>((resolve) => {
        const socket = connect({ host, port: probe.port, ca, ...who })
        socket.write(request)
        socket.on('error', () => undefined)
        socket.once('data', () => socket.destroy())
        socket.once('close', () => resolve())
      })
    const before = tried
    for (let turn = 0; turn < 10; turn += 1) await send({ cert, key })
    expect(tried).toBe(before)
    await send(installation.operator)
    expect(tried).toBeGreaterThan(before)
  })

  test('whoever answers in its place is not believed', async () => {
    expect(await client(installation.operator, '0123456789abcdef').attempts(host, [nobody])).toBeNull()
  })
})
