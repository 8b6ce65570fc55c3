import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { eventually, statusText, testCluster, type TestCluster } from '../support/kubernetes.ts'
import { requestsAtNode, tenantOf, type Tenant } from '../support/tenant.ts'
import { callWithPython } from './clients/python.ts'

// Marketing and Engineering share one URL. Each writes and reads its own data with the official clients; with the other's
// token, organization, database or id every attempt is refused, and nothing of it reaches the other's storage node.

let cluster: TestCluster
let marketing: Tenant
let engineering: Tenant
const marker = randomBytes(6).toString('hex')

beforeAll(async () => {
  cluster = await testCluster()
  marketing = await tenantOf(cluster, 'marketing', 'marketing-api-token')
  engineering = await tenantOf(cluster, 'engineering', 'engineering-service-token')
})

const write = (tenant: Tenant, bucket: string, line: string, org = tenant.organization) =>
  callWithPython({
    call: 'write',
    url: cluster.gateway,
    ca: tenant.caFile,
    token: tenant.token,
    org,
    bucket,
    lines: [line],
  })

const read = (tenant: Tenant, database: string, query: string) =>
  callWithPython({
    call: 'query',
    url: cluster.gateway,
    ca: tenant.caFile,
    token: tenant.token,
    database,
    query,
  })

describe('each team with the official clients, at the same address', () => {
  test('writes with influxdb-client and reads its own back with influxdb', async () => {
    expect(await write(marketing, 'metrics', `campaign_${marker},channel=mail clicks=11i`)).toEqual({})
    expect(await write(engineering, 'performance_data', `load_${marker},host=a usage=0.5`)).toEqual({})

    const own = await read(marketing, 'metrics', `SELECT * FROM "campaign_${marker}"`)
    expect(own.points).toMatchObject([{ channel: 'mail', clicks: 11 }])
    const theirs = await read(engineering, 'performance_data', `SELECT * FROM "load_${marker}"`)
    expect(theirs.points).toMatchObject([{ host: 'a', usage: 0.5 }])
  })

  test('sees only its own databases', async () => {
    const databases = async (tenant: Tenant) =>
      (await read(tenant, '', 'SHOW DATABASES')).points?.map(({ name }) => name)
    expect(await databases(marketing)).toEqual(['metrics'])
    expect(await databases(engineering)).toEqual(['performance_data'])
  })
})

describe('with anything of the other team', () => {
  interface Attempt {
    readonly what: string
    readonly status: readonly number[]
    run(
      from: Tenant,
      other: Tenant,
      otherDatabase: string,
      otherDatabaseId: string,
    ): Promise<{ status: number; body: string }>
  }
  const line = `intruder_${marker} value=1`
  const attempts: readonly Attempt[] = [
    {
      what: "the other's organization by name",
      status: [404],
      run: (from, other, database) =>
        from.send('/api/v2/write', { query: { org: other.organization, bucket: database }, body: line }),
    },
    {
      what: "the other's organization by id",
      status: [401],
      run: (from, other, database) =>
        from.send('/api/v2/write', { query: { orgID: other.organizationId, bucket: database }, body: line }),
    },
    {
      what: "the other's database by name, v2",
      status: [404],
      run: (from, _other, database) =>
        from.send('/api/v2/write', { query: { org: from.organization, bucket: database }, body: line }),
    },
    {
      what: "the other's database by id, v2",
      status: [404],
      run: (from, _other, _database, id) =>
        from.send('/api/v2/write', { query: { org: from.organization, bucket: id }, body: line }),
    },
    {
      what: "the other's database by name, v1 write",
      status: [404],
      run: (from, _other, database) => from.send('/write', { query: { db: database }, body: line }),
    },
    {
      what: "the other's id in the v1 user name",
      status: [401],
      run: (from, other, database) =>
        from.send('/write', {
          query: { db: database },
          body: line,
          headers: {
            authorization: `Basic ${Buffer.from(`any@${other.organizationId}:${from.token}`).toString('base64')}`,
          },
        }),
    },
    {
      what: "the own token made to look like the other's",
      status: [401],
      run: (from, other, database) =>
        from.send('/write', {
          query: { db: database },
          body: line,
          headers: {
            authorization: `Token ${from.token.replace(from.organizationId, other.organizationId)}`,
          },
        }),
    },
    {
      what: "the own token beside the other's organization id in p=",
      status: [401],
      run: (from, other, database) =>
        from.send('/query', {
          method: 'GET',
          query: { db: database, u: `x@${other.organizationId}`, p: from.token, q: 'SHOW MEASUREMENTS' },
        }),
    },
  ]

  /**
   * Every request at a team's node, up to one of its own that is made now: the log is written behind what it tells of, and
   * so it is known that what does arrive is seen.
   */
  async function requestsBefore(team: Tenant, database: string) {
    const requestId = randomBytes(8).toString('hex')
    const control = await team.send('/query', {
      method: 'GET',
      query: { db: database, q: 'SHOW MEASUREMENTS' },
      headers: { 'x-request-id': requestId },
    })
    expect(control.status).toBe(200)
    expect(control.body).not.toContain('intruder')
    return eventually('the control request in the log', 60_000, async () => {
      const requests = await requestsAtNode(cluster, team)
      return requests.some((request) => request.requestId === requestId) && requests
    })
  }

  test('every attempt is refused, in both directions, and reaches no node of the other', async () => {
    const databaseId = async (namespace: string, name: string) => {
      const database = await cluster.get('hdb', name, '--namespace', namespace)
      return statusText(database, 'databaseId')
    }
    const sides = [
      {
        from: marketing,
        other: engineering,
        database: 'performance_data',
        id: await databaseId('engineering', 'performance-data'),
      },
      {
        from: engineering,
        other: marketing,
        database: 'metrics',
        id: await databaseId('marketing', 'metrics'),
      },
    ]
    for (const { from, other, database, id } of sides) {
      const before = await requestsBefore(other, database)
      for (const attempt of attempts) {
        const reply = await attempt.run(from, other, database, id)
        expect(attempt.status, `${from.organization}: ${attempt.what}: ${reply.body}`).toContain(reply.status)
        expect(reply.body).not.toContain(other.token)
      }
      const after = await requestsBefore(other, database)
      expect(after.slice(before.length).map(({ path }) => path)).toEqual(['/query'])
    }
  })

  test('a query for the other database through the official client finds nothing', async () => {
    const answer = await read(marketing, 'performance_data', `SELECT * FROM "load_${marker}"`)
    expect(answer.points).toBeUndefined()
    expect(answer.message).toMatch(/database not found|not authorized/)
  })
})

describe('a token that may only write', () => {
  test('writes to its database, and reads nothing', async () => {
    const generator = await tenantOf(cluster, 'engineering', 'load-generator')
    const written = await generator.send('/api/v2/write', {
      query: { org: generator.organization, bucket: 'performance_data' },
      body: `generated_${marker} value=1`,
    })
    expect(written.status, written.body).toBe(204)
    const refused = await generator.send('/query', {
      method: 'GET',
      query: { db: 'performance_data', q: `SELECT * FROM generated_${marker}` },
    })
    expect(refused.status, refused.body).toBe(403)
  })
})

describe('without a valid credential', () => {
  test.each([
    ['none', {}],
    ['a word', { authorization: 'Token nonsense' }],
    ['a well-formed token nobody minted', { authorization: 'Token hfd_0123456789abcdef_' }],
  ])('%s: 401, the same for every reason', async (_what, headers: Record<string, string>) => {
    const reply = await marketing.send('/api/v2/write', {
      query: { org: 'Marketing', bucket: 'metrics' },
      body: 'a b=1',
      headers: { authorization: '', ...headers },
    })
    expect(reply.status).toBe(401)
    expect(JSON.parse(reply.body)).toEqual({ code: 'unauthorized', message: 'unauthorized access' })
  })
})
