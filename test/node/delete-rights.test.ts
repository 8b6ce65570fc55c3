import { afterAll, beforeAll, expect, test } from 'vitest'
import { tokenId } from '../../common/ids.ts'
import { stateDigest, type Permission } from '../../common/state-document.ts'
import { hashToken } from '../../common/token.ts'
import { newToken, type Answer } from '../support/installation.ts'
import { TwoTenants } from '../support/two-tenants.ts'

/** Promise: on a cluster too, who may write to a database may delete from it, through the gateway, and nobody else. */

let bench: TwoTenants
let reader: string
let writer: string

beforeAll(async () => {
  bench = await TwoTenants.start()
  const { a, installation } = bench
  const token = (access: Permission & object) => newToken(a.id, [access])
  const tokens = [
    token({ database: 'metrics', access: ['read'] }),
    token({ database: 'metrics', access: ['write'] }),
  ]
  ;[reader, writer] = tokens.map(({ text }) => text) as [string, string]
  const document = { ...a.document, tokens: [...a.document.tokens, ...tokens.map(({ state }) => state)] }
  const { status, text } = await installation.push(a, document, stateDigest(a.document))
  if (status !== 200) throw new Error(text)
})

afterAll(() => bench.stop())

const post = (path: string, token: string, body: string | null = null): Promise<Answer> =>
  bench.through(path, { method: 'POST', body, headers: { authorization: `Token ${token}` } })
const query = (token: string, q: string, database = 'metrics') =>
  post(`/query?${new URLSearchParams({ db: database, q }).toString()}`, token)
const remove = (token: string, bucket = 'metrics') =>
  post(
    `/api/v2/delete?bucket=${bucket}`,
    token,
    '{"start":"1970-01-01T00:00:00Z","stop":"1970-01-01T00:00:01Z","predicate":"_measurement=m"}',
  )
const values = async (): Promise<unknown> => {
  const { text } = await bench.read(reader, 'm')
  return (JSON.parse(text) as { results: { series?: { values: unknown }[] }[] }).results[0]!.series?.[0]!
    .values
}

test.each(['DELETE FROM m', 'DROP SERIES FROM m', 'DROP MEASUREMENT m'])('%s', async (statement) => {
  await bench.write(writer, 'm,t=a v=1 1\nm,t=b v=2 2')
  await bench.write(bench.b.token, 'm v=7 7')
  const refused = await query(reader, statement)
  expect(refused.status).toBe(403)
  expect(JSON.parse(refused.text)).toEqual({
    error: `error authorizing query: ${tokenId(hashToken(reader))} not authorized to execute statement '${statement}', requires WRITE on metrics`,
  })
  expect((await query(writer, statement, 'other')).status).toBe(403)
  expect(await values()).toEqual([
    [1, 1],
    [2, 2],
  ])
  const allowed = await query(writer, statement)
  expect([allowed.status, allowed.text]).toEqual([200, '{"results":[{"statement_id":0}]}\n'])
  expect(await values()).toBeUndefined()
  expect((await bench.read(bench.b.token, 'm')).text).toContain('[7,7]')
})

test('POST /api/v2/delete', async () => {
  await bench.write(writer, 'm,t=a v=1 1\nn v=2 2')
  const forbidden = {
    status: 403,
    text: '{"code":"forbidden","message":"insufficient permissions to delete"}',
  }
  expect(await remove(reader)).toMatchObject(forbidden)
  expect(await remove(writer, 'other')).toMatchObject(forbidden)
  expect(await remove(`${writer.slice(0, -1)}_`)).toMatchObject({ status: 401 })
  expect(await values()).toEqual([[1, 1]])
  expect(await remove(writer)).toMatchObject({ status: 204, text: '' })
  expect(await values()).toBeUndefined()
  expect((await bench.read(reader, 'n')).text).toContain('[2,2]')
})
