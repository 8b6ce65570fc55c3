import { describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../common/clock.ts'
import type { Block, Reader, ReadRequest } from '../engine/reader.ts'
import { fairReader } from './fair-reader.ts'
import { Turns } from './turns.ts'

const rows = 20_000
const numbers = Array.from({ length: rows }, (_, index) => index)
const big = numbers.map(BigInt)
/** Nothing is present in the second third of the floats. */
const present = Uint8Array.from(numbers, (index) => (index >= 8_192 && index < 16_384 ? 0 : 1))
const block: Block = {
  seriesId: 7,
  times: BigInt64Array.from(big),
  columns: [
    { type: 'float', values: Float64Array.from(numbers), present },
    { type: 'integer', values: BigInt64Array.from(big), present: null },
    { type: 'unsigned', values: BigUint64Array.from(big), present: null },
    { type: 'boolean', values: Uint8Array.from(numbers, (index) => index % 2), present: null },
    { type: 'string', values: numbers.map(String), present: null },
    null,
  ],
}

const engine = (blocks: readonly Block[]): Reader => ({
  measurements: () => [],
  generation: () => null,
  series: () => [],
  read: async function* () {
    yield* blocks
  },
})

const request = (signal: AbortSignal): ReadRequest => ({
  databaseId: '0',
  retentionPolicy: 'autogen',
  measurement: 'm',
  seriesIds: [7],
  fields: [],
  minTimeNs: 0n,
  maxTimeNs: 1n,
  signal,
})

/** A clock on which each look costs a turn. */
function slowClock(): Clock {
  let nowMs = 0
  return { ...systemClock, monotonicMs: () => (nowMs += 10) }
}

const mayRead = async () => {}

describe('a query has the same points in steps, and never the whole process', () => {
  test('the steps are the block', async () => {
    const parts: Block[] = []
    const reader = fairReader(engine([block]), new Turns(systemClock).end, mayRead)
    for await (const part of reader.read(request(new AbortController().signal))) parts.push(part)
    expect(parts.map(({ times }) => times.length)).toEqual([8_192, 8_192, 3_616])
    expect(parts.flatMap(({ times }) => [...times])).toEqual(big)
    expect(parts.map(({ columns }) => columns[0]?.present?.length ?? null)).toEqual([8_192, null, 3_616])
    for (const index of [1, 2, 3, 4]) {
      const values = parts.flatMap(({ columns }) => Array.from<unknown>(columns[index]!.values))
      expect(values).toEqual(Array.from<unknown>(block.columns[index]!.values))
    }
    expect(parts.map(({ columns }) => columns[5])).toEqual([null, null, null])
  })

  test('a small block is passed on as it is', async () => {
    const small = { ...block, times: block.times.subarray(0, 5), columns: [] }
    for await (const part of fairReader(engine([small]), new Turns(systemClock).end, mayRead).read(
      request(new AbortController().signal),
    )) {
      expect(part).toBe(small)
    }
    expect.assertions(1)
  })

  test('others have their turn, and an abort ends the query at the next step', async () => {
    const abort = new AbortController()
    const reader = fairReader(
      engine(Array.from({ length: 1_000 }, () => block)),
      new Turns(slowClock()).end,
      mayRead,
    )
    setImmediate(() => abort.abort(new Error('time is up')))
    let steps = 0
    const run = async () => {
      for await (const part of reader.read(request(abort.signal))) steps += part.times.length > 0 ? 1 : 0
    }
    await expect(run()).rejects.toThrow('time is up')
    expect(steps).toBeLessThan(10)
  })
})

test('ids of series mean nothing once their database has gone and come again', async () => {
  let generation = Symbol('first')
  let reads = 0
  const own = { ...engine([block]), generation: () => generation }
  const reader = fairReader(
    {
      ...own,
      async *aggregate() {
        yield { seriesId: 7, startsNs: [], fields: [] }
      },
    },
    new Turns(systemClock).end,
    mayRead,
  )
  const { signal } = new AbortController()
  const read = async () => {
    for await (const _ of reader.read(request(signal))) reads++
    const windowing = { durationNs: 0n, offsetNs: 0n }
    const windows = { ...request(signal), windowing, measures: [], countPoints: () => undefined }
    for await (const _ of reader.aggregate!(windows)) reads++
    return reads
  }
  reader.series('0', 'm')
  expect(await read()).toBe(4)
  generation = Symbol('second')
  expect(await read()).toBe(4)
  reader.series('0', 'm')
  expect(await read()).toBe(8)
})
