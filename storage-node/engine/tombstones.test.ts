import { describe, expect, test } from 'vitest'
import { deletedAreas } from './deleted-areas.ts'
import {
  coversWhole,
  hasSeries,
  isDeleted,
  runsOf,
  touches,
  type FileBounds,
  type Tombstone,
} from './tombstones.ts'

/**
 * Promise: a delete hides exactly the points it names that were written before it, whichever file holds them, and
 * nothing that came after it.
 */

const everything: Tombstone = {
  position: 10,
  databaseId: 'd',
  retentionPolicy: null,
  measurement: null,
  series: null,
  minTimeNs: -(2n ** 63n),
  maxTimeNs: 2n ** 63n - 1n,
}

const file = (
  changes: Partial<FileBounds['entry']> = {},
  minTimeNs = 100n,
  maxTimeNs = 200n,
): FileBounds => ({
  entry: {
    databaseId: 'd',
    retentionPolicy: 'autogen',
    measurement: 'm',
    lastPosition: 9,
    minSeries: 3,
    maxSeries: 7,
    ...changes,
  },
  minTimeNs,
  maxTimeNs,
})

describe('which files it touches, and which it deletes as a whole', () => {
  test.each<[string, Partial<Tombstone>, FileBounds, boolean, boolean]>([
    ['everything of the database', {}, file(), true, true],
    ['another database', { databaseId: 'e' }, file(), false, false],
    ['its own policy', { retentionPolicy: 'autogen' }, file(), true, true],
    ['another policy', { retentionPolicy: 'other' }, file(), false, false],
    ['its own measurement', { measurement: 'm' }, file(), true, true],
    ['another measurement', { measurement: 'n' }, file(), false, false],
    ['the last point before the delete', {}, file({ lastPosition: 9 }), true, true],
    ['a file that was written after it', {}, file({ lastPosition: 10 }), false, false],
    ['a file that was compacted after it', {}, file({ deletedThrough: 10 }), false, false],
    ['a file that was compacted before it', {}, file({ deletedThrough: 9 }), true, true],
    ['its first nanosecond', { maxTimeNs: 100n }, file(), true, false],
    ['the nanosecond before', { maxTimeNs: 99n }, file(), false, false],
    ['its last nanosecond', { minTimeNs: 200n }, file(), true, false],
    ['the nanosecond after', { minTimeNs: 201n }, file(), false, false],
    ['exactly its times', { minTimeNs: 100n, maxTimeNs: 200n }, file(), true, true],
    ['a nanosecond less', { minTimeNs: 100n, maxTimeNs: 199n }, file(), true, false],
    ['its first series', { series: [0, 3] }, file(), true, false],
    ['the series before', { series: [0, 2] }, file(), false, false],
    ['its last series', { series: [7, 9] }, file(), true, false],
    ['the series after', { series: [8, 9] }, file(), false, false],
    ['series around it', { series: [0, 1, 8, 9] }, file(), false, false],
    ['exactly its series', { series: [0, 0, 3, 7] }, file(), true, true],
    ['its series but one', { series: [3, 4, 6, 7] }, file(), true, false],
    ['no series', { series: [] }, file(), false, false],
  ])('%s', (_, changes, each, isTouched, isCovered) => {
    const tombstone = { ...everything, ...changes }
    expect([touches(tombstone, each), coversWhole(tombstone, each)]).toEqual([isTouched, isCovered])
  })
})

test('ids as runs and back, over whatever ids there are', () => {
  let seed = 1
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
  for (let round = 0; round < 300; round++) {
    const among = Array.from({ length: 40 }, (_, id) => id).filter(() => random(3) > 0)
    const ids = among.filter(() => random(2) > 0)
    const runs = runsOf(ids, among)
    expect(among.filter((id) => hasSeries(runs, id))).toEqual(ids)
    expect(runs.length).toBeLessThanOrEqual(2 * ids.length)
  }
  expect(runsOf([2, 5, 9], [2, 5, 8, 9])).toEqual([2, 5, 9, 9])
  expect(runsOf([], [1, 2])).toEqual([])
})

test('the areas of a file say of each wanted series and time what the tombstones say', () => {
  const tombstones: Tombstone[] = [
    { ...everything, series: [3, 4], minTimeNs: 100n, maxTimeNs: 149n },
    { ...everything, series: [4, 6], minTimeNs: 150n, maxTimeNs: 150n },
    { ...everything, measurement: 'n' },
    { ...everything, position: 5 },
  ]
  const wanted = [7, 4, 3]
  const areas = deletedAreas(tombstones, wanted)(file())
  const rows = wanted.flatMap((id) => [100n, 149n, 150n, 151n].map((timeNs) => [id, timeNs] as const))
  expect(rows.filter(([id, timeNs]) => isDeleted(areas, id, timeNs))).toEqual([
    [4, 100n],
    [4, 149n],
    [4, 150n],
    [3, 100n],
    [3, 149n],
  ])
  expect(deletedAreas(tombstones, [7])(file())).toEqual([])
  expect(deletedAreas(tombstones, [4])(file())).toEqual([{ series: null, minTimeNs: 100n, maxTimeNs: 150n }])
})
