import type { Agent } from 'undici'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { stateDigest, type StateDocument } from '../../common/state-document.ts'
import { withDatabase } from '../../storage-node/state/catalog-changes.ts'
import { mintToken } from '../../common/token.ts'
import { agentOf, host, send, TestInstallation, type Answer, type Tenant } from '../support/installation.ts'

/** Promise: each limit of an organization holds from the moment when its document is in force, and no longer than that. */

let installation: TestInstallation
let tenant: Tenant
let gateway: Agent
let inForce: StateDocument

beforeAll(async () => {
  installation = await TestInstallation.create()
  tenant = await installation.startTenant('aaaaaaaaaaaaaaaa')
  gateway = agentOf(installation.operator.ca, installation.gateway)
  inForce = tenant.document
})
afterAll(async () => {
  await gateway.close()
  await installation.stop()
})
beforeEach(() => put(tenant.document))

async function put(document: StateDocument): Promise<void> {
  const { status, text } = await installation.push(tenant, document, stateDigest(inForce))
  expect([status, text]).toEqual([200, expect.anything()])
  inForce = document
}

const limit = (limits: Partial<StateDocument['limits']>): Promise<void> =>
  put({ ...tenant.document, limits: { ...tenant.document.limits, ...limits } })

const call = (path: string, options: object = {}, token = tenant.token): Promise<Answer> =>
  send(gateway, `https://${host}:${tenant.process.port}${path}`, {
    headers: { authorization: `Token ${token}` },
    ...options,
  })
const query = (q: string, token = tenant.token): Promise<Answer> =>
  call(`/query?${new URLSearchParams({ db: 'metrics', q }).toString()}`, {}, token)
const write = (lines: readonly string[], path = '/write?db=metrics'): Promise<Answer> =>
  call(path, { method: 'POST', body: lines.join('\n') })
const times = <Value>(count: number, make: (index: number) => Value): Value[] =>
  Array.from({ length: count }, (_, index) => make(index))

test('requestsPerSecond: beyond it 429 in the words of each dialect, for those alone who are let in', async () => {
  await limit({ requestsPerSecond: 5 })
  const statuses = (await Promise.all(times(15, () => query('SHOW DATABASES')))).map(({ status }) => status)
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(5)

  await limit({ requestsPerSecond: 1 })
  const refused = async (make: () => Promise<Answer>) => {
    const answers = await Promise.all(times(15, make))
    const { status, headers, text } = answers.find((answer) => answer.status >= 300)!
    return [status, headers['retry-after'], JSON.parse(text)]
  }
  const message = 'requests limit exceeded'
  expect(await refused(() => query('SHOW DATABASES'))).toEqual([429, '2', { error: message }])
  expect(await refused(() => write(['cpu v=1'], '/api/v2/write?bucket=metrics'))).toEqual([
    429,
    '2',
    { code: 'too many requests', message },
  ])
  expect((await query('SHOW DATABASES', mintToken(tenant.id))).status).toBe(401)
  expect((await call('/ping')).status).toBe(204)

  await limit({ requestsPerSecond: null })
  const all = await Promise.all(times(15, () => query('SHOW MEASUREMENTS')))
  expect(all.map(({ status }) => status)).toEqual(times(15, () => 200))
})

test('rowsPerQuery: a statement that answers with more ends in an error', async () => {
  await write(times(5, (n) => `rows v=${n} ${n + 1}`))
  await limit({ rowsPerQuery: 4 })
  expect((await query('SELECT v FROM rows')).text).toContain('max-select-rows limit exceeded: (5/4)')
  expect((await query('SELECT v FROM rows LIMIT 4')).text).not.toContain('error')
  await limit({ rowsPerQuery: 5 })
  expect((await query('SELECT v FROM rows')).text).not.toContain('error')
})

test('queryMemoryBytes: a query that holds more ends in an error', async () => {
  await write(times(200, (n) => `held v=${n} ${n + 1}`))
  await limit({ queryMemoryBytes: 1_000 })
  expect((await query('SELECT median(v) FROM held')).text).toContain('more points than there is memory for')
  expect((await query('SELECT median(v) FROM held WHERE time < 10ns')).text).not.toContain('error')
  await limit({ queryMemoryBytes: 1_000_000 })
  expect((await query('SELECT median(v) FROM held')).text).toContain('99.5')
})

test('writeBytesPerSecond: what is above it is paid for by 429, and nothing of that is stored', async () => {
  await limit({ writeBytesPerSecond: 100 })
  const lines = times(100, (n) => `written v=${n} ${n + 1}`)
  expect((await write(lines)).status).toBe(204)
  const refused = await write(['written v=1 1000'])
  expect([refused.status, refused.headers['retry-after'], JSON.parse(refused.text)]).toEqual([
    429,
    '2',
    { error: 'limit of 100 bytes written a second exceeded' },
  ])
  expect((await query('SELECT count(v) FROM written')).text).toContain(',100]')
  await limit({ writeBytesPerSecond: null })
  expect((await write(['written v=1 1000'])).status).toBe(204)
})

test('series of a database: those that are there go on, more are refused, and another database has its own', async () => {
  const two = withDatabase(tenant.document, 'other', null, '2222222222222222')!
  const series = (count: number) => times(count, (n) => `s,tag=${n} v=1 1`)
  const withLimit = (most: number | null): StateDocument => ({
    ...two,
    tokens: two.tokens.map((token) => ({
      ...token,
      permissions: [{ database: '*', access: ['read', 'write'] }],
    })),
    databases: two.databases.map((each) =>
      each.name === 'other' ? { ...each, limits: { ...each.limits, series: most } } : each,
    ),
  })
  await put(withLimit(3))
  const refused = await write(series(5), '/write?db=other')
  expect([refused.status, refused.text]).toEqual([
    400,
    expect.stringContaining('max-series-per-database limit exceeded: (3)'),
  ])
  expect(refused.text).toContain('dropped=2')
  expect((await write(series(3), '/write?db=other')).status).toBe(204)
  expect((await write(series(5))).status).toBe(204)
  await put(withLimit(null))
  expect((await write(series(5), '/write?db=other')).status).toBe(204)
})
