import { describe, expect, test } from 'vitest'
import type { QueryLimits } from '../context.ts'
import { rowsOf } from '../../table.ts'
import { contextOf } from '../../testing/answer.ts'
import { MemoryReader } from '../../testing/memory-reader.ts'
import { parseQuery, runQuery } from '../query.ts'

/** Promise: of the windows that a series lacks, no more are made than the answer has. */

const lines = Array.from({ length: 40 }, (_, n) => `m,host=h${n % 4} v=${n * n} ${n}000000007`)
const reader = new MemoryReader(lines.join('\n'))

async function seriesFor(q: string, limits: Partial<QueryLimits> = {}) {
  const context = contextOf(reader)
  const all = []
  for await (const { series, error } of runQuery(parseQuery(q, {}), {
    ...context,
    limits: { ...context.limits, ...limits },
  })) {
    if (error !== null) throw new Error(error)
    all.push(...series.map(({ tags, rows }) => ({ tags, rows: rowsOf({ rows }) })))
  }
  return all
}

describe.each(['null', 'previous', 'linear', '7'])('fill(%s)', (fill) => {
  test.each(['median(v)', 'max(v) + 1', 'mean(v), median(v)', 'max(v)'])('%s', async (fields) => {
    const q = `SELECT ${fields} FROM m WHERE time < 50s GROUP BY time(100ms), host fill(${fill})`
    const all = await seriesFor(q)
    expect(all.map(({ rows }) => rows.length)).toEqual([500, 490, 480, 470])
    const expected = all.map(({ tags, rows }) => ({ tags, rows: rows.slice(15, 17) }))
    // A series with more windows than this is an error.
    expect(await seriesFor(`${q} LIMIT 2 OFFSET 15`, { maxBuckets: 17 })).toEqual(expected)
    await expect(seriesFor(q, { maxBuckets: 469 })).rejects.toThrow('max-select-buckets')
  })
})
