import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseLines } from '../../storage-node/line-protocol/parse.ts'
import { answer, type TestRequest } from '../../storage-node/query/testing/answer.ts'
import { databaseState, openEngine, temporaryFolder } from './engine-support.ts'

// Attacks the promise that answers do not depend on where points lie: the recorded answers of InfluxDB once more, with
// all points in encrypted files, read by DuckDB.

const folder = join(import.meta.dirname, '../golden/influxql')

interface Recorded {
  readonly request: TestRequest
  readonly status: number
  readonly body: string
}

const read = (name: string): readonly Recorded[] =>
  JSON.parse(readFileSync(join(folder, name), 'utf8')) as readonly Recorded[]

test('every recorded statement over files answers as over memory', async () => {
  await using data = await temporaryFolder()
  const engine = await openEngine(data.path)
  const databaseId = '0123456789abcdef'
  engine.setDatabases([databaseState({}, databaseId)])
  const batch = parseLines(readFileSync(join(folder, 'data.lp')), 'ns', 0n)
  await engine.write({ databaseId, retentionPolicy: null, batch })
  await engine.flush()
  expect(engine.stats()).toMatchObject({ bufferedRows: 0 })
  const differences = new Map(
    read('differences.json').map(({ request, body }) => [JSON.stringify(request), body]),
  )
  const names = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'differences.json')
  const different: unknown[] = []
  for (const { request, status, body } of names.flatMap(read)) {
    const answered = await answer(engine, request)
    const expected = differences.get(JSON.stringify(request)) ?? body
    if (answered.status !== status || answered.body !== expected)
      different.push({
        q: request.q,
        answered: answered.body.slice(0, 300),
        expected: expected.slice(0, 300),
      })
  }
  expect(different).toEqual([])
  await engine.close()
}, 60_000)
