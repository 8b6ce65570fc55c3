import { describe, expect, test } from 'vitest'
import type { DeleteRequest } from '../../engine/delete.ts'
import { contextOf } from '../testing/answer.ts'
import { MemoryReader } from '../testing/memory-reader.ts'
import { parseQuery, runQuery } from './query.ts'

/** Promise: a delete asks the engine for what its statement says: that and no more; and nothing where it fails. */

const reader = new MemoryReader('m,t=a v=1 1\nm,t=b v=2 2\nn,t=a v=3 3\nn v=4 4\no v=5 5')
const databaseId = '0123456789abcdef'
const first = -(2n ** 63n)
const last = 2n ** 63n - 1n

async function run(text: string, database = 'd'): Promise<[DeleteRequest[], (string | null)[]]> {
  const asked: DeleteRequest[] = []
  const context = contextOf(reader, {
    database,
    deletions: {
      databaseId: (name) => (name === 'd' ? databaseId : null),
      delete: async (request) => void asked.push(request),
    },
  })
  const errors: (string | null)[] = []
  for await (const { error } of runQuery(parseQuery(text, {}), context)) errors.push(error)
  return [asked, errors]
}

describe('what is asked for', () => {
  test.each<[string, string | null, readonly number[] | null, bigint, bigint]>([
    ['DELETE FROM m', 'm', null, first, last],
    ['DROP SERIES FROM m', 'm', null, first, last],
    ['DROP MEASUREMENT m', 'm', null, first, last],
    ['DROP MEASUREMENT nosuch', 'nosuch', null, first, last],
    ['DELETE WHERE time < 3', null, null, first, 2n],
    ['DELETE FROM m WHERE time >= 1 AND time <= 2', 'm', null, 1n, 2n],
    ['DELETE WHERE time > now()', null, null, 1_767_225_600_000_000_001n, last],
    ["DELETE WHERE t = 'a'", null, [0, 2], first, last],
    ["DELETE WHERE t = 'b' AND time = 2", 'm', [1], 2n, 2n],
    ["DROP SERIES WHERE t = ''", null, [3, 4], first, last],
    ["DELETE FROM n WHERE t != 'a'", 'n', [3], first, last],
    ['DELETE FROM m, o', null, [0, 1, 4], first, last],
    ['DELETE FROM /^[no]$/', null, [2, 3, 4], first, last],
    ['DELETE FROM m WHERE t =~ /a|b/', 'm', [0, 1], first, last],
  ])('%s', async (text, measurement, seriesIds, minTimeNs, maxTimeNs) => {
    const request = { databaseId, retentionPolicy: null, measurement, seriesIds, minTimeNs, maxTimeNs }
    const named = { ...request, generation: reader.generation() }
    expect(await run(text)).toEqual([[seriesIds === null ? request : named], [null]])
  })
})

test.each([
  'DELETE FROM /nosuch/',
  "DELETE WHERE t = 'nosuch'",
  'DELETE FROM m WHERE false',
  'DELETE WHERE time > 2 AND time < 2',
])('%s asks for nothing', async (text) => {
  expect(await run(text)).toEqual([[], [null]])
})

test.each([
  ['DELETE FROM m WHERE v = 1', 'fields not supported in WHERE clause during deletion'],
  ["DELETE WHERE t = 'a' AND v > 1", 'fields not supported in WHERE clause during deletion'],
  ["DELETE WHERE t < 'b'", 'invalid tag comparison operator'],
  ['DELETE FROM m WHERE v - 1', 'invalid tag comparison operator'],
  ["DELETE FROM m WHERE t = 'a' OR v - 1", 'invalid tag comparison operator'],
  ["DELETE FROM m WHERE (v + 1) AND t = 'a'", 'invalid tag comparison operator'],
  ['DROP SERIES FROM m WHERE time > 1', "DROP SERIES doesn't support time in WHERE clause"],
  ["DROP SERIES FROM m WHERE (t = 'a' AND time > 1)", "DROP SERIES doesn't support time in WHERE clause"],
  [
    "DELETE FROM m WHERE time > 'x'",
    'invalid operation: time and *influxql.StringLiteral are not compatible',
  ],
  ['DELETE FROM m WHERE t', 'invalid condition expression: t'],
])('%s fails and asks for nothing', async (text, error) => {
  expect(await run(text)).toEqual([[], [error]])
})

test.each(['DELETE FROM m', 'DROP SERIES FROM m', 'DROP MEASUREMENT m'])(
  '%s needs a database that is there',
  async (text) => {
    expect(await run(text, 'nosuch')).toEqual([[], ['database not found: nosuch']])
    expect(await run(text, '')).toEqual([[], ['database not found: ']])
  },
)

test('by GET, all but DELETE warn', async () => {
  const texts = ["DELETE FROM m WHERE t = 'a'", "DROP SERIES FROM m WHERE t = 'a'", 'DROP MEASUREMENT "a b"']
  const context = contextOf(reader, { readOnly: true })
  const messages: string[] = []
  for await (const result of runQuery(parseQuery(texts.join(';'), {}), context))
    messages.push(result.messages.map(({ text }) => text).join())
  expect(messages).toEqual([
    '',
    "deprecated use of 'DROP SERIES FROM m WHERE t = 'a'' in a read only context, please use a POST request instead",
    `deprecated use of 'DROP MEASUREMENT "a b"' in a read only context, please use a POST request instead`,
  ])
})
