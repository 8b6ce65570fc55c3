import { describe, expect, test } from 'vitest'
import type { StoredFile } from '../files/file-store.ts'
import { planSteps } from './aggregate-plan.ts'

/** Promise: rows that may be in two files are merged, no others, and each moment is in exactly one step. */

type Span = readonly [from: number, to: number]

function file(
  name: string,
  position: number,
  [from, to]: Span,
  [minSeries, maxSeries]: Span = [0, 9],
): StoredFile {
  const entry = {
    name,
    databaseId: 'a',
    retentionPolicy: 'autogen',
    measurement: 'm',
    firstPosition: position,
    lastPosition: position,
    rows: 100,
    seriesCount: 10,
    minSeries,
    maxSeries,
    minTimeNs: String(from),
    maxTimeNs: String(to),
    fields: [0],
    sizeBytes: 1,
    sha256: '',
    sealedKey: '',
  }
  return { entry, path: name, minTimeNs: BigInt(from), maxTimeNs: BigInt(to) }
}

/** Steps as `from-to names`, with `+` between files that are merged. */
const planned = (files: readonly StoredFile[], [from, to]: Span = [0, 100]): readonly string[] =>
  planSteps(files, { minTimeNs: BigInt(from), maxTimeNs: BigInt(to), minSeries: 0, maxSeries: 9 }).map(
    (step) =>
      `${step.minTimeNs}-${step.maxTimeNs} ${step.files.map(({ path }) => path).join(step.merged ? '+' : ' ')}`,
  )

describe('steps', () => {
  test.each<[string, readonly StoredFile[], readonly string[]]>([
    ['nothing', [], []],
    ['one file', [file('a', 1, [10, 20])], ['0-100 a']],
    ['one after the other', [file('b', 2, [21, 30]), file('a', 1, [10, 20])], ['0-100 a b']],
    [
      'a moment in common',
      [file('a', 1, [10, 20]), file('b', 2, [20, 30])],
      ['0-19 a', '20-20 a+b', '21-100 b'],
    ],
    ['one over all', [file('a', 1, [10, 20]), file('b', 2, [0, 100])], ['0-9 b', '10-20 b+a', '21-100 b']],
    ['no series in common', [file('a', 1, [0, 50], [5, 9]), file('b', 2, [0, 60], [0, 4])], ['0-100 b a']],
    ['one flush', [file('b', 1, [5, 60], [4, 9]), file('a', 1, [9, 50], [0, 4])], ['0-100 a b']],
    [
      'two of one flush, brought together by a third over both',
      [file('a', 1, [28, 28], [2, 2]), file('b', 1, [21, 22], [2, 3]), file('c', 2, [22, 29], [0, 1])],
      ['0-100 b+c+a'],
    ],
    ['other series', [file('a', 1, [0, 50], [50, 90])], []],
    [
      'all that touch are one',
      [file('a', 1, [0, 20]), file('b', 2, [10, 40]), file('c', 3, [21, 60])],
      ['0-9 a', '10-40 a+b+c', '41-100 c'],
    ],
    [
      'connected only by files of other series',
      [file('a', 1, [0, 20], [0, 5]), file('x', 2, [10, 40], [6, 9]), file('b', 3, [30, 60], [0, 4])],
      ['0-100 a+x+b'],
    ],
  ])('%s', (_title, files, expected) => expect(planned(files)).toEqual(expected))

  test('outside what is wanted there are none', () => {
    const files = [file('a', 1, [0, 20]), file('b', 2, [15, 40])]
    expect(planned(files, [18, 30])).toEqual(['18-20 a+b', '21-30 b'])
    expect(planned(files, [50, 60])).toEqual([])
  })

  test('too many overlaps are merged at once', () => {
    const files = Array.from({ length: 60 }, (_, k) => file(String(k), k, [k * 10, k * 10 + 10]))
    expect(planned(files, [0, 1000])).toEqual([`0-1000 ${files.map(({ path }) => path).join('+')}`])
  })
})
