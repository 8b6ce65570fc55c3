import { describe, expect, test } from 'vitest'
import { compareScalars, Unsigned, type Scalar } from '../scalar.ts'
import { noAux, Tags, type Point } from './point.ts'
import { PointList } from './point-list.ts'

/** Promise: of however many points a list says what they said, whatever their values are. */

const point = (value: Scalar, index: number, aux = noAux): Point => ({
  name: 'm',
  tags: Tags.none,
  timeNs: BigInt(index) * 3n,
  value,
  aux,
  aggregated: 0,
})

const kinds: Readonly<Record<string, (index: number) => Scalar>> = {
  float: (index) => ((index * 7) % 1_000) / 3,
  integer: (index) => 9_007_199_254_740_993n + BigInt((index * 7) % 1_000),
  unsigned: (index) => new Unsigned(BigInt((index * 7) % 1_000)),
  text: (index) => `text ${(index * 7) % 1_000}`,
  boolean: (index) => index % 3 === 0,
  'floats, then others': (index) => (index < 5_000 ? index / 2 : `text ${index}`),
}

describe.each(Object.entries(kinds))('%s', (_, valueOf) => {
  test.each([1, 2_048, 2_049, 10_000])('%i points', (count) => {
    const all = Array.from({ length: count }, (__, index) =>
      point(valueOf(index), index, [index, `other ${index}`]),
    )
    const list = new PointList()
    for (const one of all) list.add(one)
    expect(list.length).toBe(count)
    const isSame = all.every(
      ({ timeNs, value, aux }, index) =>
        list.timeNs(index) === timeNs &&
        compareScalars(list.value(index), value) === 0 &&
        list.aux(index) === aux,
    )
    expect(isSame).toBe(true)
    const sorted = all.toSorted((a, b) => compareScalars(a.value, b.value))
    expect([...list.byValue()].map((index) => list.timeNs(index))).toEqual(sorted.map(({ timeNs }) => timeNs))
  })
})
