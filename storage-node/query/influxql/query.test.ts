import { describe, expect, test } from 'vitest'
import { AppError } from '../../../common/errors.ts'
import type { StatementResult } from '../result.ts'
import type { Reader } from '../../engine/reader.ts'
import { HeldBytes } from '../held-bytes.ts'
import { contextOf } from '../testing/answer.ts'
import { rowsOf } from '../table.ts'
import { MemoryReader } from '../testing/memory-reader.ts'
import type { CatalogCommands, QueryContext } from './context.ts'
import { needsOf, parseQuery, runQuery } from './query.ts'

// Attacks the promises that no query passes its limits, that nothing runs that the caller may not run, and that a
// statement that fails says why and stops those behind it.

const lines = Array.from({ length: 100 }, (_, i) => `cpu,host=h${i % 4} v=${i} ${i * 1_000_000_000}`).join(
  '\n',
)
const reader = new MemoryReader(lines)

async function run(text: string, changes: Partial<QueryContext> = {}): Promise<readonly StatementResult[]> {
  const results: StatementResult[] = []
  for await (const result of runQuery(parseQuery(text, {}), contextOf(reader, changes))) results.push(result)
  return results
}

/** A SELECT of `field` around as many others as `depth` says. */
const nested = (depth: number, field: string): string =>
  `${`SELECT ${field} FROM (`.repeat(depth)}SELECT ${field} FROM cpu${')'.repeat(depth)}`

const limits = contextOf(reader).limits
const errorOf = async (
  text: string,
  changes: Partial<QueryContext> = {},
): Promise<string | null | undefined> => (await run(text, changes)).at(-1)?.error

const tooManyReads = (limit: number, what = 'measurements'): string =>
  `max-select-reads limit exceeded: SELECT reads ${what} more than ${limit} times`

describe('limits', () => {
  test.each([
    ['series', 'SELECT v FROM cpu', { maxSeries: 3 }, 'max-select-series limit exceeded: (4/3)'],
    ['points', 'SELECT mean(v) FROM cpu', { maxPoints: 50 }, 'max-select-point limit exceeded: (57/50)'],
    ['rows', 'SELECT v FROM cpu', { maxRows: 99 }, 'max-select-rows limit exceeded: (100/99)'],
    [
      'windows of a range',
      'SELECT mean(v) FROM cpu WHERE time >= 0s AND time < 100s GROUP BY time(1s)',
      { maxBuckets: 99 },
      'max-select-buckets limit exceeded: (100/99)',
    ],
    [
      'windows from the first point on',
      'SELECT mean(v) FROM cpu WHERE time < 100s GROUP BY time(1ms)',
      { maxBuckets: 1_000 },
      'max-select-buckets limit exceeded: (1001/1000)',
    ],
    ['columns', 'SELECT *, v FROM cpu', { maxColumns: 3 }, 'max-select-columns limit exceeded: (4/3)'],
    [
      'columns of a subquery',
      'SELECT v FROM (SELECT *, v FROM cpu)',
      { maxColumns: 2 },
      'max-select-columns limit exceeded: (3/2)',
    ],
    ['values', 'SELECT v, v, v FROM cpu', { maxCells: 399 }, 'max-select-values limit exceeded: (400/399)'],
    ['reads by source', 'SELECT v FROM cpu, cpu, cpu', { maxReads: 2 }, tooManyReads(2)],
    ['reads by function', 'SELECT max(v), min(v), sum(v) FROM cpu', { maxReads: 2 }, tooManyReads(2)],
    [
      'reads by functions of functions',
      'SELECT max(a), min(b) FROM (SELECT max(v) AS a, min(v) AS b FROM cpu, cpu)',
      { maxReads: 7 },
      tooManyReads(7),
    ],
    [
      'reads of one column',
      'SELECT max(v), percentile(v, 1) FROM (SELECT v FROM cpu), (SELECT v FROM cpu)',
      { maxReadsOfColumn: 3 },
      tooManyReads(3, 'one column'),
    ],
  ])('%s', async (_what, text, change, error) => {
    expect(await errorOf(text, { limits: { ...limits, ...change } })).toBe(error)
    expect(await errorOf('SELECT v FROM cpu LIMIT 1', {})).toBeNull()
  })

  test.each([
    'SELECT v FROM ends GROUP BY host ORDER BY time DESC LIMIT 1',
    'SELECT last(v) FROM ends GROUP BY host',
  ])('points that are looked at before more of the range is read count once: %s', async (text) => {
    const late = Array.from({ length: 100 }, (_, i) => `ends,host=late v=${i} ${1_000 + i}000000000`)
    const ends = new MemoryReader(['ends,host=early v=0 0', ...late].join('\n'))
    const error = (maxPoints: number): Promise<string | null | undefined> =>
      errorOf(text, { reader: ends, limits: { ...limits, maxPoints } })
    expect(await error(101)).toBeNull()
    expect(await error(100)).toMatch(/^max-select-point limit exceeded/)
  })

  test.each([
    ['points', 'SELECT v FROM cpu', 3_600],
    ['points backwards', "SELECT v FROM cpu WHERE host = 'h0' ORDER BY time DESC", 900],
    ['the first points', 'SELECT v FROM cpu LIMIT 10', 2_896],
    ['windows', 'SELECT mean(v) FROM cpu WHERE time >= 0s AND time < 100s GROUP BY time(10s)', 6_010],
    ['windows of points', 'SELECT max(v), v FROM cpu WHERE v >= 0', 2_576],
    [
      'points of windows',
      'SELECT median(v) FROM cpu WHERE time >= 0s AND time < 100s GROUP BY time(10s)',
      3_600,
    ],
    ['values of one window', "SELECT median(v) FROM cpu WHERE host = 'h0'", 1_600],
    ['values that differ', "SELECT distinct(v) FROM cpu WHERE host = 'h0'", 6_750],
    ['the largest values', "SELECT top(v, 5) FROM cpu WHERE host = 'h0'", 1_750],
  ])('memory for series that are merged, and it is given back: %s', async (_what, text, bytes) => {
    const enough = new HeldBytes(bytes)
    expect(await errorOf(text, { held: enough })).toBeNull()
    const little = new HeldBytes(bytes - 1)
    expect(await errorOf(text, { held: little })).toMatch(
      /^the query merges more points than there is memory for/,
    )
    expect([enough.usedBytes, little.usedBytes]).toEqual([0, 0])
  })

  test.each([
    'SELECT v FROM cpu',
    'SELECT count(v) FROM cpu GROUP BY host LIMIT 1',
    "SELECT last(v) FROM cpu WHERE host != 'none'",
    'SHOW SERIES',
    "SHOW SERIES WHERE host != 'none'",
  ])('of very many series no more are made than there is memory for: %s', async (text) => {
    let made = 0
    const many: Reader = {
      measurements: () => reader.measurements().filter(({ name }) => name === 'cpu'),
      generation: () => reader.generation(),
      *series(_databaseId, measurement) {
        for (; made < 1_000_000; made++)
          yield { id: made, measurement, tags: new Map([['host', `h${made}`]]) }
      },
      async *read() {},
    }
    const held = new HeldBytes(1_000_000)
    expect(await errorOf(text, { reader: many, held })).toMatch(
      text.startsWith('SHOW') ? /^SHOW keeps more .* FROM or WHERE/ : /more points than there is memory for/,
    )
    expect(made).toBeLessThan(10_000)
    expect(held.usedBytes).toBe(0)
  })

  test('a query holds no more than it may have of what is shared, and gives all of it back', async () => {
    const shared = new HeldBytes(10_000)
    const text = "SELECT median(v) FROM cpu WHERE host = 'h0'"
    expect(await errorOf(text, { held: new HeldBytes(1_600, shared) })).toBeNull()
    expect(await errorOf(text, { held: new HeldBytes(1_599, shared) })).toMatch(/^the query merges/)
    shared.take(10_000 - 1_599)
    expect(await errorOf(text, { held: new HeldBytes(1_600, shared) })).toMatch(/^the query merges/)
    expect(shared.usedBytes).toBe(10_000 - 1_599)
  })

  test('what one query holds another cannot have', async () => {
    const held = new HeldBytes(3_601)
    const first = runQuery(parseQuery('SELECT v FROM cpu', {}), contextOf(reader, { held, chunkSize: 1 }))
    await first.next()
    held.take(1)
    expect(await errorOf('SELECT v FROM cpu', { held })).toMatch(/^the query merges/)
    await first.return(undefined)
    expect(held.usedBytes).toBe(1)
  })

  test.each([
    { functions: 40, windows: 10, batches: 1 },
    { functions: 100, windows: 1_000, batches: 2 },
  ])(
    'of many functions each brings fewer points at a time, and others have their turn between them: $functions',
    async ({ functions, windows, batches }) => {
      const fields = Array.from({ length: functions }, (_, n) => `f${n}`)
      const wide = new MemoryReader(`wide ${fields.map((field) => `${field}=1`).join()} 5000000000`)
      const calls = fields.map((field) => `max(${field}) + 1`).join()
      let turns = 0
      const endTurn = () => {
        turns++
        return null
      }
      const range = `time >= 0s AND time < ${windows}0s`
      const text = `SELECT ${calls} FROM wide WHERE ${range} GROUP BY time(10s)`
      expect(await errorOf(text, { reader: wide, endTurn })).toBeNull()
      expect(turns).toBeGreaterThanOrEqual(functions * batches)
    },
  )

  test('a query nested without end does not end the process', () => {
    const deep = `SELECT v FROM cpu WHERE ${'('.repeat(100_000)}`
    expect(() => parseQuery(deep, {})).toThrow('nested deeper')
    const wide = `SELECT v FROM cpu WHERE v = 1${' OR v = 1'.repeat(10_000)}`
    expect(() => parseQuery(wide, {})).toThrow('operators')
  })

  test.each([
    ['characters', `SELECT v FROM cpu --${' '.repeat(500_000)}`, 'longer than 500000 characters'],
    ['statements', 'SHOW DATABASES;'.repeat(1_001), 'more than 1000 statements'],
    ['fields', `SELECT v${',v'.repeat(1_000)} FROM cpu`, 'SELECT has more than 1000 fields'],
    ['sources', `SELECT v FROM cpu${',cpu'.repeat(500)}`, 'FROM has more than 500 sources'],
    ['subqueries', nested(20, 'v'), 'subqueries are nested deeper than 20 levels'],
  ])('a text with too many %s is refused', (_what, text, error) => {
    expect(() => parseQuery(text, {})).toThrow(error)
  })

  test('a name that is nowhere, twice at every level of subqueries, is looked for once a level', async () => {
    expect(await errorOf(nested(19, 'x + x + x AS x'))).toBeNull()
  })

  test('a query at the limits of its text runs', async () => {
    expect((await run(`SELECT v${',v'.repeat(999)} FROM cpu`))[0]?.series[0]?.columns).toHaveLength(1_001)
    expect(await run('SHOW DATABASES;'.repeat(1_000))).toHaveLength(1_000)
    expect((await run(nested(19, 'v')))[0]?.series[0]?.rows).toHaveLength(100)
  })

  test('parts of wide rows are cut by values, so that none is too large to be in memory', async () => {
    const results = await run(`SELECT v${',v'.repeat(998)} FROM wide`, {
      reader: new MemoryReader(Array.from({ length: 600 }, (_, i) => `wide v=${i} ${i}`).join('\n')),
    })
    const series = results.map((result) => result.series[0]!)
    expect(series.map(({ rows, partial }) => [rows.length, partial])).toEqual([
      [250, true],
      [250, true],
      [100, false],
    ])
  })

  test('a wide query that is allowed runs', async () => {
    const wide = `SELECT count(v) FROM cpu WHERE v = 1${' OR v = 2'.repeat(1_900)}`
    expect((await run(wide))[0]?.series[0]?.rows).toEqual([[0n, 2n]])
  })
})

test('functions of different columns are no repeated reads of one', async () => {
  const fields = Array.from({ length: 60 }, (_, i) => `f${i}=${i}`).join()
  const results = await run('SELECT mean(*) FROM wide', { reader: new MemoryReader(`wide ${fields} 1`) })
  expect(rowsOf(results[0]!.series[0]!)[0]).toHaveLength(61)
})

describe('stopping', () => {
  test('an aborted query throws the reason', async () => {
    const stop = new AbortController()
    stop.abort(new Error('client left'))
    await expect(run('SELECT v FROM cpu', { signal: stop.signal })).rejects.toThrow('client left')
  })

  test('a reason for the client becomes the error of the statement', async () => {
    const stop = new AbortController()
    stop.abort(new AppError('unavailable', 'ERR_QUERY_TIMEOUT', 'query-timeout limit exceeded'))
    expect(await errorOf('SELECT v FROM cpu', { signal: stop.signal })).toBe('query-timeout limit exceeded')
  })
})

test('a long query over data in memory lets other work run', async () => {
  const points = Array.from({ length: 60_000 }, (_, i) => `cpu v=${i} ${i}`).join('\n')
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  for await (const _ of runQuery(
    parseQuery('SELECT v FROM cpu', {}),
    contextOf(new MemoryReader(points, 1_000)),
  )) {
    // Reading is all that counts.
  }
  clearInterval(timer)
  expect(turns).toBeGreaterThan(0)
})

describe('permission', () => {
  test('a statement that is refused does not run, nor do those behind it', async () => {
    const made: string[] = []
    const commands: CatalogCommands = {
      ...contextOf(reader).commands,
      createDatabase: (name) => Promise.resolve(void made.push(name)),
    }
    const results = await run('CREATE DATABASE a; DROP DATABASE b; CREATE DATABASE c', {
      commands,
      authorize: ({ text }) => (text.startsWith('DROP') ? 'no' : null),
    })
    expect(results.map(({ error }) => error)).toEqual([null, 'no', 'not executed'])
    expect(made).toEqual(['a'])
  })

  test.each([
    ['SELECT v FROM cpu', [['read', 'd']]],
    [
      'SELECT v FROM a..cpu, b..cpu, (SELECT v FROM c..x)',
      [
        ['read', 'a'],
        ['read', 'b'],
        ['read', 'c'],
      ],
    ],
    [
      'SELECT v INTO e..m FROM cpu',
      [
        ['read', 'd'],
        ['write', 'e'],
      ],
    ],
    [
      'SHOW TAG VALUES ON x FROM y..cpu WITH KEY = host',
      [
        ['read', 'x'],
        ['read', 'y'],
      ],
    ],
    ['SHOW DATABASES', [['none']]],
    ['SHOW MEASUREMENTS', [['read', 'd']]],
    ['DROP DATABASE x', [['admin', 'databases']]],
    ['DELETE FROM cpu', [['write', 'd']]],
    ['DROP SERIES FROM cpu', [['write', 'd']]],
    ['DROP MEASUREMENT cpu', [['write', 'd']]],
    ['CREATE RETENTION POLICY p ON x DURATION 1d REPLICATION 1', [['admin', 'databases']]],
    ['SHOW SHARDS', [['admin', 'databases']]],
    ['SHOW QUERIES', [['read', 'd']]],
    ["CREATE USER u WITH PASSWORD 'p'", [['admin', 'users']]],
    ['DROP USER u', [['admin', 'users']]],
    ["SET PASSWORD FOR u = 'p'", [['admin', 'users']]],
    ['GRANT READ ON d TO u', [['admin', 'users']]],
    ['GRANT ALL TO u', [['admin', 'users']]],
    ['REVOKE ALL PRIVILEGES FROM u', [['admin', 'users']]],
    ['SHOW USERS', [['admin', 'users']]],
    ['SHOW GRANTS FOR u', [['admin', 'users']]],
  ])('%s', (text, needs) => {
    const found = needsOf(parseQuery(text, {}), 'd').map(({ text: _text, ...rest }) => Object.values(rest))
    expect(found).toEqual(needs)
  })

  test('no password stands in what a statement is called', () => {
    const text = "CREATE USER u WITH PASSWORD 'secret'; SET PASSWORD FOR u = 'secret'"
    expect(
      needsOf(parseQuery(text, {}), null)
        .map((needs) => needs.text)
        .join(),
    ).not.toContain('secret')
  })
})

test.each(['SELECT v INTO x FROM cpu', 'EXPLAIN SELECT v FROM cpu', 'SHOW USERS', 'KILL QUERY 1'])(
  'what does not run says so: %s',
  async (text) => {
    expect(await errorOf(text)).toMatch(/is not supported yet$/)
  },
)

test('statements that change something answer with a warning when asked by GET', async () => {
  const [result] = await run('CREATE DATABASE "e f" WITH DURATION 1h30m', { readOnly: true })
  expect(result?.messages).toEqual([
    {
      level: 'warning',
      text: `deprecated use of 'CREATE DATABASE "e f" WITH DURATION 1h30m0s' in a read only context, please use a POST request instead`,
    },
  ])
})
