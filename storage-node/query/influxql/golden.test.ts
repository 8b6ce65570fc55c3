import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { answer, type TestRequest } from '../testing/answer.ts'
import { MemoryReader } from '../testing/memory-reader.ts'

// Attacks the promise that every answer is, byte for byte, that of InfluxDB 1.8.10. The answers were recorded from the
// real server: test/conformance/record-influxql.ts.

interface Recorded {
  readonly request: TestRequest
  readonly status: number
  readonly body: string
}

const folder = join(import.meta.dirname, '../../../test/golden/influxql')
const reader = new MemoryReader(readFileSync(join(folder, 'data.lp'), 'utf8'))
const files = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'differences.json')
const recordedIn = (name: string): readonly Recorded[] =>
  JSON.parse(readFileSync(join(folder, name), 'utf8')) as readonly Recorded[]

/** Where Holdfast means to answer otherwise, with the reason and the answer. */
const differences = new Map(
  (
    JSON.parse(readFileSync(join(folder, 'differences.json'), 'utf8')) as readonly {
      readonly request: TestRequest
      readonly reason: string
      readonly body: string
    }[]
  ).map((one) => [JSON.stringify(one.request), one]),
)

describe.each(files)('%s', (name) => {
  test.each(recordedIn(name).map((recorded) => [JSON.stringify(recorded.request), recorded] as const))(
    '%s',
    async (_title, { request, status, body }) => {
      const difference = differences.get(JSON.stringify(request))
      const answered = await answer(reader, request)
      expect(answered).toEqual({ status, body: difference?.body ?? body })
      if (difference !== undefined) expect(answered.body).not.toBe(body)
    },
  )
})

test('at least 150 statements are recorded', () => {
  expect(files.flatMap(recordedIn).length).toBeGreaterThan(150)
})
