import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Agent } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { letInHeader } from '../../common/door.ts'
import { tokenId } from '../../common/ids.ts'
import { stateDigest, type Permission, type StateDocument } from '../../common/state-document.ts'
import { hashToken, mintToken } from '../../common/token.ts'
import { version } from '../../common/version.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import { withDatabase } from '../../storage-node/state/catalog-changes.ts'
import { agentOf, host, newToken, send, type Answer } from '../support/installation.ts'
import { untilLogged } from '../support/storage-node.ts'
import { TwoTenants } from '../support/two-tenants.ts'
import { parseAccessPage } from './access-page.ts'
import {
  allCalls,
  callsOf,
  cellOf,
  effectOf,
  nameOf,
  refusalOf,
  requestOf,
  type Call,
} from './access-requests.ts'

// Promise: each credential may do what docs/reference/access.md says, and nothing else, at the gateway and at a node.

const text = readFileSync('docs/reference/access.md', 'utf8')
const page = parseAccessPage(text)
const columns = [...page.columns.keys()]
const sides = ['gateway', 'node'] as const
type Side = (typeof sides)[number]

let bench: TwoTenants
let gateway: Gateway
/** Shows the identity of a gateway, as whoever calls a node must. */
let asGateway: Agent
/** By column. */
let tokens: Readonly<Record<string, string>>

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

beforeAll(async () => {
  bench = await TwoTenants.start()
  const { a, b, installation } = bench
  const permissions: Readonly<Record<string, Permission>> = {
    revoked: { database: '*', access: ['read', 'write'] },
    expired: { database: '*', access: ['read', 'write'] },
    read: { database: 'metrics', access: ['read'] },
    write: { database: 'metrics', access: ['write'] },
    other: { database: 'other', access: ['read', 'write'] },
    all: { database: '*', access: ['read', 'write'] },
    databases: { manage: ['databases'] },
    users: { manage: ['users'] },
  }
  const made = Object.entries(permissions).map(([name, each]) => ({ name, ...newToken(a.id, [each]) }))
  tokens = {
    ...Object.fromEntries(made.map(({ name, text: token }) => [name, token])),
    malformed: `${a.token.slice(0, -1)}_`,
    foreign: b.token,
    wrong: mintToken(a.id),
  }
  const before: StateDocument = {
    ...withDatabase(a.document, 'other', null, '2222222222222222')!,
    tokens: made.map(({ name, state }) => ({
      ...state,
      expiresAt: name === 'expired' ? '2020-01-01T00:00:00Z' : null,
    })),
    limits: { ...a.document.limits, concurrentQueries: 100 },
  }
  const revokedId = idOf('revoked')
  const document = { ...before, tokens: before.tokens.filter(({ id }) => id !== revokedId) }
  for (const [next, replaces] of [
    [before, a.document],
    [document, before],
  ] as const) {
    const { status, text: answer } = await installation.push(a, next, stateDigest(replaces))
    if (status !== 200) throw new Error(answer)
  }
  asGateway = agentOf(installation.operator.ca, installation.gateway)
  // More refusals come from here than from any client.
  gateway = await bench.startGateway({
    HOLDFAST_TLS_DIR: join(installation.folder, 'public'),
    HOLDFAST_ATTEMPTS_PER_SECOND: '100000',
  })
})

afterAll(async () => {
  await asGateway.close()
  await gateway.stop()
  await bench.stop()
})

const idOf = (column: string): string => tokenId(hashToken(tokens[column] ?? ''))

function authorizationOf(column: string): Record<string, string> {
  if (column === 'none') return {}
  const token = tokens[column]!
  return { authorization: column === 'foreign' ? basic(`any@${bench.a.id}`, token) : `Token ${token}` }
}

const at = (side: Side, path: string, options: object): Promise<Answer> =>
  side === 'gateway'
    ? send(bench.client, `https://${host}:${gateway.port}${path}`, options)
    : send(asGateway, `https://${host}:${bench.a.process.port}${path}`, options)

const query = (q: string, column = 'all'): Promise<Answer> =>
  at('node', `/query?${new URLSearchParams({ db: 'metrics', q }).toString()}`, {
    headers: authorizationOf(column),
  })

/** What a query that is allowed answers with, by the name of its series. */
async function seriesOf(q: string, column?: string): Promise<ReadonlyMap<string, unknown>> {
  const { status, text: body } = await query(q, column)
  expect([q, status]).toEqual([q, 200])
  const { results } = JSON.parse(body) as { results: { series?: { name: string; values?: unknown }[] }[] }
  return new Map((results[0]?.series ?? []).map(({ name, values }) => [name, values]))
}

const catalog = async (): Promise<unknown> =>
  Promise.all(['SHOW DATABASES', 'SHOW RETENTION POLICIES'].map(async (q) => (await query(q)).text))

interface Tried {
  readonly side: Side
  readonly column: string
  /** Names a measurement of this one attempt, and its request. */
  readonly mark: string
  readonly answer: Answer
  readonly cell: string
}

async function tryAll(call: Call, marks: string): Promise<readonly Tried[]> {
  const attempts = sides.flatMap((side) =>
    columns.map((column) => ({ side, column, mark: `${marks}_${column}_${side}` })),
  )
  if (effectOf(call) === 'takes') {
    const body = attempts.map(({ mark }) => `${mark} v=1 1`).join('\n')
    const headers = authorizationOf('all')
    expect(await at('node', '/write?db=metrics', { method: 'POST', body, headers })).toMatchObject({
      status: 204,
    })
  }
  return Promise.all(
    attempts.map(async ({ side, column, mark }) => {
      const { path, method, body, headers } = requestOf(call, mark)
      const answer = await at(side, path, {
        method,
        body,
        headers: { ...headers, ...authorizationOf(column), 'x-request-id': mark },
      })
      return { side, column, mark, answer, cell: cellOf(answer.status, answer.text) }
    }),
  )
}

/** Of the connection or of this one request; all other headers of a refusal tell whoever gets it something. */
const own = ['connection', 'date', 'keep-alive', 'request-id', 'x-request-id']

function expectRefusal(call: Call, { side, column, mark, answer, cell }: Tried): void {
  const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !own.includes(name)))
  const expected = refusalOf(call, mark, cell, idOf(column))
  expect({ mark, headers, body: answer.text }).toEqual({
    mark,
    headers: {
      ...expected.headers,
      'content-length': String(expected.body.length),
      'x-influxdb-build': `holdfast-${version}`,
      'x-influxdb-version': '1.8.10',
      // For the gateway, which passes it on to nobody.
      ...(side === 'node' && answer.status === 403 && { [letInHeader]: '1' }),
    },
    body: expected.body,
  })
}

/** One look at the points of all attempts: they are there exactly where that was allowed. */
async function expectEffect(call: Call, marks: string, tried: readonly Tried[]): Promise<void> {
  const effect = effectOf(call)
  if (effect === 'none') return
  const there = await seriesOf(`SELECT v FROM /^${marks}_/`)
  const expected = tried.filter(({ answer }) => answer.status < 300 === (effect === 'adds'))
  expect([...there.keys()].toSorted()).toEqual(expected.map(({ mark }) => mark).toSorted())
}

/** Why a node let somebody not in, by the request's id; null for a request that it has not seen. */
async function reasonsAtNode(): Promise<(mark: string) => unknown> {
  const { process } = bench.a
  const last = `last-${process.log.length}`
  await at('node', '/ping', { headers: { 'x-request-id': last } })
  await untilLogged(process, last)
  const reasons = new Map(
    process.log.flatMap(({ msg, requestId, reason }) =>
      msg === 'request denied' ? [[requestId, reason]] : [],
    ),
  )
  return (mark) => reasons.get(mark) ?? null
}

describe('the page', () => {
  test('has one row for each path, method and statement that there is, and for nothing else', () => {
    const inRows = page.rows.flatMap(callsOf).map(nameOf)
    expect(inRows.toSorted()).toEqual(allCalls.map(nameOf).toSorted())
    expect(inRows.length * columns.length).toBeGreaterThan(1_000)
  })

  test('has a cell in each column of each row', () => {
    for (const { cells } of page.rows) expect(Object.keys(cells)).toEqual(columns)
  })
})

describe('at the gateway and at a node, it is as the page says', () => {
  const rows = page.rows.map((row, index) => {
    const title = [...row.methods, ...row.paths, ...row.statements].join(' ')
    return { row, index, title }
  })

  test.each(rows)('$title', async ({ row, index }) => {
    const before = await catalog()
    const refused: Tried[] = []
    for (const [position, call] of callsOf(row).entries()) {
      const marks = `m${index}_${position}`
      const tried = await tryAll(call, marks)
      for (const side of sides) {
        const cells = tried.filter((one) => one.side === side).map(({ column, cell }) => [column, cell])
        expect({ [`${nameOf(call)} at the ${side}`]: Object.fromEntries(cells) }).toEqual({
          [`${nameOf(call)} at the ${side}`]: row.cells,
        })
      }
      for (const one of tried) {
        if ([401, 403].includes(one.answer.status)) expectRefusal(call, one)
        if (one.answer.status === 401) refused.push(one)
      }
      await expectEffect(call, marks, tried)
    }
    expect(await catalog()).toEqual(before)

    const reasonOf = await reasonsAtNode()
    for (const { side, column, mark } of refused) {
      const denial = page.columns.get(column)
      const seen = side === 'node' || denial?.answeredBy === 'node'
      expect([mark, reasonOf(mark)]).toEqual([mark, seen ? denial?.reason : null])
    }
  })

  test('nobody learns of a database that they may not read', async () => {
    const seen = new Map<string, unknown>()
    for (const [column, denial] of page.columns) {
      if (denial === null) seen.set(column, (await seriesOf('SHOW DATABASES', column)).get('databases'))
    }
    expect(Object.fromEntries(seen)).toEqual({
      read: [['metrics']],
      write: undefined,
      other: [['other']],
      all: [['metrics'], ['other']],
      databases: undefined,
      users: undefined,
    })
  })
})
