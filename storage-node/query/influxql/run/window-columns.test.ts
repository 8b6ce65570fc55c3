import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { HeldBytes } from '../../held-bytes.ts'
import { rowsOf, Table } from '../../table.ts'
import { answer, contextOf } from '../../testing/answer.ts'
import { MemoryReader } from '../../testing/memory-reader.ts'
import { parseQuery, runQuery } from '../query.ts'
import { WindowTables } from './window-table.ts'
import { tries } from '../../../../test/support/tries.ts'

// Attacks the promise that functions over windows whose answer is made column by column say to the last bit what rows of
// points say: several series a group with equal values and times, rounding sums, fields missing, every way to fill,
// both directions, limits, and answers in parts.

const field = fc.oneof(
  fc.constantFrom('f=-0', 'f=0', 'f=0.1', 'f=1e300', 'f=-1e300', 'f=3', 'g=0.7', 'g=-2.5'),
  fc.double({ noNaN: true, min: -1e3, max: 1e3 }).map((n) => `f=${n}`),
  fc.constantFrom('i=9223372036854775807i', 'i=-9223372036854775808i', 'i=0i', 'i=7i'),
  fc.constantFrom('u=18446744073709551615u', 'u=1u', 's="é"', 's="b"', 's=""', 'b=true', 'b=false'),
)
const line = fc
  .tuple(
    fc.constantFrom(
      '',
      ',host=a',
      ',host=b',
      ',host=c',
      ',host=a,rack=x',
      ',host=b,rack=x',
      ',host=a,rack=b|c',
    ),
    fc.uniqueArray(field, { minLength: 1, maxLength: 5, selector: (text) => text[0] }),
    fc.oneof(fc.integer({ min: -20, max: 90 }), fc.constantFrom(0, 5, 10, 30)),
  )
  .map(([tags, fields, seconds]) => `m${tags} ${fields.join(',')} ${seconds}000000000`)

const call = fc.constantFrom(
  ...['count', 'first', 'last'].flatMap((name) => ['f', 'i', 'b', 's', 'u'].map((key) => `${name}(${key})`)),
  ...['min', 'max'].flatMap((name) => ['f', 'i', 'b', 'u'].map((key) => `${name}(${key})`)),
  ...['sum', 'mean'].flatMap((name) => ['f', 'g', 'i', 'u'].map((key) => `${name}(${key})`)),
)
const statement = fc
  .record({
    calls: fc.array(call, { minLength: 1, maxLength: 4 }),
    range: fc.constantFrom('time >= -20s AND time < 60s', 'time >= -3s AND time <= 31s', 'time < 60s'),
    group: fc.constantFrom(
      'time(10s)',
      'time(7s, 3s), host',
      'time(30s), *',
      'time(60s), rack',
      'time(1s), host',
    ),
    fill: fc.constantFrom('', ' fill(none)', ' fill(previous)', ' fill(linear)', ' fill(0)', ' fill(-1.5)'),
    order: fc.constantFrom('', '', ' ORDER BY time DESC'),
    limit: fc.constantFrom(
      '',
      '',
      ' LIMIT 1',
      ' LIMIT 3 OFFSET 2',
      ' OFFSET 1',
      ' SLIMIT 1',
      ' LIMIT 2 SLIMIT 2',
    ),
  })
  .map(({ calls, range, group, fill, order, limit }) => ({
    columns: calls.join(', '),
    rest: ` FROM m WHERE ${range} GROUP BY ${group}${fill}${order}${limit}`,
  }))

async function parts(reader: MemoryReader, q: string, chunkSize: number) {
  const all = []
  let tables = 0
  for await (const { series, partial, error } of runQuery(
    parseQuery(q, {}),
    contextOf(reader, { chunkSize }),
  )) {
    tables += series.filter(({ rows }) => rows instanceof Table).length
    const read = series.map(({ name, tags, rows, partial: cut }) => ({
      name,
      tags: tags && [...tags],
      cut,
      rows: rowsOf({ rows }),
    }))
    all.push({ read, partial, error })
  }
  return { all, tables }
}

/** A field that is worked out keeps a SELECT from going by columns; it is taken away again. */
async function rowByRow(reader: MemoryReader, columns: string, rest: string, chunkSize: number) {
  const first = columns.split(', ')[0]!
  const { all, tables } = await parts(reader, `SELECT ${columns}, abs(${first}) AS more${rest}`, chunkSize)
  expect(tables).toBe(0)
  return all.map(({ read, ...part }) => ({
    ...part,
    read: read.map(({ rows, ...series }) => ({ ...series, rows: rows.map((row) => row.slice(0, -1)) })),
  }))
}

test('columns of windows give what rows of points give', async () => {
  let byColumns = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 80 }),
      fc.array(statement, { minLength: 1, maxLength: 6 }),
      fc.constantFrom(1, 2, 5, 10_000),
      async (lines, statements, chunkSize) => {
        const reader = new MemoryReader(
          ['m f=1,g=1,i=1i,s="",b=true,u=1u 30000000000', ...lines].join('\n'),
          3,
        )
        for (const { columns, rest } of statements) {
          const expected = await rowByRow(reader, columns, rest, chunkSize)
          const { all, tables } = await parts(reader, `SELECT ${columns}${rest}`, chunkSize)
          expect(all).toEqual(expected)
          byColumns += tables
        }
      },
    ),
    tries(100),
  )
  expect(byColumns).toBeGreaterThan(100)
})

test.each([
  'SELECT max(f) FROM m WHERE time >= 0s AND time < 60s GROUP BY time(10s)',
  'SELECT mean(f), count(i), last(s) FROM m WHERE time >= 0s AND time < 60s GROUP BY time(10s), host fill(previous)',
  'SELECT mean(f) FROM m WHERE time >= 0s AND time < 60s GROUP BY time(10s), host fill(linear) LIMIT 1',
  'SELECT sum(f), max(f) FROM m WHERE time >= 0s AND time < 60s GROUP BY time(10s), * fill(none)',
  'SELECT max(f) FROM m WHERE time < 60s GROUP BY time(10s) ORDER BY time DESC LIMIT 2',
])('%s goes by columns', async (q) => {
  const reader = new MemoryReader('m,host=a f=1,i=2i,s="x" 1000000000\nm,host=b f=0.5 22000000000')
  const { all, tables } = await parts(reader, q, 10_000)
  expect(tables).toBeGreaterThan(0)
  expect(all.flatMap(({ read }) => read)).toHaveLength(tables)
})

test.each(['json', 'pretty', 'csv', 'chunked'])('as %s, too', async (form) => {
  const lines = Array.from({ length: 60 }, (_, n) =>
    [`m,host=h${n % 3} f=${n / 8},s="é<${n}" ${n}000000000`, `m,host=x i=${n}i,b=true ${n}000000000`].join(
      '\n',
    ),
  )
  const reader = new MemoryReader(lines.join('\n'))
  const parameters = {
    ...(form === 'pretty' && { pretty: 'true' }),
    ...(form === 'chunked' && { chunked: 'true', chunk_size: '3' }),
  }
  const calls = 'mean(f) AS a, last(s) AS b, sum(i) AS c, max(b) AS d, count(f) AS e'
  const rest = 'FROM m WHERE time >= 0s AND time < 70s GROUP BY time(10s), host'
  const ask = async (fields: string) =>
    (await answer(reader, { q: `SELECT ${fields} ${rest}`, parameters, csv: form === 'csv' })).body
  const byColumns = await ask(`${calls}, max(i) AS z`)
  expect(byColumns).toBe(await ask(`${calls}, (max(i) + 0) AS z`))
  expect(byColumns.length).toBeGreaterThan(900)
})

const ranged = 'FROM m WHERE time >= 0s AND time < 90000s GROUP BY time(1s)'

test('a table that waits for others has no more rows than are asked for', async () => {
  const reader = new MemoryReader('m,host=a f=1 70000000000\nm,host=b f=2 80000000000000')
  const q = `SELECT max(f) ${ranged}, host LIMIT 2 OFFSET 69`
  const tables: Table[] = []
  for await (const { series } of runQuery(parseQuery(q, {}), contextOf(reader)))
    for (const { rows } of series) if (rows instanceof Table) tables.push(rows)
  expect(tables.map((table) => rowsOf({ rows: table }))).toEqual([
    [
      [69_000_000_000n, null],
      [70_000_000_000n, 1],
    ],
    [
      [69_000_000_000n, null],
      [70_000_000_000n, null],
    ],
  ])
  for (const { times, columns } of tables) {
    expect(times).toHaveLength(2)
    for (const column of columns)
      expect(column).toMatchObject({ values: { length: 2 }, present: { length: 2 } })
  }
})

const long = Array.from({ length: 300 }, (_, n) => `m s="${'x'.repeat(1_000)}",f=1 ${n}000000000`).join('\n')
test.each([
  ['many windows', `SELECT max(f) ${ranged}`, 1_600_000, 1_400_000],
  [
    'long strings',
    'SELECT last(s) FROM m WHERE time >= 0s AND time < 300s GROUP BY time(1s)',
    650_000,
    500_000,
  ],
])('%s count among what queries hold, and are given back', async (_, q, enoughBytes, limitBytes) => {
  const reader = new MemoryReader(long)
  const ask = async (bytes: number) => {
    const held = new HeldBytes(bytes)
    const errors: (string | null)[] = []
    for await (const { error } of runQuery(parseQuery(q, {}), contextOf(reader, { held }))) errors.push(error)
    expect(held.usedBytes).toBe(0)
    return errors.find((error) => error !== null) ?? null
  }
  expect(await ask(enoughBytes)).toBeNull()
  expect(await ask(limitBytes)).toMatch(/memory/)
})

test('what is older than all there was at the beginning makes no windows', async () => {
  class Growing extends MemoryReader {
    override timeRange = () => ({ minTimeNs: 30_000_000_000n, maxTimeNs: 40_000_000_000n })
  }
  const reader = new Growing('m f=1 1\nm f=2 30000000000\nm f=3 40000000000')
  for (const order of ['', ' ORDER BY time DESC']) {
    const q = `SELECT max(f) FROM m WHERE time < 50s GROUP BY time(10s)${order}`
    const { all, tables } = await parts(reader, q, 10_000)
    expect(tables).toBe(1)
    const rows = [
      [30_000_000_000n, 2],
      [40_000_000_000n, 3],
    ]
    expect(all[0]!.read[0]!.rows).toEqual(order === '' ? rows : rows.reverse())
  }
})

test('many windows of many series are merged in turns', () => {
  const count = 1_000
  const startsNs = Array.from({ length: count }, (_, n) => BigInt(n))
  const sums = startsNs.map(Number)
  const none = { min: null, max: null, first: null, last: null }
  const group = Array.from({ length: 64 }, (_, seriesId) => ({
    seriesId,
    startsNs,
    fields: [{ counts: Array<number>(count).fill(1), sums, ...none }],
  }))
  const tables = new WindowTables({
    calls: [{ name: 'sum', field: 0, stored: 'float', type: 'float' }],
    columns: [0],
    firstNs: 0n,
    lastNs: BigInt(count - 1),
    durationNs: 1n,
    ownStart: false,
    fill: { kind: 'null' },
    ascending: true,
    limit: 0,
    offset: 0,
  })
  const work = tables.of(group)
  let turns = 0
  let step = work.next()
  for (; !step.done; step = work.next()) turns++
  // Finding the rows, the order of the parts and the sums: each no more than 5,000 windows at a time.
  expect(turns).toBeGreaterThanOrEqual(3 * 12)
  expect(rowsOf({ rows: step.value! }).at(-1)).toEqual([999n, 64 * 999])
})
