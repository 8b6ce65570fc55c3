import { describe, expect, test } from 'vitest'
import type { Reader } from '../../engine/reader.ts'
import { HeldBytes } from '../held-bytes.ts'
import { rowsOf } from '../table.ts'
import { contextOf } from '../testing/answer.ts'
import type { QueryContext } from './context.ts'
import { parseQuery, runQuery } from './query.ts'

/**
 * Promise: however many series a measurement has, others have their turn while they are gone through, and no more of
 * them are in memory than the answer has to have.
 */

/** In no order: 7,919 has no factor in common with any count of a test. */
const hostOf = (id: number, count: number): string => `h${String((id * 7_919) % count).padStart(7, '0')}`

/**
 * @param onSeries told of each series that is made
 * @param measurements the first has so many series, others two
 */
function readerOf(
  count: number,
  onSeries: () => void = () => undefined,
  measurements: readonly string[] = ['m', 'n'],
): Reader {
  return {
    measurements: () =>
      measurements.map((name) => ({
        name,
        tagKeys: ['host', 'part'],
        fields: new Map([
          ['v', 'float'],
          [`in_${name}`, 'float'],
        ]),
      })),
    generation: () => null,
    *series(_databaseId, measurement) {
      for (let id = 0; id < (measurement === 'm' ? count : 2); id++) {
        onSeries()
        const tags = [
          ['host', hostOf(id, count)] as const,
          ...(id % 3 > 0 ? [['part', `p${id % 3}`] as const] : []),
        ]
        yield { id, measurement, tags: new Map(tags) }
      }
    },
    async *read({ seriesIds }) {
      const times = new BigInt64Array(1)
      for (const seriesId of seriesIds) if (seriesId % 2 === 0) yield { seriesId, times, columns: [null] }
    },
  }
}

async function rowsFor(
  text: string,
  changes: Partial<QueryContext>,
): Promise<readonly (readonly unknown[])[]> {
  const rows: (readonly unknown[])[] = []
  const context = contextOf(readerOf(0), { chunkSize: 1_000_000, ...changes })
  for await (const { series, error } of runQuery(parseQuery(text, {}), context)) {
    if (error !== null) throw new Error(error)
    rows.push(...series.flatMap(rowsOf))
  }
  return rows
}

describe('others have their turn', () => {
  const count = 20_000
  const step = 16

  test.each<[string, unknown]>([
    ['SHOW SERIES CARDINALITY', [[20_002n]]],
    ["SHOW SERIES EXACT CARDINALITY WHERE part = 'p1'", [[6_667n], [1n]]],
    ['SHOW TAG KEY CARDINALITY FROM n', [[2n]]],
    ["SHOW FIELD KEY EXACT CARDINALITY FROM m WHERE host = 'none'", []],
    ["SHOW MEASUREMENT EXACT CARDINALITY WHERE host = 'h0000000'", [[2n]]],
    ["SHOW MEASUREMENTS WHERE host = 'none'", []],
    ["SHOW TAG KEYS FROM m WHERE part = 'none'", []],
    [
      'SHOW TAG VALUES FROM m WITH KEY = part',
      [
        ['part', 'p1'],
        ['part', 'p2'],
      ],
    ],
    ['SHOW TAG VALUES EXACT CARDINALITY FROM m WITH KEY IN (host, part)', [[20_002n]]],
    ['SHOW SERIES FROM m LIMIT 1', [['m,host=h0000000']]],
    ["DELETE FROM m WHERE host = 'none'", []],
    ["SELECT v FROM m WHERE host = 'none'", []],
    ["SELECT count(v) FROM (SELECT v FROM m, n WHERE host = 'none')", []],
    ["SELECT count(v), mean(v) FROM m, n WHERE host = 'none'", []],
    ['SELECT in_n FROM m, n', []],
    ['SELECT in_n FROM /./ GROUP BY host', []],
    ['SELECT first(in_n) FROM /./', []],
    ['SELECT count(x) FROM (SELECT in_n AS x FROM /./)', []],
    ["SELECT host, in_m, in_n FROM /./ WHERE part = 'p1'", []],
    [
      "SELECT count(x) FROM (SELECT v AS x FROM m WHERE host = 'a'), (SELECT v AS x FROM m WHERE part = 'b')",
      [],
    ],
    ['SELECT count(x) FROM (SELECT v AS x FROM m SLIMIT 1), (SELECT v AS x FROM m), m', []],
    ['SELECT x FROM (SELECT v AS x FROM n GROUP BY part), (SELECT v AS x FROM m) GROUP BY host LIMIT 1', []],
    ['SELECT v FROM m', []],
    ['SELECT v FROM m GROUP BY host ORDER BY time DESC', []],
    ['SELECT count(v) FROM m GROUP BY part', []],
  ])('%s', async (text, expected) => {
    let made = 0
    let sinceTurn = 0
    let most = 0
    const reader = readerOf(count, () => {
      made++
      most = Math.max(most, ++sinceTurn)
    })
    const endTurn = () => {
      sinceTurn = 0
      return null
    }
    expect(await rowsFor(text, { reader, endTurn })).toEqual(expected)
    expect(made).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(step)
  })

  // Rounds in which so many, sixteen at first, grow to all.
  const roundsOf = (texts: number): number => Math.ceil(Math.log2(texts / step))

  test.each<[string, number]>([
    // Series are looked at; the texts are sorted and shown.
    ['SHOW TAG VALUES FROM m WITH KEY = host', count * (3 + roundsOf(count))],
    // The keys get their ids, and go to the page.
    ['SHOW SERIES FROM m', count * (4 + roundsOf(count))],
    // Those behind the first half go when all are there, before the half is sorted.
    [
      'SHOW SERIES FROM m LIMIT 10000',
      count * (2 + roundsOf(count)) + (count / 2) * (4 + roundsOf(count / 2)),
    ],
  ])('and while the answer is sorted: %s', async (text, looked) => {
    let turns = 0
    const endTurn = () => {
      turns++
      return null
    }
    await rowsFor(text, { reader: readerOf(count), endTurn })
    expect(turns).toBeGreaterThanOrEqual(looked / step)
  })

  test.each([
    'SELECT count(v) FROM m',
    'SELECT count(v) FROM m GROUP BY part',
    'SELECT v FROM m GROUP BY host',
    'SELECT median(v) FROM m',
    'SELECT first(v) FROM m GROUP BY host',
    'SELECT v FROM m ORDER BY time DESC LIMIT 1',
  ])('and between series that are read: %s', async (text) => {
    let turns = 0
    const endTurn = () => {
      turns++
      return null
    }
    await rowsFor(text, { reader: readerOf(count), endTurn })
    expect(turns).toBeGreaterThan(count)
  })

  test('and an abandoned statement ends at the next one', async () => {
    const stop = new AbortController()
    let made = 0
    const reader = readerOf(count, () => {
      if (++made === 1_000) stop.abort(new Error('the client went away'))
    })
    const endTurn = () => Promise.resolve()
    await expect(
      rowsFor("DELETE FROM m WHERE host = 'none'", { reader, endTurn, signal: stop.signal }),
    ).rejects.toThrow('went away')
    expect(made).toBeLessThan(1_000 + 2 * step)
  })
})

test.each([
  "SELECT v FROM m WHERE host = 'h0000000'",
  "SELECT x FROM (SELECT v AS x FROM m WHERE part = 'p1'), (SELECT v AS x FROM m WHERE part = 'p2')",
])('of a database that comes again meanwhile nothing is read by the old ids: %s', async (text) => {
  let generation = Symbol('old')
  let turns = 0
  let reads = 0
  const reader: Reader = {
    ...readerOf(600),
    generation: () => generation,
    async *read({ seriesIds }) {
      reads += seriesIds.length
      yield { seriesId: seriesIds[0]!, times: new BigInt64Array(1), columns: [null] }
    },
  }
  const comeAgainAt = (turn: number) => {
    turns = 0
    generation = Symbol('old')
    return () => {
      if (++turns === turn) generation = Symbol('new')
      return null
    }
  }
  await rowsFor(text, { reader, endTurn: comeAgainAt(Infinity) })
  expect(reads).toBeGreaterThan(0)
  reads = 0
  for (const turn of [1, 2, 5])
    expect(await rowsFor(text, { reader, endTurn: comeAgainAt(turn) })).toEqual([])
  expect(reads).toBe(0)
})

test('tag keys are looked for no longer than until all are found', async () => {
  let made = 0
  const reader = readerOf(20_000, () => made++)
  const text =
    "SHOW TAG KEYS FROM m WHERE host =~ /./; SHOW TAG KEY CARDINALITY FROM m; SHOW MEASUREMENTS WHERE part = 'p1'"
  expect(await rowsFor(text, { reader })).toEqual([['host'], ['part'], [2n], ['m'], ['n']])
  expect(made).toBeLessThan(1_000)
})

describe('SHOW SERIES keeps a page', () => {
  const count = 60_000
  const held = () => new HeldBytes(500_000)
  const key = (place: number): string[] => {
    const id = Number(placeToId.get(place))
    return [`m,host=${hostOf(id, count)}${id % 3 > 0 ? `,part=p${id % 3}` : ''}`]
  }
  const placeToId = new Map(Array.from({ length: count }, (_, id) => [(id * 7_919) % count, id]))

  test.each<[string, readonly (readonly string[])[]]>([
    ['SHOW SERIES LIMIT 2', [key(0), key(1)]],
    ['SHOW SERIES FROM m LIMIT 2 OFFSET 1000', [key(1_000), key(1_001)]],
    ['SHOW SERIES LIMIT 2 OFFSET 57000', [key(57_000), key(57_001)]],
    ['SHOW SERIES OFFSET 59999', [key(59_999), ['n,host=h0000000'], ['n,host=h0007919,part=p1']]],
    ['SHOW SERIES LIMIT 5 OFFSET 60001', [['n,host=h0007919,part=p1']]],
    ['SHOW SERIES OFFSET 60002', []],
    ["SHOW SERIES FROM m WHERE part = 'p1' LIMIT 1 OFFSET 1000", [key(3_002)]],
  ])('%s', async (text, expected) => {
    expect(await rowsFor(text, { reader: readerOf(count), held: held() })).toEqual(expected)
  })

  test('and goes through no more measurements than it needs', async () => {
    let made = 0
    await rowsFor('SHOW SERIES FROM n, m LIMIT 1', { reader: readerOf(count, () => made++) })
    expect(made).toBe(count)
  })

  describe('and goes through all series few times', () => {
    const many = 120_000
    test.each<[string, number, number]>([
      ['SHOW SERIES FROM m LIMIT 110000', 110_000, 1],
      ['SHOW SERIES FROM m WHERE time > 0 LIMIT 110000', 60_000, 2],
      ['SHOW SERIES FROM m WHERE time > 0 LIMIT 10', 10, 1],
      ['SHOW SERIES FROM m WHERE time > 0 LIMIT 10 OFFSET 59995', 5, 4],
    ])('%s', async (text, rows, passes) => {
      let made = 0
      const reader = readerOf(many, () => made++)
      expect(await rowsFor(text, { reader })).toHaveLength(rows)
      expect(made).toBe(passes * many)
    })

    test('where none has points, too', async () => {
      let made = 0
      const reader = { ...readerOf(many, () => made++), async *read() {} }
      expect(await rowsFor('SHOW SERIES FROM m WHERE time > 0 LIMIT 10', { reader })).toEqual([])
      expect(made).toBe(2 * many)
    })
  })

  test.each([
    ['SHOW SERIES FROM m WHERE time > 0', 8],
    ['SHOW SERIES FROM m WHERE time > 0 LIMIT 5', 150],
  ])('what waits for points counts: %s', async (text, bytes) => {
    const memory = new HeldBytes(10_000_000)
    const read: number[] = []
    const all = readerOf(600)
    const reader: Reader = {
      ...all,
      async *read(request) {
        read.push(memory.usedBytes)
        yield* all.read(request)
      },
    }
    await rowsFor(text, { reader, held: memory })
    expect(read).toHaveLength(1)
    expect(read[0]).toBeGreaterThanOrEqual(600 * bytes)
    expect(memory.usedBytes).toBe(0)
  })

  test('all of them are more than there is memory for, and nothing stays counted', async () => {
    const little = held()
    await expect(rowsFor('SHOW SERIES', { reader: readerOf(count), held: little })).rejects.toThrow(
      'SHOW keeps more series or tag values than there is memory for',
    )
    expect(little.usedBytes).toBe(0)
  })

  test('with a time, those that have points count', async () => {
    const reader = readerOf(600)
    const all = await rowsFor('SHOW SERIES WHERE time > 0', { reader })
    expect(all).toHaveLength(301)
    const text = 'SHOW SERIES WHERE time > 0 LIMIT 7 OFFSET 290'
    expect(await rowsFor(text, { reader })).toEqual(all.slice(290, 297))
  })
})

test.each([1, 2, 10, 5_000])('SHOW TAG VALUES LIMIT %s keeps as many values', async (limit) => {
  const wanted = 'SHOW TAG VALUES FROM m WITH KEY IN (host, part)'
  const all = await rowsFor(wanted, { reader: readerOf(20_000) })
  const held = new HeldBytes(2 * (limit + 3 + 256) * 72 + 200)
  const text = `${wanted} LIMIT ${limit} OFFSET 3`
  expect(await rowsFor(text, { reader: readerOf(20_000), held })).toEqual(all.slice(3, limit + 3))
  expect(held.usedBytes).toBe(0)
})

test('SHOW TAG VALUES of many measurements keeps what is looked for in one', async () => {
  const names = Array.from({ length: 30 }, (_, i) => `m${i}`)
  const reader: Reader = {
    ...readerOf(0, () => undefined, names),
    *series(databaseId, measurement) {
      for (const series of readerOf(2_000).series(databaseId, 'm')) yield { ...series, measurement }
    },
  }
  const held = new HeldBytes(2_000 * 72 + 30 * 72)
  const rows = await rowsFor('SHOW TAG VALUES WITH KEY = host LIMIT 1 OFFSET 1000', { reader, held })
  expect(rows).toEqual(names.map(() => ['host', 'h0001000']))
})

describe('an answer counts until its last part is taken, or nobody takes more', () => {
  test.each([
    ['SHOW SERIES', 2_000 * 150],
    ['SHOW TAG VALUES FROM m, n WITH KEY = host', 2_000 * 64],
  ])('%s', async (text, bytes) => {
    const held = new HeldBytes(10_000_000)
    const run = () => runQuery(parseQuery(text, {}), contextOf(readerOf(2_000), { held, chunkSize: 1_000 }))
    let parts = 0
    for await (const _ of run()) {
      parts++
      expect(held.usedBytes).toBeGreaterThan(bytes)
    }
    expect(parts).toBeGreaterThan(1)
    expect(held.usedBytes).toBe(0)
    for await (const _ of run()) break
    expect(held.usedBytes).toBe(0)
  })
})
