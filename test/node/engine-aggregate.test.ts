import { describe, expect, test } from 'vitest'
import { aggregateBlocks, aggregationOf } from '../../storage-node/aggregation/aggregate-blocks.ts'
import type { Measure, SeriesWindows, Statistic } from '../../storage-node/aggregation/series-windows.ts'
import type { Engine } from '../../storage-node/engine/engine.ts'
import type { AggregateRequest, FieldType } from '../../storage-node/engine/reader.ts'
import { databaseId, openEngine, temporaryFolder, write } from './engine-support.ts'

// Attacks the promise that windows made next to the files are those of the merged points, to the last bit: with files
// that overlap each other in part, points written again in later files and in the buffer, and fields missing.

/** A small seeded generator of whole numbers below a limit. */
function randomBelow(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return Math.floor(((state >>> 0) / 4_294_967_296) * limit)
  }
}

function lines(below: (limit: number) => number, count: number, fromS: number, spanS: number): string {
  return Array.from({ length: count }, () => {
    const fields = [
      `f=${below(1000) / 7}`,
      `whole=${below(100)}`,
      `i=${below(9)}i`,
      `b=${below(2) === 0}`,
      `s="${'abc'[below(3)]}"`,
    ]
    const chosen = fields.filter(() => below(3) > 0)
    return `m,host=h${below(40)} ${(chosen.length > 0 ? chosen : fields).join(',')} ${fromS + below(spanS)}000000000`
  }).join('\n')
}

const all: readonly Statistic[] = ['sum', 'min', 'max', 'first', 'last']
const types: Readonly<Record<string, FieldType>> = {
  f: 'float',
  whole: 'float',
  i: 'integer',
  b: 'boolean',
  s: 'string',
}
const measures: readonly Measure[] = [
  { field: 'whole', statistics: all },
  { field: 'nothing', statistics: [] },
  { field: 'f', statistics: all },
  { field: 'i', statistics: all },
  { field: 'b', statistics: ['min', 'max', 'first', 'last'] },
  { field: 's', statistics: ['first', 'last'] },
]

function requestOf(engine: Engine, changes: Partial<AggregateRequest>): AggregateRequest {
  return {
    databaseId,
    retentionPolicy: 'autogen',
    measurement: 'm',
    seriesIds: [...engine.series(databaseId, 'm')].map(({ id }) => id),
    minTimeNs: -(2n ** 63n) + 2n,
    maxTimeNs: 2n ** 63n - 2n,
    windowing: { durationNs: 0n, offsetNs: 0n },
    measures,
    countPoints: () => undefined,
    signal: AbortSignal.timeout(60_000),
    ...changes,
  }
}

async function gathered(windows: AsyncIterable<SeriesWindows>): Promise<readonly SeriesWindows[]> {
  const found: SeriesWindows[] = []
  for await (const each of windows) found.push({ ...each, fields: each.fields.map(withoutNothing) })
  return found
}

/** What is not counted is not looked at. */
function withoutNothing(field: SeriesWindows['fields'][number]): SeriesWindows['fields'][number] {
  const isEmpty = field.counts.every((count) => count === 0)
  return isEmpty ? { ...field, sums: null, min: null, max: null, first: null, last: null } : field
}

async function expectSame(engine: Engine, changes: Partial<AggregateRequest>): Promise<number> {
  let counted = 0
  const request = requestOf(engine, { ...changes, countPoints: (count) => (counted += count) })
  const fields = request.measures.map(({ field }) => field)
  const aggregation = aggregationOf(request, (field) => types[field] ?? null)
  let points = 0
  const merged = aggregateBlocks(
    engine.read({ ...request, fields }),
    aggregation,
    (count) => (points += count),
  )
  expect(await gathered(engine.aggregate(request))).toEqual(await gathered(merged))
  expect(counted).toBe(points)
  return points
}

const minuteNs = 60_000_000_000n
const sNs = 1_000_000_000n

describe('windows of an engine', () => {
  test('are those of its merged points', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path, { memoryLimitBytes: 1024 * 1024 * 1024 })
    const below = randomBelow(7)
    // Two that follow each other with one second in common, one of another time, one over all of it, and the buffer.
    const parts = [
      [0, 601],
      [600, 600],
      [90_000, 600],
      [300, 700],
      [1_100, 300],
    ] as const
    for (const [index, [fromS, spanS]] of parts.entries()) {
      for (let batch = 0; batch < 4; batch++) await write(engine, lines(below, 2_500, fromS, spanS))
      if (index < 4) await engine.flush()
      const points = await expectSame(engine, { windowing: { durationNs: minuteNs, offsetNs: 7n * sNs } })
      expect(points).toBeGreaterThan(2_500)
      await expectSame(engine, {})
    }
    expect(engine.stats()).toMatchObject({ files: 4 })
    const ids = [...engine.series(databaseId, 'm')].map(({ id }) => id)
    for (let round = 0; round < 12; round++) {
      const fromS = BigInt(below(1_300))
      await expectSame(engine, {
        seriesIds: ids
          .filter(() => below(4) === 0)
          .reverse()
          .concat(ids[0]!)
          .filter((id, at, list) => list.indexOf(id) === at),
        minTimeNs: fromS * sNs,
        maxTimeNs: (fromS + BigInt(below(400))) * sNs,
        windowing: { durationNs: BigInt(1 + below(200)) * sNs, offsetNs: 0n },
        measures: measures
          .filter(() => below(2) === 0)
          .concat({ field: 'whole', statistics: ['sum'] })
          .filter(({ field }, at, list) => list.findIndex((one) => one.field === field) === at),
      })
    }
    await engine.close()
  })

  test('end with the signal, and with what counting throws', async () => {
    await using folder = await temporaryFolder()
    const engine = await openEngine(folder.path)
    await write(engine, lines(randomBelow(1), 2_000, 0, 600))
    await engine.flush()
    const stop = new AbortController()
    stop.abort(new Error('no more'))
    await expect(gathered(engine.aggregate(requestOf(engine, { signal: stop.signal })))).rejects.toThrow(
      'no more',
    )
    const tooMany = (): never => {
      throw new Error('too many')
    }
    await expect(gathered(engine.aggregate(requestOf(engine, { countPoints: tooMany })))).rejects.toThrow(
      'too many',
    )
    await expectSame(engine, {})
    await engine.close()
  })
})
