import { describe, expect, test } from 'vitest'
import type { ResultSeries, StatementResult } from '../result.ts'
import { encodeJson } from './json.ts'

// Attacks the promise that an answer is one well-formed document, whatever comes late.

const series = (rows: ResultSeries['rows'], partial = false): ResultSeries => ({
  name: 'm',
  tags: null,
  columns: ['time', 'v'],
  rows,
  timed: true,
  zone: null,
  partial,
})
const part = (changes: Partial<StatementResult>): StatementResult => ({
  statementId: 0,
  series: [],
  messages: [],
  partial: false,
  error: null,
  ...changes,
})

async function encode(parts: readonly StatementResult[], chunked = false): Promise<string> {
  const results = (async function* () {
    yield* parts
  })()
  const bytes: Uint8Array[] = []
  for await (const one of encodeJson(results, { epoch: 'ns', pretty: false, chunked }, () => null))
    bytes.push(one)
  return Buffer.concat(bytes).toString()
}

describe('errors', () => {
  test('a late error replaces the rows that have not left', async () => {
    const text = await encode([
      part({ series: [series([[1n, 1]])], partial: true }),
      part({ error: 'broken' }),
    ])
    expect(text).toBe('{"results":[{"statement_id":0,"error":"broken"}]}\n')
  })

  test('an error after a mebibyte stands behind the rows, and the document is whole', async () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => [BigInt(i), i] as const)
    const many = [
      part({ series: [series(rows, true)], partial: true }),
      part({ series: [series(rows, true)] }),
    ]
    const parsed = JSON.parse(await encode([...many, part({ error: 'broken' })])) as {
      readonly results: readonly {
        readonly error: string
        readonly series: readonly { readonly values: readonly unknown[] }[]
      }[]
    }
    expect(parsed.results[0]?.error).toBe('broken')
    expect(parsed.results[0]?.series[0]?.values.length).toBe(200_000)
  })
})

test('parts of one series are one series; only the last says whether more follows', async () => {
  const parts = [
    part({ series: [series([[1n, 1]], true)], partial: true }),
    part({ series: [series([[2n, 2n]])] }),
  ]
  expect(await encode(parts)).toBe(
    '{"results":[{"statement_id":0,"series":[{"name":"m","columns":["time","v"],"values":[[1,1],[2,2]]}]}]}\n',
  )
  expect((await encode(parts, true)).split('\n').length).toBe(3)
})

test('a part of more than a mebibyte is whole in its chunk, too', async () => {
  const rows = Array.from({ length: 200_000 }, (_, i) => [BigInt(i), i] as const)
  const chunks = (
    await encode([part({ series: [series(rows)] }), part({ series: [series([[1n, 1]])] })], true)
  )
    .trimEnd()
    .split('\n')
    .map((chunk) => JSON.parse(chunk).results[0].series[0].values.length as number)
  expect(chunks).toEqual([200_000, 1])
})

test.each([
  [1e30, '1e+30'],
  [1e-9, '1e-9'],
  [0.000001, '0.000001'],
  [-0, '-0'],
  [9_223_372_036_854_775_807n, '9223372036854775807'],
  [18_446_744_073_709_551_615n, '18446744073709551615'],
  [Infinity, 'null'],
  ['<a>&\u2028"\\\n', String.raw`"\u003ca\u003e\u0026\u2028\"\\\n"`],
])('%s is written as %s', async (value, json) => {
  expect(await encode([part({ series: [series([[1n, value]])] })])).toContain(`[1,${json}]`)
})

test('no statement at all is an empty object', async () => {
  expect(await encode([])).toBe('{}\n')
})

describe('a large part is encoded in steps, between which others have their turn', () => {
  const rows = Array.from({ length: 10_000 }, (_, row) => [BigInt(row), row / 8] as const)
  const large = part({ series: [series(rows, true), series(rows)], messages: [{ level: 'info', text: 'm' }] })

  test.each([[false], [true]])('chunked: %s', async (chunked) => {
    let turns = 0
    const endTurn = () => {
      turns++
      return null
    }
    const results = (async function* () {
      yield large
    })()
    const bytes: Uint8Array[] = []
    const options = { epoch: 'ns', pretty: false, chunked } as const
    for await (const one of encodeJson(results, options, endTurn)) bytes.push(one)
    const { results: answered } = JSON.parse(Buffer.concat(bytes).toString())
    expect(answered).toHaveLength(1)
    expect(answered[0].messages).toEqual([{ level: 'info', text: 'm' }])
    expect(answered[0].series).toHaveLength(1)
    expect(answered[0].series[0].values).toEqual([...rows, ...rows].map(([ns, value]) => [Number(ns), value]))
    expect(turns).toBeGreaterThanOrEqual(8)
  })
})
