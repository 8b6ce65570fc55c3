import { describe, expect, test } from 'vitest'
import type { StoredFile } from '../files/file-store.ts'
import { planRead } from './read-plan.ts'

/** Promise: however a read is cut into parts, each series and each moment is in exactly one, in the order asked for. */

function file(
  position: number,
  rows: number,
  seriesCount: number,
  from: bigint,
  to: bigint,
  minSeries = 0,
): StoredFile {
  const entry = {
    name: String(position),
    databaseId: 'a',
    retentionPolicy: 'autogen',
    measurement: 'm',
    firstPosition: position,
    lastPosition: position,
    rows,
    seriesCount,
    minSeries,
    maxSeries: minSeries + seriesCount - 1,
    minTimeNs: String(from),
    maxTimeNs: String(to),
    fields: [0],
    sizeBytes: 1,
    sha256: '',
    sealedKey: '',
  }
  return { entry, path: entry.name, minTimeNs: from, maxTimeNs: to }
}

const types = (count: number) => Array.from({ length: count }, () => 'float' as const)

describe('parts', () => {
  test('a small read is one', () => {
    const files = [file(1, 100, 10, 0n, 9n)]
    expect(planRead(files, { seriesIds: [3, 1], minTimeNs: 0n, maxTimeNs: 9n }, types(1))).toEqual([
      { seriesIds: [3, 1], files, minTimeNs: 0n, maxTimeNs: 9n },
    ])
  })

  test('many series are several, in the order asked for, each of what the memory holds', () => {
    const files = [file(1, 10_000_000, 1_000, 0n, 9n)]
    const seriesIds = Array.from({ length: 1_000 }, (_, index) => 999 - index)
    const parts = planRead(files, { seriesIds, minTimeNs: 0n, maxTimeNs: 9n }, types(1))
    expect(parts.flatMap((part) => part.seriesIds)).toEqual(seriesIds)
    expect(parts.map((part) => part.seriesIds.length)).toEqual(Array.from({ length: 40 }, () => 25))
  })

  test('the more fields, the fewer rows are in a part', () => {
    const files = [file(1, 10_000_000, 1_000, 0n, 9n)]
    const seriesIds = Array.from({ length: 1_000 }, (_, index) => index)
    const parts = planRead(files, { seriesIds, minTimeNs: 0n, maxTimeNs: 9n }, types(38))
    expect(parts.flatMap((part) => part.seriesIds)).toEqual(seriesIds)
    expect(parts).toHaveLength(500)
  })

  test('a series that is too much alone is cut in time, without gap or overlap', () => {
    const files = Array.from({ length: 9 }, (_, day) =>
      file(day + 1, 400_000, 1, BigInt(day * 100), BigInt(day * 100 + 120)),
    )
    const parts = planRead(files, { seriesIds: [0], minTimeNs: -50n, maxTimeNs: 2_000n }, types(1))
    expect(parts.length).toBeGreaterThan(3)
    expect([parts[0]!.minTimeNs, parts.at(-1)!.maxTimeNs]).toEqual([-50n, 2_000n])
    for (let index = 1; index < parts.length; index++)
      expect(parts[index]!.minTimeNs).toBe(parts[index - 1]!.maxTimeNs + 1n)
    for (const part of parts) {
      const expected = files.filter(
        (each) => each.minTimeNs <= part.maxTimeNs && each.maxTimeNs >= part.minTimeNs,
      )
      expect(part.files).toEqual(expected)
    }
  })

  test('strings count by their bytes, where strings are wanted', () => {
    const large = file(1, 1_000, 100, 0n, 9n)
    const files = [{ ...large, entry: { ...large.entry, stringBytes: 160_000_000 } }]
    const bounds = { seriesIds: Array.from({ length: 100 }, (_, id) => id), minTimeNs: 0n, maxTimeNs: 9n }
    expect(planRead(files, bounds, types(1))).toHaveLength(1)
    const parts = planRead(files, bounds, ['string'])
    expect(parts.flatMap(({ seriesIds }) => seriesIds)).toEqual(bounds.seriesIds)
    expect(Math.max(...parts.map(({ seriesIds }) => seriesIds.length))).toBeLessThanOrEqual(10)
  })

  test('files of other series and other times are not opened', () => {
    const files = [file(1, 10, 5, 0n, 9n), file(2, 10, 5, 0n, 9n, 100), file(3, 10, 5, 50n, 60n)]
    const [part] = planRead(files, { seriesIds: [2], minTimeNs: 0n, maxTimeNs: 20n }, types(1))
    expect(part!.files).toEqual([files[0]])
  })
})
