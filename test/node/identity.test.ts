import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { identity } from '../../common/identity.ts'
import { stateDigest, type StateDocument } from '../../common/state-document.ts'
import { mintToken } from '../../common/token.ts'
import { TestAuthority, type TestIdentity } from '../support/certificates.ts'
import {
  agentOf,
  host,
  installationId,
  send,
  TestInstallation,
  type Tenant,
} from '../support/installation.ts'

const otherId = 'bbbbbbbbbbbbbbbb'

/** The same document, for another organization. */
const foreign = (document: StateDocument): StateDocument => ({
  ...document,
  organization: { ...document.organization, id: otherId },
})

let installation: TestInstallation
let a: Tenant

beforeAll(async () => {
  installation = await TestInstallation.create()
  a = await installation.startTenant('aaaaaaaaaaaaaaaa')
})
afterAll(() => installation.stop())

describe('a node lets in whom it should by certificate, and nobody else', () => {
  const direct = (
    who: TestIdentity | null,
    path = '/query?q=SHOW+DATABASES',
    port = a.process.port,
    headers = {},
  ) =>
    send(agentOf(installation.operator.ca, who), `https://${host}:${port}${path}`, {
      headers: { authorization: `Token ${a.token}`, ...headers },
    })

  test('without a certificate only the probes answer, unless the organization opens direct access', async () => {
    expect((await direct(null, '/ping')).status).toBe(204)
    expect((await direct(null, '/health')).status).toBe(200)
    expect((await direct(null, '/ready')).status).toBe(200)
    expect((await direct(null)).status).toBe(403)
    const open = { ...a.document, organization: { ...a.document.organization, directAccess: true } }
    await installation.push(a, open, stateDigest(a.document))
    expect((await direct(null)).status).toBe(200)
    expect(
      (await direct(null, '/query?q=SHOW+DATABASES', a.process.port, { authorization: 'Token x' })).status,
    ).toBe(401)
    await installation.push(a, a.document, stateDigest(open))
    expect((await direct(null)).status).toBe(403)
  })

  test.each([
    [
      "another installation's gateway",
      () => installation.authority.issue(identity('0123456789abcdef', 'gateway')),
    ],
    ['the operator', async () => installation.operator],
    ['a node', () => installation.authority.issue(identity(otherId, 'node'))],
    [
      'two identities',
      () => installation.authority.issue(identity(installationId, 'gateway'), identity(otherId, 'node')),
    ],
    [
      'another authority',
      async () => (await TestAuthority.create()).issue(identity(installationId, 'gateway')),
    ],
  ])("a certificate that is not the gateway's ends the connection: %s", async (_name, issue) => {
    await expect(direct(await issue(), '/ping')).rejects.toThrow(/closed|disconnected|ECONNRESET|EPIPE|alert/)
  })

  test('the gateway is let in, and must show a token all the same', async () => {
    expect((await direct(installation.gateway)).status).toBe(200)
    expect(
      (
        await direct(installation.gateway, '/query?q=SHOW+DATABASES', a.process.port, {
          authorization: `Token ${mintToken(otherId)}`,
        })
      ).status,
    ).toBe(401)
  })

  test.each([
    ['nobody', async () => null],
    ['the gateway', async () => installation.gateway],
    [
      "another installation's operator",
      () => installation.authority.issue(identity('0123456789abcdef', 'operator')),
    ],
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
    const admin = (path: string, headers = {}) =>
      direct(installation.operator, path, a.process.adminPort, headers)
    expect((await admin('/admin/health')).status).toBe(421)
    expect((await admin('/admin/health', { 'holdfast-organization': otherId })).status).toBe(421)
    const own = { 'holdfast-organization': a.id }
    expect((await admin('/admin/health', own)).text).toBe('{"status":"pass"}')
    expect(JSON.parse((await admin('/admin/state', own)).text)).toMatchObject({
      organizationId: a.id,
      digest: stateDigest(a.document),
      formatVersions: [1, 2],
    })
    expect((await admin('/admin/metrics', own)).text).toContain('holdfast_node_stored_state')
    expect((await admin('/admin/nope', own)).status).toBe(404)
  })

  test('a stale push changes nothing; a database that is held is not deleted', async () => {
    expect((await installation.push(a, a.document, '')).status).toBe(412)
    const refused = await installation.push(a, foreign(a.document), stateDigest(a.document))
    expect(refused.status).toBe(422)
    const remove = (id: string) =>
      installation.admin(a, `/admin/databases/${id}`, {
        method: 'DELETE',
        headers: { 'holdfast-organization': a.id },
      })
    expect((await remove(a.document.databases[0]!.id)).status).toBe(409)
    expect((await remove('9999999999999999')).status).toBe(204)
    expect((await remove('metrics')).status).toBe(400)
  })
})
