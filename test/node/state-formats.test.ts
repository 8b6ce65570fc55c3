import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { identity } from '../../common/identity.ts'
import { inFormat, stateBody } from '../../common/state-document-formats.ts'
import { nothingBeside, stateDigest, type StateDocument } from '../../common/state-document.ts'
import { NodeClient } from '../../operator/node-client/node-client.ts'
import { pushDocument } from '../../operator/reconcile/push.ts'
import { firstDocument } from '../../storage-node/state/alone.ts'
import { AdminServer } from '../integration/admin-server.ts'
import {
  host,
  installationId,
  newToken,
  send,
  agentOf,
  TestInstallation,
  type Tenant,
} from '../support/installation.ts'

/**
 * Promise: an operator and nodes of neighbouring versions go on with each other, there and back, in the newest format that
 * both know. A revoked token stays revoked in each, and nothing that is asked for is passed over in silence.
 */

const id = 'aaaaaaaaaaaaaaaa'
let installation: TestInstallation

beforeAll(async () => {
  installation = await TestInstallation.create()
})
afterAll(() => installation.stop())

const older = (document: StateDocument) => inFormat(document, 1).document
const limited = (document: StateDocument, limits: Partial<StateDocument['limits']>): StateDocument => ({
  ...document,
  limits: { ...document.limits, ...limits },
})

/** The operator of today, and its one node on an admin port. */
function operatorOf(port: number) {
  const { cert, key, ca } = installation.operator
  const own = { certificatePem: cert, privateKeyPem: key, authorityPem: ca }
  const client = new NodeClient({ identity: () => own, clock: systemClock, port })
  const pod = {
    name: 'storage-node-0',
    uid: 'pod',
    ip: host,
    running: true,
    ready: true,
    terminating: false,
    trouble: null,
    revision: 'a',
    restarts: 0,
    lastExit: null,
  }
  return {
    client,
    push: async (document: StateDocument) => {
      const [report] = await pushDocument(client, [pod], document, AbortSignal.timeout(10_000))
      return report
    },
    digest: async () => (await client.getState({ organizationId: id, podUid: 'pod', host })).digest,
  }
}

describe('a node of today', () => {
  let tenant: Tenant
  let operator: ReturnType<typeof operatorOf>

  beforeAll(async () => {
    tenant = await installation.startTenant(id)
  })
  beforeEach(() => {
    operator = operatorOf(tenant.process.adminPort)
  })
  afterEach(() => operator.client.close())

  const query = async (q: string, token = tenant.token) => {
    const gateway = agentOf(installation.operator.ca, installation.gateway)
    const path = `/query?${new URLSearchParams({ db: 'metrics', epoch: 'ns', q }).toString()}`
    const url = `https://${host}:${tenant.process.port}${path}`
    const answer = await send(gateway, url, { headers: { authorization: `Token ${token}` } })
    await gateway.close()
    return answer
  }

  test('takes turns between the operator of before and that of today', async () => {
    const { document } = tenant
    for (const round of [1, 2]) {
      const pushed = await installation.push(tenant, older(document), stateDigest(document))
      expect([pushed.status, await operator.digest()], `round ${round}`).toEqual([
        200,
        stateDigest(older(document)),
      ])
      expect((await query('SHOW DATABASES')).text).toContain('metrics')
      expect(await operator.push(document)).toMatchObject({ result: 'confirmed' })
      expect(await operator.digest()).toBe(stateDigest(document))
    }
  })

  test('revives no token in either format, also after a restart', async () => {
    const { document } = tenant
    const gone = newToken(id, [{ database: 'metrics', access: ['read'] }])
    const before = { ...document, tokens: [...document.tokens, gone.state] }
    await installation.push(tenant, older(before), stateDigest(document))
    expect((await query('SHOW DATABASES', gone.text)).status).toBe(200)
    expect(await operator.push(document)).toMatchObject({ result: 'confirmed' })
    tenant = await installation.restart(tenant)
    await operator.client.close()
    operator = operatorOf(tenant.process.adminPort)
    await expect.poll(() => operator.push(document)).toMatchObject({ result: 'confirmed' })
    expect(await operator.push(before)).toMatchObject({ result: 'refused', revokedTokenId: gone.state.id })
    const refused = await installation.push(tenant, older(before), stateDigest(document))
    expect([refused.status, refused.text]).toEqual([422, expect.stringContaining('ERR_STATE_REVIVES_TOKEN')])
    expect((await query('SHOW DATABASES', gone.text)).status).toBe(401)
    expect((await query('SHOW DATABASES')).status).toBe(200)
  })

  test('keeps the limits that the version before does not know, while no operator is there', async () => {
    expect(await operator.push(limited(tenant.document, { requestsPerSecond: 1 }))).toMatchObject({
      result: 'confirmed',
    })
    tenant = await installation.restart(tenant)
    await expect.poll(async () => (await query('SHOW DATABASES')).status).toBe(200)
    expect((await query('SHOW DATABASES')).status).toBe(429)
    await operator.client.close()
    operator = operatorOf(tenant.process.adminPort)
    expect(await operator.push(tenant.document)).toMatchObject({ result: 'confirmed' })
    for (let n = 0; n < 5; n += 1) expect((await query('SHOW DATABASES')).status).toBe(200)
  })

  test('refuses ways in that it would pass over, and what it was sent beside them, and goes on as it was', async () => {
    const { document } = tenant
    const jwt = { keyIds: ['0123456789abcdef'], maxLifetimeNs: '86400000000000' }
    const asking = { ...document, authentication: { ...document.authentication, jwt } }
    expect(await operator.push(asking)).toMatchObject({
      result: 'refused',
      message: expect.stringMatching(/authentication\.jwt: version .* does not enforce it/),
    })
    const put = (body: unknown) =>
      installation.admin(tenant, '/admin/state', {
        method: 'PUT',
        headers: { 'holdfast-organization': id, 'if-match': `"${stateDigest(document)}"` },
        body: JSON.stringify(body),
      })
    const secret = Buffer.from('correct horse battery staple').toString('base64')
    const beside = { ...nothingBeside, secrets: { '0123456789abcdef': secret } }
    for (const body of [
      { document, beside },
      document,
      { document: older(document), beside: nothingBeside },
    ]) {
      const { status, text } = await put(body)
      expect([status, text]).toEqual([422, expect.stringContaining('ERR_STATE_')])
      expect(text).not.toContain(secret)
    }
    expect(JSON.stringify(tenant.process.log)).not.toContain(secret)
    expect(await operator.digest()).toBe(stateDigest(document))
    expect((await put(stateBody(document))).status).toBe(200)
  })
})

describe('a node of before', () => {
  let server: AdminServer
  let operator: ReturnType<typeof operatorOf>

  beforeEach(async () => {
    const { cert, key, ca } = await installation.authority.issue(identity(id, 'node'))
    server = new AdminServer({
      organizationId: id,
      installationId,
      certificatePem: cert,
      privateKeyPem: key,
      authorityPem: ca,
    })
    server.formatVersions = [1]
    operator = operatorOf(await server.listen())
  })
  afterEach(async () => {
    await operator.client.close()
    await server.close()
  })

  const [kept, gone] = [0, 1].map(() => newToken(id, [{ database: '*', access: ['read'] }]).state)
  const document: StateDocument = { ...firstDocument(id), tokens: [kept!, gone!] }
  const revoked: StateDocument = { ...document, tokens: [kept!] }

  test('is upgraded, taken back and upgraded again: one document each, and no more', async () => {
    for (const formats of [[1], [1, 2], [1], [1, 2]]) {
      server.formatVersions = formats
      server.requests.length = 0
      for (let pass = 0; pass < 3; pass += 1)
        expect(await operator.push(document)).toMatchObject({ result: 'confirmed' })
      expect(server.document?.formatVersion).toBe(formats.at(-1))
      expect(server.requests.filter((request) => request.startsWith('PUT'))).toHaveLength(1)
    }
  })

  test('is not begun with where it lacks a limit; where it serves, revocations come into force all the same', async () => {
    const asking = limited(document, { queryMemoryBytes: 1 })
    const message = 'version 0.1.0 does not know spec.limits.queryMemory; set spec.version'
    expect(await operator.push(asking)).toMatchObject({ result: 'refused', message })
    expect(server.document).toBeNull()
    expect(await operator.push(document)).toMatchObject({ result: 'confirmed' })
    expect(await operator.push(limited(revoked, { queryMemoryBytes: 1 }))).toMatchObject({
      result: 'refused',
      message,
    })
    expect(server.document).toEqual(older(revoked))
    server.formatVersions = [1, 2]
    expect(await operator.push(document)).toMatchObject({ result: 'refused', revokedTokenId: gone!.id })
    expect(await operator.push(revoked)).toMatchObject({ result: 'confirmed' })
  })
})
