import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RecordedStep } from '../conformance/influxql/deletes.ts'
import { startStorageNode, untilReady, type NodeProcess } from '../support/storage-node.ts'

/** Promise: what deletes answer and leave is what InfluxDB 1.8.10, and for its own API InfluxDB 2, answers and leaves. */

const steps = JSON.parse(
  await readFile(join(import.meta.dirname, '../golden/influxql-deletes/steps.json'), 'utf8'),
) as readonly RecordedStep[]

let folder: string
let node: NodeProcess
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-deletes-'))
  node = await startStorageNode(['--data', folder, '--listen', '127.0.0.1:0', '--auth', 'off'])
  await untilReady(node.port)
})
afterAll(async () => {
  await node.stop()
  await rm(folder, { recursive: true, force: true })
})

async function post(path: string, body: string, form = false): Promise<{ status: number; text: string }> {
  const answer = await request(`http://127.0.0.1:${node.port}${path}`, {
    method: 'POST',
    headers: form ? { 'content-type': 'application/x-www-form-urlencoded' } : {},
    body,
  })
  return { status: answer.statusCode, text: await answer.body.text() }
}

const query = async (q: string, database = 'd'): Promise<string> =>
  (await post(`/query?db=${database}&epoch=ns`, new URLSearchParams({ q }).toString(), true)).text

test('statements answer and leave what InfluxDB 1.8.10 does, one after the other', async () => {
  await query('CREATE DATABASE deletes')
  for (const step of steps) {
    const { text } =
      'q' in step
        ? await post('/query?db=deletes', new URLSearchParams({ q: step.q }).toString(), true)
        : await post('/write?db=deletes', step.write)
    // There are no shards with numbers.
    expect(text, JSON.stringify(step)).toBe(step.body.replaceAll(/"shard \d+: /g, '"'))
  }
})

describe('POST /api/v2/delete', () => {
  const all = { start: '1970-01-01T00:00:00Z', stop: '1970-01-01T00:00:01Z' }
  const remove = (body: unknown, more = '&bucket=d') =>
    post(`/api/v2/delete?org=holdfast${more}`, typeof body === 'string' ? body : JSON.stringify(body))
  beforeAll(async () => {
    await query('CREATE DATABASE d')
    await query('CREATE RETENTION POLICY p ON d DURATION INF REPLICATION 1')
  })

  const points = async (): Promise<readonly string[]> => {
    const parsed = JSON.parse(await query('SELECT v FROM /./, d.p././ GROUP BY *')) as {
      readonly results: readonly {
        readonly series?: readonly {
          readonly name: string
          readonly tags: Readonly<Record<string, string>>
          readonly values: readonly (readonly [number, number])[]
        }[]
      }[]
    }
    return (parsed.results[0]?.series ?? [])
      .flatMap(({ name, tags, values }) => values.map(([time, v]) => `${name} ${tags['t']} ${time} ${v}`))
      .toSorted()
  }

  test.each([
    [
      'a time range, both ends of it',
      { start: '1970-01-01T00:00:00.000000001Z', stop: '1970-01-01T00:00:00.000000002Z' },
      ['n a 3 5', 'p b 1 6'],
    ],
    ['a tag', { ...all, predicate: 't="a"' }, ['m b 2 2', 'p b 1 6']],
    ['a measurement', { ...all, predicate: '_measurement=m' }, ['n a 1 4', 'n a 3 5', 'p b 1 6']],
    ['both', { ...all, predicate: '_measurement = "n" AND (t=a)' }, ['m a 1 1', 'm b 2 2', 'p b 1 6']],
    ['not a tag', { ...all, predicate: 't!=a' }, ['m a 1 1', 'n a 1 4', 'n a 3 5', 'p b 1 6']],
    ['nothing', { ...all, predicate: 't=c' }, ['m a 1 1', 'm b 2 2', 'n a 1 4', 'n a 3 5', 'p b 1 6']],
    ['all of the default policy', all, ['p b 1 6']],
  ])('%s', async (_, body, left) => {
    expect((await post('/write?db=d', 'm,t=a v=1 1\nm,t=b v=2 2\nn,t=a v=4 1\nn,t=a v=5 3')).status).toBe(204)
    expect((await post('/write?db=d&rp=p', 'p,t=b v=6 1')).status).toBe(204)
    expect(await remove(body)).toEqual({ status: 204, text: '' })
    expect(await points()).toEqual(left)
  })

  test('another policy is a bucket of its own', async () => {
    await post('/write?db=d', 'm,t=a v=1 1')
    expect((await remove(all, '&bucket=d/p')).status).toBe(204)
    expect(await points()).toEqual(['m a 1 1'])
  })

  test.each<[unknown, string, number, string]>([
    ['{', '&bucket=d', 400, 'invalid request; error parsing request json: it is no JSON'],
    [[], '&bucket=d', 400, 'invalid request; error parsing request json: a JSON object expected'],
    [
      {},
      '&bucket=d',
      400,
      'invalid request; error parsing request json: invalid RFC3339Nano for field start, please format your time with RFC3339Nano format, example: 2009-01-02T23:00:00Z',
    ],
    [
      { ...all, predicate: 't=a OR t=b' },
      '&bucket=d',
      400,
      'invalid request; error parsing request json: the logical operator OR is not supported yet at position 4',
    ],
    [all, '', 400, 'Please provide either bucketID or bucket'],
    [all, '&bucket=nope', 404, 'bucket "nope" not found'],
    [all, '&bucket=d/nope', 404, 'bucket "d/nope" not found'],
    [all, '&bucket=d&org=other', 404, 'organization name "other" not found'],
  ])('%j %s', async (body, more, status, message) => {
    const answer = await remove(body, more)
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.text)).toMatchObject({ message })
  })
})
