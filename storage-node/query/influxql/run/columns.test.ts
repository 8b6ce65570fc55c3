import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Value } from '../../result.ts'
import { rowsOf, Table } from '../../table.ts'
import { answer, contextOf } from '../../testing/answer.ts'
import { MemoryReader } from '../../testing/memory-reader.ts'
import { parseQuery, runQuery } from '../query.ts'
import { tries } from '../../../../test/support/tries.ts'

// Attacks the promise that a SELECT read column by column answers as when every row is made for itself: with fields and
// tags missing, equal times in several series, several blocks, conditions of any kind, and answers in parts.

const field = fc.oneof(
  fc.constantFrom('f=-0', 'f=0.5', 'f=1', 'f=2', 'f=1e300', 'f=-3'),
  fc.constantFrom('i=-1i', 'i=0i', 'i=9007199254740993i', 'u=18446744073709551615u', 'u=1u'),
  fc.constantFrom('s="a"', 's="é<\\"\\n"', 's=""', 'b=true', 'b=false', 'r="x"', 'r="y"'),
)
const line = fc
  .tuple(
    fc.constantFrom('m', 'm', 'm', 'other'),
    fc.constantFrom(
      '',
      ',t=1',
      ',t=a',
      ',t=a,host=b',
      ',t=b,host=a',
      ',host=a|b',
      ',host=a,t=b|c',
      ',host=a|b,t=c',
    ),
    fc.uniqueArray(field, { minLength: 1, maxLength: 5, selector: (text) => text[0] }),
    fc.oneof(fc.integer({ min: -5, max: 20 }), fc.constantFrom(4_294_967_295, 4_294_967_296, -4_294_967_297)),
  )
  .map(([measurement, tags, fields, time]) => `${measurement}${tags} ${fields.join(',')} ${time}`)

const statement = fc
  .record({
    columns: fc.constantFrom(
      'f',
      'f, i, s',
      'host, f, t',
      'f, u, b, r',
      'f, host, t, s, f',
      'a, f, r::tag',
      '*',
    ),
    from: fc.constantFrom('m', 'm', '/./'),
    where: fc.constantFrom(
      '',
      ' WHERE f > 0.5',
      " WHERE i >= 0 AND s != 'a'",
      " WHERE f > 0 OR t = 'a'",
      " WHERE t = 'a' AND b = true",
      ' WHERE time > 2 AND f + 1 > 1.5',
      " WHERE host =~ /a/ AND (f <= 1 AND r = 'x')",
    ),
    group: fc.constantFrom('', ' GROUP BY t', ' GROUP BY *', ' GROUP BY host, t', ' GROUP BY host, host'),
    order: fc.constantFrom('', ' ORDER BY time DESC'),
    limit: fc.constantFrom(
      '',
      ' LIMIT 1',
      ' LIMIT 3 OFFSET 1',
      ' OFFSET 2',
      ' LIMIT 2 SLIMIT 1',
      ' SLIMIT 1 SOFFSET 1',
    ),
  })
  .map(({ columns, from, where, group, order, limit }) => ({
    columns,
    rest: ` FROM ${from}${where}${group}${order}${limit}`,
  }))

async function parts(reader: MemoryReader, q: string, chunkSize: number) {
  const all = []
  for await (const { series, partial, error } of runQuery(
    parseQuery(q, {}),
    contextOf(reader, { chunkSize }),
  )) {
    const read = series.map(({ name, tags, rows, partial: cut }) => ({
      name,
      tags: tags && [...tags],
      cut,
      rows: rowsOf({ rows }),
      byColumns: rows instanceof Table,
    }))
    all.push({ read, partial, error })
  }
  return all
}

/** The same SELECT with a column that has to be worked out, which is taken away again. */
async function rowByRow(reader: MemoryReader, columns: string, rest: string, chunkSize: number) {
  const all = await parts(reader, `SELECT ${columns}, f * 2 AS twice${rest}`, chunkSize)
  return all.map(({ read, ...part }) => ({
    ...part,
    read: read.map(({ rows, byColumns, ...series }) => {
      expect(byColumns).toBe(false)
      return { ...series, byColumns: true, rows: rows.map((row): readonly Value[] => row.slice(0, -1)) }
    }),
  }))
}

test('columns give what rows give', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 60 }),
      fc.array(statement, { minLength: 1, maxLength: 6 }),
      fc.constantFrom(1, 2, 5, 10_000),
      async (lines, statements, chunkSize) => {
        const reader = new MemoryReader(['m f=1,i=1i,s="",b=true,r="x",u=1u 30', ...lines].join('\n'), 3)
        for (const { columns, rest } of statements) {
          const byRows = await rowByRow(reader, columns, rest, chunkSize)
          const byColumns = await parts(reader, `SELECT ${columns}${rest}`, chunkSize)
          const isPlain = rest.includes('host, host')
            ? !/ (LIMIT|OFFSET)/.test(rest)
            : !/(?<! LIMIT \d+) OFFSET/.test(rest)
          expect(byColumns).toEqual(
            isPlain
              ? byRows
              : byRows.map((part) => ({
                  ...part,
                  read: part.read.map((series) => ({ ...series, byColumns: false })),
                })),
          )
        }
      },
    ),
    tries(60),
  )
})

test.each(['json', 'pretty', 'csv', 'chunked'])('as %s, too', async (form) => {
  const lines = Array.from({ length: 40 }, (_, n) =>
    [`m,host=h${n % 3} f=${n / 8},s="é<${n}" ${n}`, `m,t=x i=${n}i,b=true,f=-0 ${n}`].join('\n'),
  )
  const reader = new MemoryReader(lines.join('\n'))
  const parameters = {
    ...(form === 'pretty' && { pretty: 'true' }),
    ...(form === 'chunked' && { chunked: 'true', chunk_size: '7' }),
  }
  const ask = async (q: string) => (await answer(reader, { q, parameters, csv: form === 'csv' })).body
  const { body } = await answer(reader, {
    q: 'SELECT f, s, i, host, t, b, f * 1 FROM m',
    parameters,
    csv: form === 'csv',
  })
  const byColumns = await ask('SELECT f, s, i, host, t, b, f AS f_1 FROM m')
  expect(byColumns).toBe(body)
  expect(byColumns.length).toBeGreaterThan(1_000)
})
