import { expect, test } from 'vitest'
import { rowsOf } from '../../table.ts'
import { contextOf } from '../../testing/answer.ts'
import { MemoryReader } from '../../testing/memory-reader.ts'
import { parseQuery, runQuery } from '../query.ts'

/** Promise: an OFFSET alone leaves what InfluxDB 1.8.10 leaves, which depends on the shards: the answers are its own. */

const weekS = 604_800
/** Shards begin on Mondays. */
const firstS = 345_600
const hosts = { a: ['x', 'y'], b: ['x'] }
let value = 0
const lines = (['a', 'b'] as const).flatMap((measurement) =>
  [0, 1, 2].flatMap((week) =>
    Array.from({ length: measurement === 'a' ? 4 : 3 - week }, (_, n) =>
      hosts[measurement].map((host, h) => {
        const timeS = week * weekS + firstS + n * 10 + h
        return `${measurement},host=${host} v=${value++} ${timeS}000000000`
      }),
    ).flat(),
  ),
)
const reader = new MemoryReader(lines.join('\n'))

test.each<[string, readonly string[]]>([
  ['SELECT v FROM a OFFSET 2', ['a: 2 8 9 10 16 17 18']],
  ['SELECT v FROM a, b OFFSET 1', ['a: 1 8 9 16 17', 'b: 25 27 28 29']],
  ['SELECT v FROM /./ OFFSET 1', ['a: 1 8 9 16 17', 'b: 25 27 28 29']],
  ['SELECT v FROM a GROUP BY host OFFSET 1', ['a x: 2 8 10 16 18', 'a y: 3 9 11 17 19']],
  ['SELECT v FROM a ORDER BY time DESC OFFSET 2', ['a: 21 15 14 13 7 6 5']],
  ["SELECT v, host FROM a WHERE host = 'y' OFFSET 2", ['a: 5 9 11 13 17 19 21']],
  ['SELECT v FROM a OFFSET 7', ['a: 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23']],
  ['SELECT v FROM b OFFSET 9', []],
  ['SELECT v FROM a LIMIT 3 OFFSET 7', ['a: 7 8 9']],
  ['SELECT count(v) FROM (SELECT v FROM a OFFSET 2)', ['a: 7']],
  ['SELECT v FROM (SELECT v FROM a GROUP BY host OFFSET 1)', []],
  ['SELECT v FROM (SELECT v FROM a, b OFFSET 2) OFFSET 1', ['a: 8 9 10 16 17 18', 'b: 27 28 29']],
])('%s', async (q, expected) => {
  const answer: string[] = []
  for await (const { series, error } of runQuery(parseQuery(q, {}), contextOf(reader))) {
    expect(error).toBeNull()
    for (const { name, tags, rows } of series) {
      const host = tags?.get('host')
      answer.push(
        `${name}${host ? ` ${host}` : ''}: ${rowsOf({ rows })
          .map((row) => row[1])
          .join(' ')}`,
      )
    }
  }
  expect(answer).toEqual(expected)
})
