import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { tokenId } from '../../common/ids.ts'
import { hashToken, mintToken } from '../../common/token.ts'
import { NodeClient } from '../../operator/node-client/node-client.ts'
import { agentOf, host, send, TestInstallation, type Tenant } from '../support/installation.ts'

// A storage node tells its operator when tokens were last let in: of those alone, and by what they may not do, too.

let installation: TestInstallation
let tenant: Tenant
let client: NodeClient
beforeAll(async () => {
  installation = await TestInstallation.create()
  tenant = await installation.startTenant('aaaaaaaaaaaaaaaa')
  const { cert, key, ca } = installation.operator
  client = new NodeClient({
    identity: () => ({ certificatePem: cert, privateKeyPem: key, authorityPem: ca }),
    clock: systemClock,
    port: tenant.process.adminPort,
  })
})
afterAll(async () => {
  await client.close()
  await installation.stop()
})

const uses = async () => (await client.tokenUses({ organizationId: tenant.id, podUid: 'u', host })).uses

async function query(token: string, statement: string): Promise<number> {
  const agent = agentOf(installation.gateway.ca, installation.gateway)
  try {
    const url = `https://${host}:${tenant.process.port}/query?db=metrics&q=${encodeURIComponent(statement)}`
    return (await send(agent, url, { headers: { authorization: `Token ${token}` } })).status
  } finally {
    await agent.close()
  }
}

test('a token that is let in is used, one that is not is none of its business', async () => {
  expect(await uses()).toEqual([])
  expect(await query(mintToken(tenant.id), 'SHOW DATABASES')).toBe(401)
  expect(await uses()).toEqual([])
  const beforeMs = Date.now()
  expect(await query(tenant.token, 'SHOW DATABASES')).toBe(200)
  const [use, ...others] = await uses()
  expect(others).toEqual([])
  expect(use?.id).toBe(tokenId(hashToken(tenant.token)))
  const usedMs = Date.parse(use?.lastUsedAt ?? '')
  expect(usedMs).toBeGreaterThan(beforeMs - 60_000)
  expect(usedMs).toBeLessThanOrEqual(Date.now())
})

test('a request that the token does not allow is a use of it all the same', async () => {
  expect(await query(tenant.token, 'CREATE USER "x" WITH PASSWORD \'y\'')).toBe(403)
  expect(await uses()).toHaveLength(1)
})
