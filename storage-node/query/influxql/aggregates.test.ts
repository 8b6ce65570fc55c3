import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Reader } from '../../engine/reader.ts'
import { answer, contextOf } from '../testing/answer.ts'
import { MemoryReader } from '../testing/memory-reader.ts'
import { parseQuery, runQuery } from './query.ts'
import { tries } from '../../../test/support/tries.ts'

// Attacks the promise that functions which the reader works out series by series answer exactly as when every point is
// looked at, and SELECTs that need only one end of their range as if all of it were read: with several blocks a series,
// fields missing, equal values, integers that wrap, and any form of SELECT.

const extremeFields = [
  'i=9223372036854775807i',
  'i=-9223372036854775808i',
  'f=-0',
  'f=0',
  'f=0.1',
  'f=1e300',
  'f=3',
]
const field = fc.oneof(
  fc.constantFrom(...extremeFields),
  fc.integer({ min: -3, max: 3 }).map((n) => `i=${n}i`),
  fc.double({ noNaN: true, min: -1e6, max: 1e6 }).map((n) => `f=${n}`),
  fc.boolean().map((flag) => `b=${flag}`),
  fc.constantFrom('a', 'b', 'c').map((text) => `s="${text}"`),
)
const line = fc
  .tuple(
    fc.constantFrom('m', 'other'),
    fc.constantFrom('', ',host=a', ',host=b', ',host=a,region=x', ',host=b,region=x'),
    fc.uniqueArray(field, { minLength: 1, maxLength: 4, selector: (text) => text[0] }),
    fc.integer({ min: -40, max: 400 }),
  )
  .map(
    ([measurement, tags, fields, seconds]) => `${measurement}${tags} ${fields.join(',')} ${seconds}000000000`,
  )

const call = fc.constantFrom(
  ...['count', 'first', 'last'].flatMap((name) => ['f', 'i', 'b', 's'].map((key) => `${name}(${key})`)),
  ...['min', 'max'].flatMap((name) => ['f', 'i', 'b'].map((key) => `${name}(${key})`)),
  ...['sum', 'mean', 'spread'].flatMap((name) => ['f', 'i'].map((key) => `${name}(${key})`)),
  'mean(i::float)',
  'count(nothing)',
  'derivative(mean(f), 10s)',
  'max(f) / count(i)',
)
const statement = fc
  .record({
    calls: fc.oneof(
      fc.array(call, { minLength: 1, maxLength: 4 }),
      fc.subarray(['last(f)', 'last(i)', 'last(s)'], { minLength: 1 }),
      fc.constantFrom(['*'], ['f', 'i'], ['s', 'region'], ['last(*)'], ['first(*)'], ['max(i)'], ['mean(*)']),
    ),
    source: fc.constantFrom(
      'm',
      '/./',
      'm, other',
      '(SELECT max(f) AS f, max(i) AS i FROM m GROUP BY time(30s), host)',
    ),
    where: fc.constantFrom('', " AND host = 'a'", ' AND f > 0', " AND (host = 'b' OR region = 'x')"),
    range: fc.constantFrom(
      'time < 500s',
      'time >= -50s AND time < 300s',
      'time >= -20s AND time <= 120s',
      'time >= 0s AND time < 390s',
    ),
    group: fc.constantFrom(
      '',
      'host',
      '*',
      'time(10s), *',
      'time(30s)',
      'time(60s, 7s), host',
      'time(100s), *',
    ),
    fill: fc.constantFrom('', ' fill(none)', ' fill(previous)', ' fill(0)'),
    order: fc.constantFrom('', ' ORDER BY time DESC'),
    limit: fc.constantFrom('', ' LIMIT 1', ' LIMIT 2', ' LIMIT 3 OFFSET 1', ' SLIMIT 1'),
  })
  .map(({ calls, source, where, range, group, fill, order, limit }) => {
    const from = range === 'time < 500s' && group.includes(',') ? 'time >= -90s AND time < 500s' : range
    const grouped = group === '' ? '' : ` GROUP BY ${group}${group.includes('time') ? fill : ''}`
    return `SELECT ${calls.join(', ')} FROM ${source} WHERE ${from}${where}${grouped}${order}${limit}`
  })

/** The same points, one by one and always all of them. */
const pointByPoint = (reader: MemoryReader): Reader => ({
  measurements: () => reader.measurements(),
  generation: () => reader.generation(),
  series: (databaseId, measurement) => reader.series(databaseId, measurement),
  read: (request) => reader.read(request),
})

describe('functions worked out by the reader', () => {
  test('answer as if every point were looked at', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 80 }),
        fc.array(statement, { minLength: 1, maxLength: 6 }),
        async (lines, statements) => {
          const reader = new MemoryReader(lines.join('\n'), 3)
          const request = { q: statements.join(';'), parameters: { epoch: 'ns' } }
          for (const q of statements)
            expect(await answer(reader, { ...request, q })).toEqual(
              await answer(pointByPoint(reader), { ...request, q }),
            )
        },
      ),
      tries(120),
    )
  })

  test('read once for all of them', async () => {
    const memory = new MemoryReader('m,host=a f=1,i=2i 1\nm,host=b f=3 2', 3)
    let reads = 0
    const reader: Reader = {
      ...pointByPoint(memory),
      timeRange: (...place) => memory.timeRange(...place),
      aggregate: (request) => {
        reads++
        return memory.aggregate(request)
      },
    }
    const statements = parseQuery(
      'SELECT mean(f), max(f), count(i), last(f) - first(f) FROM m WHERE time < 9s GROUP BY time(1s), host fill(none)',
      {},
    )
    const context = contextOf(reader)
    let series = 0
    for await (const result of runQuery(statements, context)) series += result.series.length
    expect({ reads, series }).toEqual({ reads: 1, series: 2 })
  })
})
