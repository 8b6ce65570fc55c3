import { describe, expect, test } from 'vitest'
import { chooseCompaction } from './compaction.ts'
import type { StoredFile } from './file-store.ts'

/** Promise: only neighbours become one file, so that no older value ever comes to stand above a newer one. */

interface Shape {
  readonly position: number
  readonly from?: number
  readonly to?: number
  readonly rows?: number
  readonly measurement?: string
  readonly stringBytes?: number
  readonly fields?: readonly number[]
}

function file({
  position,
  from = 0,
  to = 9,
  rows = 10,
  measurement = 'm',
  stringBytes = 0,
  fields = [0],
}: Shape): StoredFile {
  const entry = {
    name: `${position}-${from}-${measurement}`,
    databaseId: 'a',
    retentionPolicy: 'autogen',
    measurement,
    firstPosition: position,
    lastPosition: position,
    rows,
    seriesCount: 1,
    minSeries: 0,
    maxSeries: 0,
    minTimeNs: String(from),
    maxTimeNs: String(to),
    fields: [...fields],
    sizeBytes: 1,
    stringBytes,
    sha256: '',
    sealedKey: '',
  }
  return { entry, path: entry.name, minTimeNs: BigInt(from), maxTimeNs: BigInt(to) }
}

const chosen = (
  files: readonly StoredFile[],
  isReady: (file: StoredFile) => boolean = () => true,
  maxCells = 5_000_000,
): number[] | null =>
  chooseCompaction(files.filter(isReady), files, () => 100n, maxCells)?.map(
    ({ entry }) => entry.lastPosition,
  ) ?? null

const positions = (from: number, end: number): Shape[] =>
  Array.from({ length: end - from }, (_, index) => ({ position: from + index }))

describe('compaction', () => {
  test('eight small files of a shard become one, in the order of positions', () => {
    expect(chosen(positions(1, 9).toReversed().map(file))).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  test.each<[string, Shape[]]>([
    ['seven files', positions(1, 8)],
    [
      'eight files of two shards',
      positions(1, 9).map((each, index) => ({ ...each, from: (index % 2) * 100, to: (index % 2) * 100 + 9 })),
    ],
    [
      'eight files of two measurements',
      positions(1, 9).map((each, index) => ({ ...each, measurement: `m${index % 2}` })),
    ],
    ['large files', positions(1, 9).map((each) => ({ ...each, rows: 300_000 }))],
    [
      'a large file in their middle',
      positions(1, 10).map((each) => ({ ...each, rows: each.position === 5 ? 300_000 : 10 })),
    ],
  ])('%s are left alone', (_, shapes) => {
    expect(chosen(shapes.map(file))).toBeNull()
  })

  test('a file of a wider range of time between them forbids it', () => {
    const narrow = positions(10, 18).map((each) => file({ ...each, from: 105, to: 109 }))
    expect(chosen([...narrow, file({ position: 13, from: 50, to: 150 })])).toBeNull()
    expect(chosen([...narrow, file({ position: 9, from: 50, to: 150 })])).not.toBeNull()
    expect(chosen([...narrow, file({ position: 13, from: 50, to: 104 })])).not.toBeNull()
  })

  test('files that wait after a failure are left alone, and nothing is merged past them', () => {
    const files = positions(1, 30).map(file)
    const position = (each: StoredFile) => each.entry.lastPosition
    expect(chosen(files, (each) => position(each) > 10)?.[0]).toBe(11)
    expect(chosen(files, (each) => position(each) % 2 === 0)).toBeNull()
  })

  test('no more rows than fit into memory', () => {
    const files = positions(1, 20).map((each) => file({ ...each, rows: 100_000 }))
    expect(chosen(files)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(chosen(files, undefined, 900_000)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(chosen(files, undefined, 700_000)).toBeNull()
  })

  test('no more bytes of strings than fit into memory, and files full of them are left alone', () => {
    const shapes = positions(1, 20).map((each) => ({ ...each, stringBytes: 2_000_000 }))
    expect(chosen(shapes.map(file))).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(chosen(shapes.map((each) => file({ ...each, stringBytes: 3_000_000 })))).toBeNull()
    const mixed = shapes.map((each) => ({ ...each, stringBytes: each.position < 9 ? 9_000_000 : 1_000 }))
    expect(chosen(mixed.map(file))).toEqual([9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
  })

  test('no more fields than one file may have', () => {
    const shapes = positions(1, 20).map((each) => ({
      ...each,
      fields: Array.from({ length: 100 }, (_, k) => (each.position - 1) * 100 + k),
    }))
    expect(chosen(shapes.map(file))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    const wide = shapes.map(({ fields, ...each }) => ({ ...each, fields: [...fields, -1, -2] }))
    expect(chosen(wide.map(file))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  const range = (from: number, end: number) => Array.from({ length: end - from }, (_, k) => from + k)

  test('points of more fields than one file may have: the parts of many flushes become one, each with its like', () => {
    const files = positions(1, 9).flatMap((each) => [
      file({ ...each, fields: range(0, 1_000) }),
      file({ ...each, fields: range(1_000, 1_500) }),
    ])
    const ready = (first: number) => (each: StoredFile) => each.entry.fields[0] === first
    expect(chosen(files)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(chosen(files, ready(1_000))).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    // A file that has one of their fields, and lies between them, forbids it as ever.
    expect(chosen([...files, file({ position: 4, fields: [5, 1_200] })], ready(1_000))).toBeNull()
  })

  test('one flush of wide points does not keep narrow files around it from becoming one', () => {
    const narrow = [...positions(1, 6), ...positions(6, 40)].map(file)
    const wide = [range(0, 1_000), range(1_000, 1_100)].map((fields) => file({ position: 5, fields }))
    expect(chosen([...narrow, ...wide])?.length).toBeGreaterThan(8)
  })

  test('no more cells than fit into memory, where a field of few rows is one of the new file', () => {
    const files = positions(1, 20).map((each) =>
      file({ ...each, ...(each.position === 1 ? { fields: range(0, 500) } : { rows: 50_000 }) }),
    )
    // Ten rows with 500 fields would give 500 to the 400,000 rows of the others.
    expect(chosen(files)?.[0]).toBe(2)
  })

  test('a file of an older version says nothing of its strings: they are a few times what it takes on the disk', () => {
    const files = positions(1, 20).map((each) => file(each))
    const old = (sizeBytes: number) =>
      files.map((each) => {
        const { stringBytes: _, ...entry } = each.entry
        return { ...each, entry: { ...entry, sizeBytes } }
      })
    expect(chosen(old(600_000))).toHaveLength(9)
    expect(chosen(old(700_000))).toBeNull()
  })
})
