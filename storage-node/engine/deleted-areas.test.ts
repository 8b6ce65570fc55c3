import { describe, expect, test } from 'vitest'
import { contains, simplified } from './deleted-areas.ts'
import { isDeleted, runsOf, type DeletedArea } from './tombstones.ts'

/** Promise: many deletes of a file are said in few words, and say the same of each series and moment. */

const ids = Array.from({ length: 12 }, (_, id) => id)
const moments = Array.from({ length: 16 }, (_, timeNs) => BigInt(timeNs))
const areaOf = (series: readonly number[] | null, minTimeNs: bigint, maxTimeNs: bigint): DeletedArea => ({
  series,
  minTimeNs,
  maxTimeNs,
})
const rowsIn = (areas: readonly DeletedArea[]): string[] =>
  ids.flatMap((id) =>
    moments.filter((timeNs) => isDeleted(areas, id, timeNs)).map((timeNs) => `${id} ${timeNs}`),
  )

function randomAreas(seed: number): DeletedArea[] {
  let state = seed
  const random = (below: number) => (state = (state * 48_271) % 2_147_483_647) % below
  return Array.from({ length: 1 + random(12) }, () => {
    const chosen = ids.filter(() => random(3) === 0)
    const from = random(14)
    return areaOf(random(4) === 0 ? null : runsOf(chosen, ids), BigInt(from), BigInt(from + random(3)))
  })
}

test('whatever the areas are, fewer say the same', () => {
  for (let seed = 1; seed <= 500; seed++) {
    const areas = randomAreas(seed)
    const simple = simplified(areas)
    expect(rowsIn(simple)).toEqual(rowsIn(areas))
    expect(simple.length).toBeLessThanOrEqual(areas.length)
  }
})

test('an area contains another one if all that is in that is in it', () => {
  for (let seed = 1; seed <= 500; seed++) {
    const [a, b] = randomAreas(seed)
    if (!a || !b || (b.series !== null && b.series.length === 0)) continue
    if (contains(a, b)) expect(rowsIn([a])).toEqual(expect.arrayContaining(rowsIn([b])))
    expect(contains(a, a)).toBe(true)
  }
})

describe('are one', () => {
  test.each<[string, DeletedArea[], DeletedArea[]]>([
    [
      'series of one span of time',
      [areaOf([1, 2], 0n, 9n), areaOf([7, 7], 0n, 9n), areaOf([3, 4], 0n, 9n)],
      [areaOf([1, 4, 7, 7], 0n, 9n)],
    ],
    ['spans that touch', [areaOf(null, 5n, 9n), areaOf(null, 0n, 4n)], [areaOf(null, 0n, 9n)]],
    [
      'an area and what it contains',
      [areaOf([1, 2], 3n, 4n), areaOf([0, 5], 0n, 9n)],
      [areaOf([0, 5], 0n, 9n)],
    ],
    ['twice the same', [areaOf([1, 2], 3n, 4n), areaOf([1, 2], 3n, 4n)], [areaOf([1, 2], 3n, 4n)]],
    ['an area and one of nothing', [areaOf([], 0n, 9n), areaOf([1, 1], 3n, 4n)], [areaOf([1, 1], 3n, 4n)]],
  ])('%s', (_, areas, expected) => {
    expect(simplified(areas)).toEqual(expected)
  })

  test('spans with a moment between them, and series of different spans, are not', () => {
    const areas = [areaOf(null, 0n, 3n), areaOf(null, 5n, 9n), areaOf([1, 1], 2n, 6n)]
    expect(simplified(areas)).toHaveLength(3)
  })
})
